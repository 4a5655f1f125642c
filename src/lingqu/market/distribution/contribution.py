# SPDX-License-Identifier: Apache-2.0
"""贡献度 contribution: how much the tables of each source body were part of what was answered.

It is measured by answers and by columns: each answered subject counts once for every column of a
table that the product may read, so a table read with three columns weighs three times one
read with one. A report for the public finance office to judge by; never money, never points.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from lingqu import ledger, rights, supply, trust
from lingqu.kernel import errors
from lingqu.kernel.money import apportion
from lingqu.market.distribution.names import party_names
from lingqu.market.venues import get_venue
from lingqu.runtime import Tx, documents
from lingqu.runtime.documents import CellKind, SheetColumn

DAYS_MAX = 400
PARTS = 10_000
"""Shares are in hundredths of a percent and add up to so many."""
COLUMNS = (
    SheetColumn(name="body", zh="数据提供单位"),
    SheetColumn(name="table", zh="数据资源"),
    SheetColumn(name="columns", zh="使用字段数", kind=CellKind.INTEGER),
    SheetColumn(name="calls", zh="调用次数", kind=CellKind.INTEGER),
    SheetColumn(name="units", zh="应答数量", kind=CellKind.INTEGER),
    SheetColumn(name="share", zh="贡献度（%）", kind=CellKind.DECIMAL),
)


class BadReport(errors.Rejected):
    """A report is about 1 to 400 days, from a day to before another."""

    code = "market.contribution.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionLine:
    """What one resource of a body was part of; `share` in hundredths of a percent."""

    body: trust.PartyId
    resource: supply.ResourceId
    title: str
    columns: int
    calls: int
    answers: int
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """The contributions to what a venue's contracts were answered from a day to before another."""

    venue: trust.PartyId
    begins: date
    ends: date
    calls: int
    answers: int
    lines: tuple[ContributionLine, ...]


_USED = """
    SELECT b.contract, l.terms, sum(b.calls)::bigint AS calls, sum(b.answered)::bigint AS answers
    FROM market.charge_batch b JOIN market.contract c ON c.id = b.contract
    JOIN market.listing l ON l.id = c.listing
    WHERE c.venue = %s AND b.day >= %s AND b.day < %s
    GROUP BY b.contract, l.terms ORDER BY b.contract
"""


def get_contribution(tx: Tx, *, venue: trust.PartyId, begins: date, ends: date) -> Contribution:
    """This will measure what each resource was part of at a venue, largest share first.

    Raises VenueNotFound, AccessDenied, BadReport.
    """
    get_venue(tx, venue)
    action, kind = trust.Action.READ, trust.Kind.SETTLEMENT
    if not trust.is_allowed(tx, action, kind, owner=venue):
        raise trust.AccessDenied(action=action.value, kind=kind.value)
    if not begins < ends <= begins + timedelta(days=DAYS_MAX):
        raise BadReport(begins=begins.isoformat(), ends=ends.isoformat(), most=DAYS_MAX)
    rows = tx.all(_USED, (venue, begins, ends))
    sums: dict[str, tuple[int, int, int, int]] = {}
    for row in rows:
        for resource, columns in _columns(row["terms"]).items():
            most, calls, answers, weight = sums.get(resource, (0, 0, 0, 0))
            sums[resource] = (
                max(most, columns),
                calls + row["calls"],
                answers + row["answers"],
                weight + columns * row["answers"],
            )
    return Contribution(
        venue=venue,
        begins=begins,
        ends=ends,
        calls=sum(row["calls"] for row in rows),
        answers=sum(row["answers"] for row in rows),
        lines=_lines(tx, sums),
    )


def contribution_paper(
    tx: Tx, *, venue: trust.PartyId, begins: date, ends: date
) -> documents.Paper:
    """This will give the report to be printed. Raises what `get_contribution` raises."""
    found = get_contribution(tx, venue=venue, begins=begins, ends=ends)
    names = party_names(tx, (venue, *(one.body for one in found.lines)))
    last = ends - timedelta(days=1)
    data: dict[str, object] = {
        "issuer": names[venue],
        "number": f"{begins:%Y%m%d}-{last:%Y%m%d}",
        "dated_on": ledger.local_day(tx.now).isoformat(),
        "venue": names[venue],
        "begins_on": begins.isoformat(),
        "ends_on": last.isoformat(),
        "units": found.answers,
    }
    if found.lines:
        data["rows"] = [
            {
                "body": names[one.body],
                "table": one.title,
                "columns": one.columns,
                "calls": one.calls,
                "units": one.answers,
                "share": f"{_percent(one.share)}%",
            }
            for one in found.lines
        ]
    return documents.Paper(template="contribution", data=data, subject=venue, sealers=(venue,))


def write_contribution(tx: Tx, *, venue: trust.PartyId, begins: date, ends: date) -> bytes:
    """This will write the report as a workbook. Raises what `get_contribution` raises."""
    found = get_contribution(tx, venue=venue, begins=begins, ends=ends)
    names = party_names(tx, [one.body for one in found.lines])
    rows: list[dict[str, str | int | Decimal]] = [
        {
            "body": names[one.body],
            "table": one.title,
            "columns": one.columns,
            "calls": one.calls,
            "units": one.answers,
            "share": _percent(one.share),
        }
        for one in found.lines
    ]
    target = io.BytesIO()
    documents.write_sheet(target, title="贡献度", columns=COLUMNS, rows=rows)
    return target.getvalue()


def _percent(share: int) -> Decimal:
    return Decimal(share).scaleb(-2)


def _columns(terms: str) -> Mapping[str, int]:
    """How many columns of each resource a product may read, by the terms it was listed with."""
    counted: dict[str, int] = {}
    for name in rights.read_form(terms).fields or ():
        resource, dot, _ = name.partition(".")
        if dot and resource.startswith(f"{supply.ResourceId.prefix}_"):
            counted[resource] = counted.get(resource, 0) + 1
    return counted


def _lines(tx: Tx, sums: Mapping[str, tuple[int, int, int, int]]) -> tuple[ContributionLine, ...]:
    weights = [weight for _, _, _, weight in sums.values()]
    shares = apportion(PARTS, weights) if sum(weights) else [0] * len(weights)
    made = []
    for (resource, (columns, calls, answers, _)), share in zip(sums.items(), shares, strict=True):
        described = supply.get_resource(tx, supply.ResourceId(resource))
        made.append(
            ContributionLine(
                body=described.body,
                resource=described.id,
                title=described.title,
                columns=columns,
                calls=calls,
                answers=answers,
                share=share,
            )
        )
    return tuple(sorted(made, key=lambda one: (-one.share, one.resource)))
