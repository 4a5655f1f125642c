# SPDX-License-Identifier: Apache-2.0
"""Terms of a right as people read them: columns under the name of their resource, local time."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from lingqu import rights, supply
from lingqu.kernel import errors
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import parse_instant
from lingqu.runtime import Tx
from lingqu.ui.rendering import Desk, shorten

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
_RESOURCE = re.compile(r"res_[0-9a-z]{26}")
_LONG = re.compile(r"[0-9a-f]{64}|[a-z]{3}_[0-9a-z]{26}")
_COLUMNS_SHOWN = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Reader:
    """Puts terms into words for one page; knows the names of parties and resources on it."""

    desk: Desk
    labels: tuple[rights.Label, ...]
    parties: Mapping[str, str]
    resources: Mapping[str, str]
    titles: Mapping[str, Mapping[str, str]]
    """What the columns of a resource are called."""

    def parts(self, form: TermsForm) -> tuple[tuple[str, str], ...]:
        """This will name each part that limits, and say what it says."""
        language = self.desk.visit.language
        plain = dataclasses.replace(form, fields=None)
        said = [
            (part, self.line(words))
            for part, words in rights.terms_in_words(plain, self.labels, language)
        ]
        if form.fields is not None:
            said.insert(0, (self.desk.text("rights.part.fields"), self.columns(form.fields)))
        return tuple(said)

    def columns(self, names: Sequence[str]) -> str:
        """This will list columns under the titles of their resources, the first ones of each."""
        english = self.desk.visit.language == "en"
        comma, colon, stop = (", ", ": ", "; ") if english else ("、", "：", "；")
        by_resource: dict[str, list[str]] = {}
        for name in names:
            resource, dot, column = name.partition(".")
            known = self.titles.get(resource, {})
            words = known.get(column, column) if dot else name
            by_resource.setdefault(resource if dot else "", []).append(words)
        told = []
        for resource, columns in by_resource.items():
            shown = comma.join(columns[:_COLUMNS_SHOWN])
            if len(columns) > _COLUMNS_SHOWN:
                shown = self.desk.text("ui.terms.and_more", shown=shown, count=len(columns))
            title = self.resources.get(resource, shorten(resource))
            told.append(f"{title}{colon}{shown}" if resource else shown)
        return stop.join(told)

    def line(self, text: str) -> str:
        """This will say a line with names for ids, local time, and nothing longer than an eye."""
        for party, name in self.parties.items():
            text = text.replace(party, name)
        for resource, title in self.resources.items():
            text = text.replace(resource, title)
        text = _INSTANT.sub(lambda found: self.desk.when(parse_instant(found[0])), text)
        return _LONG.sub(lambda found: shorten(found[0]), text)


def reader(
    desk: Desk,
    tx: Tx,
    *,
    forms: Iterable[TermsForm],
    parties: Mapping[str, str],
    others: Iterable[str] = (),
) -> Reader:
    """This will prepare the words of the terms on one page; `others` are resources named beside."""
    wanted = {*others}
    for form in forms:
        wanted |= {found[0] for name in form.fields or () if (found := _RESOURCE.match(name))}
    resources, titles = {}, {}
    for one in sorted(wanted):
        try:
            held = supply.get_resource(tx, supply.ResourceId(one))
        except errors.LingquError:
            continue
        resources[one] = held.title
        titles[one] = {field.name: field.label for field in supply.read_fields(held)}
    return Reader(desk, rights.find_codes(tx), parties, resources, titles)
