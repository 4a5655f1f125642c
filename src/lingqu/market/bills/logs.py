# SPDX-License-Identifier: Apache-2.0
"""核对 reconciliation: the bill beside the buyer's own log of its calls, each difference by name.

The buyer hands in a workbook with 调用编号, 调用时间 and 金额（元）. Its size is bounded, and a row
that is not sound is named and left out; nothing of it is kept. A difference can be contested: that
opens a complaint with the venue, about the contract, with the call in its title.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lingqu import trust
from lingqu.kernel import errors
from lingqu.market.bills.papers import moment_text, yuan
from lingqu.market.bills.statements import check_span
from lingqu.market.contracts import ContractId, get_contract
from lingqu.market.settlement import ChargeLine, find_lines, get_charge
from lingqu.runtime import Tx, documents
from lingqu.runtime.documents import CellKind, SheetColumn
from lingqu.trust import procedures

ROWS_MAX = 100_000
CHART = "complaint"
LOG_COLUMNS = (
    SheetColumn(name="call", zh="调用编号"),
    SheetColumn(name="at", zh="调用时间", optional=True),
    SheetColumn(name="amount", zh="金额（元）", kind=CellKind.DECIMAL),
)
DIFFERENCE_COLUMNS = (
    SheetColumn(name="call", zh="调用编号"),
    SheetColumn(name="kind", zh="差异"),
    SheetColumn(name="at", zh="调用时间", optional=True),
    SheetColumn(name="ours", zh="平台金额（元）", kind=CellKind.DECIMAL, optional=True),
    SheetColumn(name="theirs", zh="贵方金额（元）", kind=CellKind.DECIMAL, optional=True),
)


class NothingToContest(errors.Rejected):
    """What is contested is another amount than was charged, and not below zero."""

    code = "market.charge.nothing_to_contest"


class LogDifferenceKind(enum.Enum):
    """How a call differs between the bill and the buyer's log."""

    ONLY_OURS = "only_ours"
    """Charged, and not in the log."""
    ONLY_THEIRS = "only_theirs"
    """In the log, and not charged."""
    AMOUNT = "amount"
    """Both have it, with other amounts."""
    TWICE = "twice"
    """It stands in the log more than once; the first row was compared."""


KIND_WORDS: Mapping[LogDifferenceKind, str] = {
    LogDifferenceKind.ONLY_OURS: "仅平台有",
    LogDifferenceKind.ONLY_THEIRS: "仅贵方有",
    LogDifferenceKind.AMOUNT: "金额不一致",
    LogDifferenceKind.TWICE: "贵方重复",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One call as the buyer wrote it down; its amount in fen."""

    call: str
    at: str | None
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDifference:
    """One call that differs, its amounts in fen; None where a side does not have it."""

    kind: LogDifferenceKind
    call: str
    at: str | None
    ours: int | None
    theirs: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A bill beside a log: how many calls each has, how many agree, and what differs.

    `problems` are the rows that could not be read, by row and column.
    """

    ours: int
    theirs: int
    agreeing: int
    ours_minor: int
    theirs_minor: int
    differences: tuple[LogDifference, ...]
    problems: tuple[errors.Rejected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeContested(trust.Fact):
    """A buyer contests what a call was charged."""

    kind = "market.charge.contested"
    contract: ContractId
    call: str
    charged: int
    claimed: int
    procedure: procedures.ProcedureId


def read_log(content: bytes) -> tuple[tuple[LogRow, ...], tuple[errors.Rejected, ...]]:
    """This will read a buyer's log: the sound rows, and what is wrong with the others.

    Raises NotASheet, SheetTooLarge, ColumnMissing, ColumnUnknown.
    """
    limits = documents.SheetLimits(rows=ROWS_MAX)
    reading = documents.read_sheet(content, columns=LOG_COLUMNS, limits=limits)
    rows = []
    for row in reading.rows:
        amount, at = row["amount"], row.get("at")
        assert isinstance(amount, Decimal), "the column is decimal"
        fen = int(amount.scaleb(2))
        text = None if at is None else str(at)
        rows.append(LogRow(call=str(row["call"]).strip(), at=text, amount=fen))
    return tuple(rows), reading.problems


def compare_log(
    ours: Iterable[ChargeLine], theirs: Iterable[LogRow], *, problems: tuple[errors.Rejected, ...]
) -> Reconciliation:
    """This will compare charged calls with a buyer's rows, by the id of each call."""
    rows: dict[str, LogRow] = {}
    found: list[LogDifference] = []
    their_total = their_count = 0
    for row in theirs:
        their_count, their_total = their_count + 1, their_total + row.amount
        if row.call in rows:
            found.append(_differs(LogDifferenceKind.TWICE, row=row))
        else:
            rows[row.call] = row
    our_total = our_count = agreeing = 0
    for line in ours:
        our_count, our_total = our_count + 1, our_total + line.amount
        other = rows.pop(line.call, None)
        if other is None:
            found.append(_differs(LogDifferenceKind.ONLY_OURS, line=line))
        elif other.amount != line.amount:
            found.append(_differs(LogDifferenceKind.AMOUNT, line=line, row=other))
        else:
            agreeing += 1
    found += [_differs(LogDifferenceKind.ONLY_THEIRS, row=one) for one in rows.values()]
    return Reconciliation(
        ours=our_count,
        theirs=their_count,
        agreeing=agreeing,
        ours_minor=our_total,
        theirs_minor=their_total,
        differences=tuple(found),
        problems=problems,
    )


def reconcile_log(
    tx: Tx, *, contract: ContractId, begins: date, ends: date, content: bytes
) -> Reconciliation:
    """This will compare what a contract was charged from a day to before another with a log.

    Raises ContractNotFound, BadSpan, and what `read_log` raises.
    """
    get_contract(tx, contract)
    check_span(begins, ends)
    rows, problems = read_log(content)
    lines = find_lines(tx, contract=contract, begins=begins, ends=ends)
    return compare_log(lines, rows, problems=problems)


def write_differences(found: Reconciliation) -> bytes:
    """This will write what differs as a workbook, a row for each."""
    rows = (
        {
            "call": one.call,
            "kind": KIND_WORDS[one.kind],
            "at": one.at,
            "ours": None if one.ours is None else yuan(one.ours),
            "theirs": None if one.theirs is None else yuan(one.theirs),
        }
        for one in found.differences
    )
    target = io.BytesIO()
    documents.write_sheet(target, title="对账差异", columns=DIFFERENCE_COLUMNS, rows=rows)
    return target.getvalue()


@trust.command("market.charge.contest")
def contest_charge(
    tx: Tx,
    *,
    procedure: procedures.ProcedureId,
    contract: ContractId,
    call: str,
    claimed: int,
) -> procedures.Procedure:
    """This will contest what a call was charged: a complaint of the buyer with the venue.

    `claimed` is what it should cost, in fen. Raises ContractNotFound, ChargeNotFound,
    NothingToContest.
    """
    deal = get_contract(tx, contract)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.PROCEDURE, owner=deal.buyer)
    line = get_charge(tx, contract=contract, call=call)
    if claimed < 0 or claimed == line.amount:
        raise NothingToContest(call=line.call, amount=line.amount)
    opened = procedures.begin_procedure(
        tx,
        procedure=procedure,
        chart=CHART,
        subject=contract,
        title=f"计费异议：{line.call}",
        owner=deal.buyer,
        parts=(
            procedures.Part(role="complainant", party=deal.buyer),
            procedures.Part(role="handler", party=deal.venue),
        ),
    )
    trust.record(
        tx,
        ChargeContested(
            contract=contract,
            call=line.call,
            charged=line.amount,
            claimed=claimed,
            procedure=procedure,
        ),
    )
    return opened


def _differs(
    kind: LogDifferenceKind, *, line: ChargeLine | None = None, row: LogRow | None = None
) -> LogDifference:
    at = moment_text(line.at) if line is not None else None
    return LogDifference(
        kind=kind,
        call=line.call if line is not None else row.call if row is not None else "",
        at=at or (row.at if row is not None else None),
        ours=None if line is None else line.amount,
        theirs=None if row is None else row.amount,
    )
