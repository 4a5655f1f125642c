# SPDX-License-Identifier: Apache-2.0
"""监管报表: the monthly report of the venue's trade, out of the records, and as files for people.

A report keeps its figures as they were computed, over whole days, with where each comes from. Its
files are drawn from these figures and from nothing else, so that a report gives the same bytes
whenever it is drawn; `is_reproduced` adds the figures up again.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import Tx, documents
from lingqu.runtime.calendar import local_day, shift_days, shift_months
from lingqu.runtime.i18n import Language, translate
from lingqu.supervision.figures import Figure, Unit, compute_figures
from lingqu.supervision.reconciling import require_followed
from lingqu.trust import rulebook

RULE = "venue.monthly_report_day"
LANGUAGE: Language = "zh-CN"
"""Official papers are in Chinese."""


class ReportId(Id):
    """The id of one monthly report."""

    prefix = "rpt"


class ReportNotFound(errors.NotFound):
    """There is no such report, or the caller may not know of it."""

    code = "supervision.report.not_found"


class TooEarly(errors.Conflict):
    """No day of the month is over yet."""

    code = "supervision.report.too_early"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report of the days of `month` (its first day) before the day `ends`, made by `issuer`.

    `figures` is canonical JSON, `digest` its SHA-256; `due_on` is the day it is due, by the article
    `rule`, where the region has such a rule.
    """

    id: ReportId
    month: date
    ends: date
    issuer: trust.PartyId
    figures: str
    digest: str
    due_on: date | None
    rule: str | None
    made_at: Instant
    version: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether the month was over."""
        return self.ends == shift_months(self.month, 1)


REPORTS = trust.Table("supervision.report", Report, not_found=ReportNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMade(trust.Fact):
    """A monthly report was made; the digest is of its figures."""

    kind = "supervision.report.made"
    report: ReportId
    month: date
    ends: date
    issuer: trust.PartyId
    digest: str


COLUMNS = (
    documents.SheetColumn(name="title", zh="指标名称"),
    documents.SheetColumn(name="unit", zh="计量单位"),
    documents.SheetColumn(name="month", zh="本月", kind=documents.CellKind.DECIMAL),
    documents.SheetColumn(name="before", zh="上月", kind=documents.CellKind.DECIMAL),
    documents.SheetColumn(name="year_ago", zh="上年同期", kind=documents.CellKind.DECIMAL),
    documents.SheetColumn(
        name="change", zh="同比（%）", kind=documents.CellKind.DECIMAL, optional=True
    ),
    documents.SheetColumn(name="year", zh="本年累计", kind=documents.CellKind.DECIMAL),
    documents.SheetColumn(name="origin", zh="数据来源"),
)
"""The official names of the report's columns."""


@trust.command("supervision.report.make")
def make_report(tx: Tx, *, report: ReportId, month: date, issuer: trust.PartyId) -> Report:
    """This will make the report of a month, of its whole days until now.

    `month` is any day of it. Raises PartyNotFound, TooEarly, NotFollowedYet, IdTaken.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.REPORT)
    first = month.replace(day=1)
    ends = min(shift_months(first, 1), local_day(tx.now))
    if ends <= first:
        raise TooEarly(month=f"{first:%Y-%m}")
    trust.get_party(tx, issuer)
    require_followed(tx)
    due_on, rule = _due(tx, first)
    figures = _text_of(compute_figures(tx, month=first, ends=ends))
    made = Report(
        id=report,
        month=first,
        ends=ends,
        issuer=issuer,
        figures=figures,
        digest=hashlib.sha256(figures.encode()).hexdigest(),
        due_on=due_on,
        rule=rule,
        made_at=tx.now,
    )
    REPORTS.insert(tx, made)
    trust.record(
        tx,
        ReportMade(report=report, month=first, ends=ends, issuer=issuer, digest=made.digest),
    )
    return made


def get_report(tx: Tx, report: ReportId) -> Report:
    """This will read a report; raises ReportNotFound also where the caller may not see it."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.REPORT):
        raise ReportNotFound(id=report)
    return REPORTS.get(tx, report)


def find_reports(tx: Tx, *, page: PageRequest, month: date | None = None) -> Page[Report]:
    """This will list reports, newest first. Raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.REPORT):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.REPORT.value)
    first = None if month is None else month.replace(day=1)
    tail = (
        "WHERE (%s::date IS NULL OR month = %s) AND (%s::text IS NULL OR id < %s)"
        " ORDER BY id DESC LIMIT %s"
    )
    found = REPORTS.find(tx, tail, (first, first, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def read_figures(report: Report) -> tuple[Figure, ...]:
    """This will give the figures of a report in their order."""
    return tuple(from_plain(Figure, one) for one in canon.decode(report.figures))


def is_reproduced(tx: Tx, report: Report) -> bool:
    """This will say whether the records give the figures of a report when added up again."""
    again = compute_figures(tx, month=report.month, ends=report.ends)
    return _text_of(again) == report.figures


def write_report(report: Report) -> bytes:
    """This will write a report as a workbook with the official names of its columns."""
    target = io.BytesIO()
    rows = [
        {
            "title": _word("indicator", one.code),
            "unit": _unit(one),
            "month": _value(one, one.month),
            "before": _value(one, one.before),
            "year_ago": _value(one, one.year_ago),
            "change": _change(one),
            "year": _value(one, one.year),
            "origin": _word("origin", one.origin.value),
        }
        for one in read_figures(report)
    ]
    documents.write_sheet(target, title=f"{report.month:%Y-%m}", columns=COLUMNS, rows=rows)
    return target.getvalue()


def report_paper(tx: Tx, report: Report) -> documents.Paper:
    """This will give a report as a letter; the issuer's name is read from the register."""
    name = trust.get_party(tx, report.issuer).name or report.issuer
    data: dict[str, object] = {
        "issuer": name,
        "number": f"{report.month:%Y%m}-{report.id[-6:]}",
        "dated_on": local_day(report.made_at).isoformat(),
        "begins_on": report.month.isoformat(),
        "ends_on": shift_days(report.ends, -1).isoformat(),
        "digest": report.digest,
        "rows": [
            {
                "title": _word("indicator", one.code),
                "unit": _unit(one),
                "month": _shown(one, one.month),
                "before": _shown(one, one.before),
                "year_ago": _shown(one, one.year_ago),
                "year": _shown(one, one.year),
                "origin": _word("origin", one.origin.value),
            }
            for one in read_figures(report)
        ],
    }
    if report.rule is not None and report.due_on is not None:
        data |= {"rule": report.rule, "due_on": report.due_on.isoformat()}
    return documents.Paper(
        template="monthly_report", data=data, subject=report.id, sealers=(report.issuer,)
    )


def _due(tx: Tx, month: date) -> tuple[date | None, str | None]:
    """The day a report of a month is due in the next one, where the region has such a rule."""
    book = rulebook.of(tx).on(month)
    try:
        found = book.constant(RULE)
    except (rulebook.RuleNotFound, rulebook.RuleIsOff):
        return None, None
    return shift_months(month, 1).replace(day=found.amount), found.rule.citation


def _text_of(figures: tuple[Figure, ...]) -> str:
    return canon.encode(to_plain(figures)).decode()


def _word(kind: str, code: str) -> str:
    return translate(f"supervision.{kind}.{code}", LANGUAGE)


def _unit(figure: Figure) -> str:
    return _word("unit", figure.unit.value)


def _value(figure: Figure, value: int) -> Decimal:
    """Money in yuan; it is kept in fen."""
    return Decimal(value).scaleb(-2) if figure.unit is Unit.FEN else Decimal(value)


def _shown(figure: Figure, value: int) -> str:
    return f"{_value(figure, value):,}"


def _change(figure: Figure) -> Decimal | None:
    """The change against a year ago in per cent, None where there was nothing."""
    if not figure.year_ago:
        return None
    change = Decimal(figure.month - figure.year_ago) * 100 / Decimal(figure.year_ago)
    return change.quantize(Decimal("0.01"))
