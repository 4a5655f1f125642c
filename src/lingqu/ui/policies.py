# SPDX-License-Identifier: Apache-2.0
"""Policies of products as people read them: what each reveals, alone and to several together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise

from lingqu import gate
from lingqu.gate import sql
from lingqu.gate.governance import (
    Function,
    GovernedColumn,
    GovernedTable,
    GridKind,
    Kind,
    Mode,
    QueryPolicy,
    Role,
    edges_of,
    find_fault,
)
from lingqu.gate.predicates import Asks
from lingqu.runtime.i18n import explain
from lingqu.runtime.yamls import write_yaml
from lingqu.ui.rendering import Desk

_TOGETHER = 3
"""So many buyers are imagined to put together what they were told."""
_LISTED_MOST = 12
_TRIED_MOST = 8
_HIDDEN = frozenset({Role.KEY, Role.SENSITIVE})


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
    """This will write a policy as the YAML that stands under the form."""
    return write_yaml(gate.tell_policy(policy))


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
        yield from _table(desk, table, policy.modes, columns)
    for join in policy.joins:
        keys = desk.series(" = ".join(one) for one in join.keys)
        code = f"ui.policy.cardinality.{join.cardinality.value}"
        yield desk.text(
            "ui.reveals.query_join", left=join.left, right=join.right, keys=keys,
            how=desk.text(code),
        )  # fmt: skip
    if len(policy.tables) > 1 and not policy.joins:
        yield desk.text("ui.reveals.query_no_join")
    if Mode.CUBE in policy.modes:
        yield desk.text("ui.reveals.query_cube")
    if Mode.AD_HOC in policy.modes:
        yield desk.text(
            "ui.reveals.query_ad_hoc", rounding=policy.rounding, dominance=policy.dominance
        )
    yield desk.text(
        "ui.reveals.query_limits", rows=f"{policy.rows_max:,}", groups=f"{policy.groups_max:,}"
    )
    yield desk.text("ui.reveals.query_together")
    if Mode.DP in policy.modes and policy.dp is not None:
        yield desk.text(
            "ui.reveals.query_noise",
            organization=policy.dp.organization_ceiling,
            dataset=policy.dp.dataset_ceiling,
        )


def _table(
    desk: Desk,
    table: GovernedTable,
    modes: tuple[Mode, ...],
    columns: Mapping[tuple[str, str], str],
) -> Iterator[str]:
    def words(name: str) -> str:
        return columns.get((table.resource, name), name)

    if table.entity is not None:
        yield desk.text(
            "ui.reveals.query_table",
            name=table.name,
            threshold=table.threshold,
            entity=words(table.entity),
        )
    else:
        yield desk.text("ui.reveals.query_nobody", name=table.name)
    never: dict[str, list[str]] = {}
    for one in table.columns:
        if one.grid is None and one.measure is None:
            may_filter = Mode.DP in modes and one.role is not Role.KEY
            code = "query_never_but_filter" if may_filter else "query_never"
            never.setdefault(code, []).append(words(one.name))
            continue
        uses = desk.text("ui.policy.semicolon").join(column_uses(desk, one, modes))
        yield desk.text("ui.reveals.query_column", column=words(one.name), uses=uses)
    for code, named in never.items():
        yield desk.text(f"ui.reveals.{code}", name=table.name, columns=desk.series(named))


def column_uses(desk: Desk, column: GovernedColumn, modes: tuple[Mode, ...]) -> Iterator[str]:
    """This will say what a query can do with a column."""
    if column.role is Role.KEY:
        yield desk.text("ui.query.use.key", name=column.name)
        return
    grid = column.grid
    if grid is not None:
        listed = grid.edges or grid.values
        shown = desk.series(listed[:_LISTED_MOST]) + ("…" if len(listed) > _LISTED_MOST else "")
        code = "listed" if grid.values else grid.kind.value
        yield desk.text(f"ui.query.use.{code}", step=_step(column), values=shown)
    if column.measure is not None:
        told = column.measure
        functions = [one.value for one in told.functions if one in {Function.SUM, Function.COUNT}]
        yield desk.text(
            "ui.query.use.measure",
            functions=desk.series(functions),
            lower=f"{Decimal(told.lower).scaleb(-told.scale):f}",
            upper=f"{Decimal(told.upper).scaleb(-told.scale):f}",
        )
    if Mode.DP in modes and grid is None:
        yield desk.text("ui.query.use.noise")
    elif grid is None and column.measure is None:
        yield desk.text("ui.query.use.never")


def draw_example(policy: QueryPolicy) -> str:
    """This will write a small query that the policy understands: lines and a sum by one group."""
    table = next(
        (one for one in policy.tables if any(c.grid is not None for c in one.columns)),
        policy.tables[0],
    )
    by = next((one for one in table.columns if one.grid is not None), None)
    sums = [
        f", sum({one.name}) AS total"
        for one in table.columns
        if one.measure is not None and Function.SUM in one.measure.functions
    ]
    figures = "count(*) AS n" + "".join(sums[:1])
    if by is None:
        return f"SELECT {figures}\nFROM {table.name}"
    step = _step(by)
    named = by.name if step == by.name else f"{step} AS period"
    return f"SELECT {named}, {figures}\nFROM {table.name}\nGROUP BY {step}"


def try_questions(desk: Desk, policy: QueryPolicy) -> tuple[tuple[str, str, bool], ...]:
    """This will decide some questions by a policy alone: each with the decision in words.

    They are what somebody curious would ask: lines, a name, a single value, what lies off the grid.
    """
    mode = next(iter(policy.modes), None)
    if mode is None or find_fault(policy) is not None:
        return ()
    told = []
    for text in tuple(dict.fromkeys(_questions(policy)))[:_TRIED_MOST]:
        said = (one.refusal for one in sql.consider_query(text, policy, mode))
        refusal = next((one for one in said if one is not None), None)
        words = (
            desk.text("ui.reveals.would_answer")
            if refusal is None
            else explain(refusal, desk.visit.language).title
        )
        told.append((" ".join(text.split()), words, refusal is None))
    return tuple(told)


def _questions(policy: QueryPolicy) -> Iterator[str]:
    yield draw_example(policy)
    for table in policy.tables:
        yield f"SELECT * FROM {table.name}"  # noqa: S608  # only read, and refused
        if table.entity is not None:
            yield f"SELECT count(DISTINCT {table.entity}) AS n FROM {table.name}"  # noqa: S608  # only read
        for one in table.columns:
            if one.role in _HIDDEN:
                yield f"SELECT {one.name}, count(*) AS n FROM {table.name} GROUP BY {one.name}"  # noqa: S608  # only read
            between = _between(one)
            if between is not None:
                yield f"SELECT count(*) AS n FROM {table.name} WHERE {one.name} >= {between}"  # noqa: S608  # only read


def _between(column: GovernedColumn) -> int | None:
    """A whole number that is no edge of a band."""
    if column.grid is None or column.grid.kind is not GridKind.BANDS:
        return None
    if column.kind is not Kind.INTEGER:
        return None
    gap = next((low for low, high in pairwise(edges_of(column)) if high - low > 1), None)
    return None if gap is None else gap + 1


def _step(column: GovernedColumn) -> str:
    """How a query groups by a column on its grid."""
    assert column.grid is not None, "it is on the grid"
    if column.grid.kind is GridKind.MONTH:
        return f"date_trunc('month', {column.name})"
    return f"year({column.name})" if column.grid.kind is GridKind.YEAR else column.name


def _open_file(
    desk: Desk, policy: gate.OpenFilePolicy, columns: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    named = [columns.get((policy.resource, one), one) for one in policy.columns]
    yield desk.text("ui.reveals.open_file", columns=desk.series(named))
    yield desk.text("ui.reveals.open_for_ever")
