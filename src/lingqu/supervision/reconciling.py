# SPDX-License-Identifier: Apache-2.0
"""对账 reconciliation: meter = bill = ledger, for one contract and period, as a recorded finding.

What is compared belongs to the period by the day it was booked; what was metered and never charged
belongs to the day it was metered. Each result is a fact, also where everything agrees; where
something differs the same transaction opens a case about the contract, from which a supervisor may
hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lingqu import gate, ledger, market, trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.market import settlement
from lingqu.runtime import Caller, Database, Tx, new_id
from lingqu.runtime.calendar import start_of_day
from lingqu.supervision.attempts import require_sight
from lingqu.supervision.cases import CaseId, CaseKind, begin_case
from lingqu.supervision.comparing import (
    BatchView,
    Difference,
    Disagreement,
    Sums,
    add_sums,
    compare_batch,
)
from lingqu.supervision.following import METERED

DIFFERENCES_MAX = 1_000
"""Most differences that are kept of one reconciliation; `found` counts all."""
YEAR = 366
"""Most days that are compared at once."""


class ReconciliationId(Id):
    """The id of one reconciliation."""

    prefix = "rcl"


class ReconciliationNotFound(errors.NotFound):
    """There is no such reconciliation, or the caller may not know of it."""

    code = "supervision.reconciliation.not_found"


class BadPeriod(errors.Rejected):
    """A period begins before it ends and is at most a year long."""

    code = "supervision.reconciliation.bad_period"


class NotFollowedYet(errors.Unavailable):
    """Supervision has not read the log as far as the last metering; ask again in a moment."""

    code = "supervision.following.behind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What was compared of a contract, from the day `begins` to before the day `ends`, in fen.

    `metered` is what the metered calls cost by the fee schedule, `billed` what was charged,
    `posted` what the ledger moved, `short` what of it was not paid. `differences` is canonical JSON
    of the first ones, `found` counts all; `case_id` is the case they opened.
    """

    id: ReconciliationId
    contract: market.ContractId
    begins: date
    ends: date
    batches: int
    calls: int
    metered: int
    billed: int
    posted: int
    short: int
    differences: str
    found: int
    case_id: CaseId | None
    made_at: Instant
    version: int = 1

    @property
    def agrees(self) -> bool:
        """Whether meter, bill and ledger are the same."""
        return self.found == 0


RECONCILIATIONS = trust.Table(
    "supervision.reconciliation", Reconciliation, not_found=ReconciliationNotFound
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractReconciled(trust.Fact):
    """Meter, bill and ledger of a contract were compared; `traced` names the calls that differ."""

    kind = "supervision.contract.reconciled"
    reconciliation: ReconciliationId
    contract: market.ContractId
    begins: date
    ends: date
    calls: int
    metered: int
    billed: int
    posted: int
    short: int
    found: int
    traced: tuple[str, ...]
    case: CaseId | None


_BATCHES = """
    SELECT f.batch FROM supervision.flow f
    LEFT JOIN market.pub_charge_batch c ON c.metered = f.batch
    WHERE f.contract = %(contract)s
      AND CASE WHEN c.day IS NULL THEN f.at >= %(start)s AND f.at < %(end)s
               ELSE c.day >= %(begins)s AND c.day < %(ends)s END
    ORDER BY f.batch
"""
_LATE = """
    SELECT id FROM market.pub_late_payment WHERE contract = %s AND day >= %s AND day < %s
"""
_ACTIVE = """
    SELECT contract FROM market.pub_charge_batch WHERE day = %(day)s
    UNION
    SELECT contract FROM supervision.flow
    WHERE contract IS NOT NULL AND at >= %(start)s AND at < %(end)s
    ORDER BY contract
"""
_BEHIND = """
    SELECT EXISTS (
        SELECT 1 FROM trust.pub_fact f
        WHERE f.kind = %s AND NOT EXISTS (SELECT 1 FROM supervision.flow w WHERE w.fact = f.id)
    ) AS behind
"""


@trust.command("supervision.contract.reconcile")
def reconcile_contract(
    tx: Tx,
    *,
    reconciliation: ReconciliationId,
    contract: market.ContractId,
    begins: date,
    ends: date,
) -> Reconciliation:
    """This will compare meter, bill and ledger of a contract and open a case where they differ.

    Raises ContractNotFound, BadPeriod, NotFollowedYet, IdTaken.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.FLOW)
    if not begins < ends <= begins + timedelta(days=YEAR):
        raise BadPeriod(begins=begins.isoformat(), ends=ends.isoformat())
    deal = market.get_contract(tx, contract)
    if tx.one(_BEHIND, (METERED,))["behind"]:
        raise NotFollowedYet
    views = _views(tx, deal, begins, ends)
    transfers = [one.charge.transfer for one in views if one.charge and one.charge.transfer]
    known = ledger.find_entries(tx, transfers=transfers)
    entries: dict[str, ledger.Entry] = {one.transfer: one for one in known}
    compared = [compare_batch(deal.schedule, view, entries) for view in views]
    found = [one for _, some in compared for one in some]
    found += _unknown_postings(tx, deal, begins, ends, entries)
    return _recorded(
        tx,
        id=reconciliation,
        contract=contract,
        period=(begins, ends),
        batches=len(views),
        sums=add_sums([sums for sums, _ in compared]),
        found=found,
    )


def _recorded(
    tx: Tx,
    *,
    id: ReconciliationId,  # noqa: A002  # the name of the field
    contract: market.ContractId,
    period: tuple[date, date],
    batches: int,
    sums: Sums,
    found: Sequence[Difference],
) -> Reconciliation:
    begins, ends = period
    case = None
    if found:
        case = CaseId.of(id.uuid)
        summary = f"{begins} – {ends}: {len(found)}"
        begin_case(tx, case=case, kind=CaseKind.RECONCILIATION, subject=contract, summary=summary)
    made = Reconciliation(
        id=id,
        contract=contract,
        begins=begins,
        ends=ends,
        batches=batches,
        calls=sums.calls,
        metered=sums.metered,
        billed=sums.billed,
        posted=sums.posted,
        short=sums.short,
        differences=canon.encode(to_plain(tuple(found[:DIFFERENCES_MAX]))).decode(),
        found=len(found),
        case_id=case,
        made_at=tx.now,
    )
    RECONCILIATIONS.insert(tx, made)
    traced = dict.fromkeys(one.call for one in found if one.call is not None)
    trust.record(
        tx,
        ContractReconciled(
            reconciliation=id,
            contract=contract,
            begins=begins,
            ends=ends,
            calls=sums.calls,
            metered=sums.metered,
            billed=sums.billed,
            posted=sums.posted,
            short=sums.short,
            found=len(found),
            traced=tuple(traced)[:20],
            case=case,
        ),
    )
    return made


def reconcile_day(database: Database, caller: Caller, *, day: date) -> tuple[Reconciliation, ...]:
    """This will reconcile every contract that was used or charged on a day, one by one.

    Raises AccessDenied, NotFollowedYet.
    """
    start, end = start_of_day(day), start_of_day(day + timedelta(days=1))
    with database.reading(caller) as tx:
        require_sight(tx)
        rows = tx.all(_ACTIVE, {"day": day, "start": start, "end": end})
    return tuple(
        trust.execute(
            database,
            reconcile_contract,
            caller,
            new_id(trust.CommandId),
            reconciliation=new_id(ReconciliationId),
            contract=market.ContractId(row["contract"]),
            begins=day,
            ends=day + timedelta(days=1),
        )
        for row in rows
    )


def read_differences(made: Reconciliation) -> tuple[Difference, ...]:
    """This will give the differences that are kept of a reconciliation."""
    return tuple(from_plain(Difference, one) for one in canon.decode(made.differences))


def get_reconciliation(tx: Tx, reconciliation: ReconciliationId) -> Reconciliation:
    """This will read a reconciliation. Raises AccessDenied, ReconciliationNotFound."""
    require_sight(tx)
    return RECONCILIATIONS.get(tx, reconciliation)


def find_reconciliations(
    tx: Tx,
    *,
    page: PageRequest,
    contract: market.ContractId | None = None,
    only_different: bool = False,
) -> Page[Reconciliation]:
    """This will list reconciliations, newest first. Raises AccessDenied."""
    require_sight(tx)
    tail = (
        "WHERE (%s::text IS NULL OR contract = %s) AND (NOT %s OR found > 0)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    values = (contract, contract, only_different, page.key, page.key, page.size + 1)
    found = RECONCILIATIONS.find(tx, tail, values)
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _views(tx: Tx, deal: market.Contract, begins: date, ends: date) -> list[BatchView]:
    """What meter and bill have of each batch: those metered first, then those charged alone."""
    start, end = start_of_day(begins), start_of_day(ends)
    period = {"contract": deal.id, "begins": begins, "ends": ends, "start": start, "end": end}
    metered = [row["batch"] for row in tx.all(_BATCHES, period)]
    charged = settlement.find_batches(tx, contract=deal.id, begins=begins, ends=ends)
    lines = _by_batch(settlement.find_lines(tx, contract=deal.id, begins=begins, ends=ends))
    by_metered = {one.metered: one for one in charged}
    alone = [name for name in by_metered if name not in {*metered}]
    return [_view(tx, name, by_metered.get(name), lines) for name in (*metered, *alone)]


def _view(
    tx: Tx,
    metered: str,
    charge: settlement.ChargeBatch | None,
    lines: Mapping[str, Sequence[settlement.ChargeLine]],
) -> BatchView:
    known = metered.startswith(f"{gate.MeterBatchId.prefix}_")
    calls = gate.find_batch_calls(tx, gate.MeterBatchId(metered)) if known else ()
    mine = () if charge is None else lines.get(charge.id, ())
    return BatchView(metered=metered, calls=calls, charge=charge, lines=tuple(mine))


def _by_batch(
    lines: Iterable[settlement.ChargeLine],
) -> dict[str, list[settlement.ChargeLine]]:
    found: dict[str, list[settlement.ChargeLine]] = {}
    for one in lines:
        found.setdefault(one.batch, []).append(one)
    return found


def _unknown_postings(
    tx: Tx, deal: market.Contract, begins: date, ends: date, entries: Mapping[str, ledger.Entry]
) -> list[Difference]:
    """Money that came to the contract's charges in the period and that no charge accounts for."""
    if deal.charged is None:
        return []
    late = {row["id"] for row in tx.all(_LATE, (deal.id, begins, ends))}
    found, page = [], PageRequest(size=500)
    while True:
        lines = ledger.find_transfers(tx, account=deal.charged, page=page)
        for one in lines.items:
            known = one.transfer in entries or one.transfer in late
            if one.moved > 0 and begins <= one.day < ends and not known:
                found.append(
                    Difference(
                        what=Disagreement.POSTING_UNKNOWN,
                        batch=one.transfer,
                        call=None,
                        expected=0,
                        found=one.moved,
                    )
                )
        if lines.next is None:
            return found
        page = PageRequest(size=500, after=lines.next)
