# SPDX-License-Identifier: Apache-2.0
"""Policies of products as people read them: what each reveals, alone and to several together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from lingqu import gate
from lingqu.gate.governance import GovernedColumn, GovernedTable, Mode, QueryPolicy
from lingqu.gate.predicates import Asks
from lingqu.kernel.values import to_plain
from lingqu.ui.rendering import Desk

_TOGETHER = 3
"""So many buyers are imagined to put together what they were told."""


def policy_words(
    desk: Desk, policy: gate.Policy, columns: Mapping[tuple[str, str], str]
) -> tuple[str, ...]:
    """This will say line by line what a policy answers, what it never does, and what can be learnt.

    `columns` gives the words of a column by its resource and name.
    """
    match policy:
        case gate.VerificationPolicy():
            return tuple(_verification(desk, policy, columns))
        case gate.CountPolicy():
            return tuple(_count(desk, policy, columns))
        case QueryPolicy():
            return tuple(_query(desk, policy, columns))
    return tuple(_open_file(desk, policy, columns))


def policy_text(policy: gate.Policy) -> str:
    """This will write a policy as the JSON that stands under the form."""
    return json.dumps(to_plain(policy), ensure_ascii=False, indent=2)


def length_of(desk: Desk, shape: gate.SubjectShape) -> str:
    """This will say how long a subject is: exactly so, or between two lengths."""
    code = "exactly" if shape.shortest == shape.longest else "between"
    return desk.text(f"ui.length.{code}", shortest=shape.shortest, longest=shape.longest)


def _verification(
    desk: Desk, policy: gate.VerificationPolicy, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    shape = policy.subject
    yield desk.text(
        "ui.reveals.subject",
        length=length_of(desk, shape),
        kind=desk.text(f"ui.characters.{shape.characters.value}"),
    )
    for one in policy.predicates:
        first = one.yes[0]
        key = columns.get((first.resource, first.key), first.key)
        if first.value is None:
            yield desk.text("ui.reveals.exists", name=one.name, key=key)
        elif one.measure is not None:
            bands = desk.series(band for band in one.measure.bands if band)
            code = "band" if one.measure.asks is Asks.BAND else "measured"
            value = columns.get((first.resource, first.value), first.value)
            yield desk.text(f"ui.reveals.{code}", name=one.name, key=key, value=value, bands=bands)
        else:
            value = columns.get((first.resource, first.value), first.value)
            code = "member" if one.matching is gate.Matching.MEMBERSHIP else "equal"
            yield desk.text(f"ui.reveals.{code}", name=one.name, key=key, value=value)
        if one.once:
            yield desk.text("ui.reveals.once", name=one.name)
        if one.evidence:
            shown = [columns.get((e.resource, c), c) for e in one.evidence for c in e.columns]
            yield desk.text("ui.reveals.evidence", columns=desk.series(shown))
    for several in policy.combined:
        yield desk.text("ui.reveals.combined", name=several.name, parts=desk.series(several.of))
    if policy.personal:
        yield desk.text("ui.reveals.personal")
    yield desk.text("ui.reveals.unknown" if policy.tells_unknown else "ui.reveals.no_unknown")
    yield desk.text("ui.reveals.no_list")
    if policy.enumeration is None:
        yield desk.text("ui.reveals.unlimited")
    else:
        limit = policy.enumeration
        yield desk.text("ui.reveals.limited", values=limit.values, days=limit.days)
        yield desk.text(
            "ui.reveals.together",
            buyers=_TOGETHER,
            values=limit.values * _TOGETHER,
            days=limit.days,
        )
    if policy.sample is None:
        yield desk.text("ui.reveals.no_sample")
    else:
        kept = policy.sample
        yield desk.text(
            "ui.reveals.sample", least=kept.least, most=kept.most, altogether=kept.altogether
        )


def _count(
    desk: Desk, policy: gate.CountPolicy, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    named = [columns.get((policy.resource, one), one) for one in policy.dimensions]
    entity = columns.get((policy.resource, policy.entity), policy.entity)
    merged = columns.get((policy.resource, policy.merged), policy.merged)
    yield desk.text("ui.reveals.count", entity=entity, dimensions=desk.series(named))
    yield desk.text("ui.reveals.threshold", threshold=policy.threshold, merged=merged)
    yield desk.text("ui.reveals.no_total")
    if policy.rounding > 1:
        yield desk.text("ui.reveals.rounding", rounding=policy.rounding)
    yield desk.text("ui.reveals.count_together", buyers=_TOGETHER)


def _query(
    desk: Desk, policy: QueryPolicy, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    for table in policy.tables:
        yield from _table(desk, table, columns)
    yield desk.text("ui.reveals.query_together")
    if Mode.DP in policy.modes and policy.dp is not None:
        yield desk.text(
            "ui.reveals.query_noise",
            organization=policy.dp.organization_ceiling,
            dataset=policy.dp.dataset_ceiling,
        )


def _table(
    desk: Desk, table: GovernedTable, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    def named(is_so: Callable[[GovernedColumn], bool]) -> str:
        found = [one.name for one in table.columns if is_so(one)]
        return desk.series(columns.get((table.resource, one), one) for one in found)

    if table.entity is not None:
        entity = columns.get((table.resource, table.entity), table.entity)
        yield desk.text(
            "ui.reveals.query_table", name=table.name, threshold=table.threshold, entity=entity
        )
    for code, said in (
        ("query_grid", named(lambda one: one.grid is not None)),
        ("query_measures", named(lambda one: one.measure is not None)),
        ("query_never", named(lambda one: one.grid is None and one.measure is None)),
    ):
        if said:
            yield desk.text(f"ui.reveals.{code}", name=table.name, columns=said)


def _open_file(
    desk: Desk, policy: gate.OpenFilePolicy, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    named = [columns.get((policy.resource, one), one) for one in policy.columns]
    yield desk.text("ui.reveals.open_file", columns=desk.series(named))
    yield desk.text("ui.reveals.open_for_ever")
