# SPDX-License-Identifier: Apache-2.0
"""Templates, and the desk at which each page is made: who asks, in which words, over what data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl, urlencode

import jinja2
from litestar import MediaType, Response
from litestar.response import Redirect
from markupsafe import Markup

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.charts import Label, Role
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx, new_id
from lingqu.runtime.i18n import (
    LANGUAGES,
    Explanation,
    catalog,
    explain,
    format_instant_local,
    translate,
)
from lingqu.trust import rulebook
from lingqu.ui import charts
from lingqu.ui.assets import asset_url
from lingqu.ui.navigation import PUBLIC, Entry, Section, sections_for
from lingqu.ui.refilling import refill
from lingqu.ui.refusals import SignInRequired
from lingqu.ui.visitors import Visit
from lingqu.wiring import App

P = ParamSpec("P")
R = TypeVar("R")

TEMPLATES = Path(__file__).parent / "templates"


_BUILT_IN = {
    str(trust.PLATFORM.account): "ui.actor.platform",
    str(trust.LOCAL_ADMINISTRATOR.account): "ui.actor.local",
    str(trust.VISITOR.account): "ui.actor.visitor",
}


def environment() -> jinja2.Environment:
    """This will make the environment of all templates: everything escaped, nothing undefined."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"asset": asset_url, "charts": charts, "languages": LANGUAGES}
    made.filters["short"] = shorten
    made.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return made


def shorten(text: str) -> str:
    """This will shorten an id or digest to what an eye can compare."""
    return text if len(text) <= 18 else f"{text[:8]}…{text[-6:]}"


def clip(text: str, most: int) -> str:
    """This will give the beginning of a long text, and say that there is more."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


ENVIRONMENT = environment()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """An article as it stands beside a page's purpose: the citation, and where its text is."""

    words: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """What a list at an address is asked for, under a name somebody gave it."""

    path: str
    name: str
    query: str


@lru_cache(maxsize=512)
def _cited(rules: str, code: str) -> Cited | None:
    try:
        found = rulebook.open_rulebook(rules.partition("@")[0]).rule(code)
    except errors.LingquError:
        return None
    return Cited(words=found.citation, href=f"/trust/rules/{code}")


@dataclass(slots=True, kw_only=True)
class Desk:
    """What a page needs: the platform, who asks, and ways to read, act and show."""

    platform: App
    visit: Visit
    path: str
    query: str
    state: dict[str, Any]
    views: tuple[SavedView, ...] = ()
    """The saved views this browser brings, of all lists."""
    seen: Instant | None = None
    """Until when the visitor has seen what moved in their matters, as the browser says."""
    address: str = ""
    """Scheme and host of the request, for an address outside that leads back here."""

    def text(self, code: str, /, **parameters: errors.Parameter) -> str:
        """This will give a text in the visitor's language."""
        return translate(code, self.visit.language, **parameters)

    @property
    def time_zone(self) -> str:
        """Where the hours that are shown are counted."""
        return self.platform.settings.time_zone

    def when(self, instant: Instant | None) -> str:
        """This will write an instant as the visitor reads time."""
        if instant is None:
            return "–"
        return format_instant_local(instant, self.time_zone, self.visit.language)

    def minute(self, instant: Instant) -> str:
        """This will write an instant in a list, which names the time zone once."""
        return format_instant_local(instant, self.time_zone, self.visit.language, is_bare=True)

    def day(self, day: date | None) -> str:
        """This will write a day as the visitor reads it."""
        if day is None:
            return "–"
        if self.visit.language == "en":
            return day.isoformat()
        return f"{day.year}年{day.month}月{day.day}日"

    def label(self, label: Label) -> str:
        """This will give the words of something that carries them in both languages."""
        return label.en if self.visit.language == "en" else label.zh

    def button(self, label: Label) -> str:
        """This will give such words as they stand on a button: in English with a capital."""
        words = self.label(label)
        return words[:1].upper() + words[1:]

    def labels(self, named: Iterable[Role]) -> str:
        """This will list things that carry their words."""
        return self.series(self.label(one.label) for one in named)

    def series(self, words: Iterable[str]) -> str:
        """This will string words together as the visitor's language does."""
        return (", " if self.visit.language == "en" else "、").join(words)

    def aside(self, words: str, more: str) -> str:
        """This will put what tells something apart into brackets behind its name."""
        return f"{words} ({more})" if self.visit.language == "en" else f"{words}（{more}）"

    def cite(self, rule: str) -> Cited | None:
        """This will cite a rule of the rulebook in force; None where it is not known here."""
        return _cited(self.platform.database.rules, rule)

    def names(self, tx: Tx, parties: Iterable[str | None]) -> Mapping[str, str]:
        """This will name parties by their ids: organisations, and whom the visitor may see."""
        wanted = {one for one in parties if one and one.startswith("pty_")}
        found = dict(trust.organization_names(tx, parties=wanted))
        mine = self.visit.identity
        if mine is not None and mine.party_name:
            found.setdefault(mine.party, mine.party_name)
        return {one: found.get(one, shorten(one)) for one in wanted}

    @property
    def sections(self) -> tuple[Section, ...]:
        """The navigation of whoever has signed in."""
        mine = self.visit.identity
        return () if mine is None else sections_for([one.role for one in mine.roles])

    @property
    def base(self) -> str:
        """The address under which this installation is reached, for links that are printed."""
        return (self.platform.settings.base_url or self.address).rstrip("/")

    @property
    def public_entries(self) -> tuple[Entry, ...]:
        """The navigation of the public."""
        return PUBLIC

    def is_here(self, path: str) -> bool:
        """This will say whether the page lies under a place of the navigation."""
        return self.path == path or (path != "/" and self.path.startswith(f"{path}/"))

    @property
    def office(self) -> str:
        """For whom the visitor works: the party chosen, else the account's own."""
        mine = self.visit.identity
        if mine is None:
            return ""
        if mine.acting_for is not None and mine.acting_for != mine.party:
            with self.reading() as tx:
                return self.names(tx, {mine.acting_for})[mine.acting_for]
        return mine.party_name or mine.login or ""

    def acting_choices(self) -> tuple[tuple[str, str], ...]:
        """This will list the parties the visitor may act for, where there are several."""
        mine = self.visit.identity
        if mine is None or (len(mine.parties) < 2 and not mine.acting_for):
            return ()
        with self.reading() as tx:
            names = self.names(tx, mine.parties)
        return tuple((one, names[one]) for one in mine.parties)

    def who(self, account: str) -> str:
        """This will name an account: the visitor's and the built-in ones in words, others by id."""
        mine = self.visit.identity
        if mine is not None and account == mine.account:
            return self.text("ui.actor.me")
        code = _BUILT_IN.get(account)
        return shorten(account) if code is None else self.text(code)

    def either(self, code: str, other: str) -> str:
        """This will give a text by its code; where there is none, the other words."""
        return self.text(code) if code in catalog() else other

    def field(self, name: str) -> str:
        """This will name a field of a fact."""
        code = f"ui.field.{name}"
        return self.text(code) if code in catalog() else name

    def require(self, *roles: trust.Role, kind: trust.Kind = trust.Kind.FACT) -> trust.Identity:
        """This will give who is signed in, with one of the roles if any are named.

        `kind` is what the page shows.

        Raises SignInRequired, AccessDenied.
        """
        identity = self.visit.identity
        if identity is None:
            raise SignInRequired
        if roles and not identity.has(*roles):
            raise trust.AccessDenied(action=trust.Action.READ.value, kind=kind.value)
        return identity

    def reach(self, tx: Tx, kind: trust.Kind, action: trust.Action) -> tuple[trust.PartyId, ...]:
        """This will give the parties of the visitor for whose things of a kind the act is allowed.

        Raises SignInRequired.
        """
        mine = self.require()
        held = (trust.PartyId(one) for one in mine.parties or (mine.party,))
        return tuple(one for one in held if trust.is_allowed(tx, action, kind, owner=one))

    def reading(self) -> AbstractContextManager[Tx]:
        """This will open a read for whoever asks."""
        return self.platform.database.reading(self.visit.caller)

    def execute(
        self,
        command: trust.CommandId,
        what: trust.Command[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """This will do one command as whoever asks; raises what the command raises."""
        self.visit.commanded = True
        return trust.execute(
            self.platform.database, what, self.visit.caller, command, *args, **kwargs
        )

    def show(self, template: str, *, status: int = 200, **values: Any) -> Response[str]:
        """This will make the page; a form that was refused keeps what was typed."""
        html = ENVIRONMENT.get_template(template).render(
            desk=self,
            t=self.text,
            when=self.when,
            visit=self.visit,
            me=self.visit.identity,
            new_command=lambda: new_id(trust.CommandId),
            csrf=Markup('<input type="hidden" name="csrf" value="{}">').format(self.visit.csrf),
            **values,
        )
        sent = self.state.get("form") if status >= 400 else None
        return Response(
            html if sent is None else refill(html, self.path, sent.fields),
            status_code=status,
            media_type=MediaType.HTML,
            headers={"content-language": self.visit.language, "vary": "cookie, accept-language"},
        )

    def explain(self, refusal: errors.LingquError | None) -> Explanation | None:
        """This will put a refusal into the visitor's words, and note it for the record."""
        if refusal is None:
            return None
        self.state["refused"] = (refusal, self.state.get("command"))
        return explain(refusal, self.visit.language)

    def go(self, path: str, *, done: str | None = None) -> Redirect:
        """This will send the browser on, telling it there what was done."""
        target = path if done is None else f"{path}?{urlencode({'done': done})}"
        return Redirect(target, status_code=303)

    def argument(self, name: str) -> str:
        """This will give one part of the address's question, or an empty text."""
        try:
            given = dict(parse_qsl(self.query, max_num_fields=60))
        except ValueError:
            return ""
        return "".join(one for one in given.get(name, "") if one.isprintable())[:200].strip()

    @property
    def done(self) -> str | None:
        """What was just done, in words, where the address says so and the words exist."""
        key = f"ui.done.{dict(_pairs(self.query)).get('done', '')}"
        return self.text(key) if key in catalog() else None

    @property
    def story_date(self) -> str | None:
        """What the demonstration clock shows; None where the clock is real."""
        if self.platform.installation.clock != "story":
            return None
        try:
            with self.platform.database.reading(trust.VISITOR) as tx:
                return self.when(tx.now)
        except errors.Unavailable:
            return "–"


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&"))]
