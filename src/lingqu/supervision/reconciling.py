# SPDX-License-Identifier: Apache-2.0
"""对账 reconciliation: meter = bill = ledger, for one contract and period, as a recorded finding.

What is compared belongs to the period by the day of the calls, also what the ledger posted for them
after midnight; money that no charge accounts for belongs to the day it was posted. Each result is a
fact, also where everything agrees; where something differs the same transaction opens a case about
the contract, from which a supervisor may hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lingqu import gate, ledger, market, trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.market import bills, settlement
from lingqu.runtime import Caller, Database, Tx, new_id
from lingqu.runtime.calendar import shift_days, start_of_day
from lingqu.supervision.attempts import require_sight
from lingqu.supervision.cases import CaseId, CaseKind, begin_case
from lingqu.supervision.following import METERED

DIFFERENCES_MAX = 1_000
"""Most differences that are kept of one reconciliation; `found` counts all."""
TRACED_MAX = 20
"""Most calls that a fact names."""
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


_UNBOOKED = """
    SELECT batch FROM supervision.flow
    WHERE contract = %(contract)s AND at >= %(start)s AND at < %(end)s AND answered > 0
      AND batch NOT IN (SELECT metered FROM market.pub_charge_batch WHERE contract = %(contract)s)
    ORDER BY batch
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

    What differs is said by `market.bills.find_differences` and by nothing else. Here is what only
    supervision can do: find what was metered and never booked by following the log on its own,
    keep the sums and the differences as evidence, and open the case. Raises ContractNotFound,
    BadPeriod, NotFollowedYet, IdTaken.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.FLOW)
    if not 0 < (ends - begins).days <= YEAR:
        raise BadPeriod(begins=begins.isoformat(), ends=ends.isoformat())
    deal = market.get_contract(tx, contract)
    settlement.keep_still(tx, contract)
    require_followed(tx)
    booked = settlement.find_batches(tx, contract=contract, begins=begins, ends=ends)
    meter = _meter(tx, contract, begins, ends, booked)
    found = bills.find_differences(tx, contract=contract, begins=begins, ends=ends, metered=meter)
    sums = _sums(tx, deal, begins, ends, booked, meter)
    return _recorded(tx, id=reconciliation, contract=contract, sums=sums, found=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    begins: date
    ends: date
    batches: int
    calls: int
    metered: int
    billed: int
    posted: int
    short: int


def _sums(
    tx: Tx,
    deal: market.Contract,
    begins: date,
    ends: date,
    booked: Sequence[settlement.ChargeBatch],
    meter: Sequence[bills.MeteredBatch],
) -> _Sums:
    """What meter, bill and ledger each come to, added up apart from each other."""
    counted = {one.metered: one.counted for one in booked}
    priced = [
        charge.amount
        for one in meter
        if one.batch in counted
        for charge in settlement.price_batch(
            deal.schedule, counted=counted[one.batch], calls=one.calls
        )
    ]
    transfers = [one.transfer for one in booked if one.transfer is not None]
    entries = ledger.find_entries(tx, transfers=transfers)
    bill = bills.get_bill(tx, contract=deal.id, begins=begins, ends=ends)
    return _Sums(
        begins=begins,
        ends=ends,
        batches=len(meter),
        calls=sum(call.refusal is None for one in meter for call in one.calls),
        metered=sum(priced),
        billed=bill.charged,
        posted=sum(one.amount for one in entries if one.outcome is ledger.Outcome.ACCEPTED),
        short=sum(one.amount - one.posted for one in booked),
    )


def _recorded(
    tx: Tx,
    *,
    id: ReconciliationId,  # noqa: A002  # the name of the field
    contract: market.ContractId,
    sums: _Sums,
    found: Sequence[bills.Difference],
) -> Reconciliation:
    case = None
    if found:
        case = CaseId.of(id.uuid)
        summary = f"{sums.begins} – {sums.ends}: {len(found)}"
        begin_case(tx, case=case, kind=CaseKind.RECONCILIATION, subject=contract, summary=summary)
    made = Reconciliation(
        id=id,
        contract=contract,
        begins=sums.begins,
        ends=sums.ends,
        batches=sums.batches,
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
            begins=sums.begins,
            ends=sums.ends,
            calls=sums.calls,
            metered=sums.metered,
            billed=sums.billed,
            posted=sums.posted,
            short=sums.short,
            found=len(found),
            traced=tuple(traced)[:TRACED_MAX],
            case=case,
        ),
    )
    return made


def reconcile_day(database: Database, caller: Caller, *, day: date) -> tuple[Reconciliation, ...]:
    """This will reconcile every contract that was used or charged on a day, one by one.

    Raises AccessDenied, NotFollowedYet.
    """
    after = shift_days(day, 1)
    start, end = start_of_day(day), start_of_day(after)
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
            ends=after,
        )
        for row in rows
    )


def require_followed(tx: Tx) -> None:
    """This will go on only where every metered batch is known here. Raises NotFollowedYet."""
    if tx.one(_BEHIND, (METERED,))["behind"]:
        raise NotFollowedYet


def read_differences(made: Reconciliation) -> tuple[bills.Difference, ...]:
    """This will give the differences that are kept of a reconciliation."""
    return tuple(from_plain(bills.Difference, one) for one in canon.decode(made.differences))


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


def _meter(
    tx: Tx,
    contract: market.ContractId,
    begins: date,
    ends: date,
    booked: Sequence[settlement.ChargeBatch],
) -> tuple[bills.MeteredBatch, ...]:
    """What was metered of the batches booked in the period, and of those never booked."""
    start, end = start_of_day(begins), start_of_day(ends)
    rows = tx.all(_UNBOOKED, {"contract": contract, "start": start, "end": end})
    names = dict.fromkeys([*(one.metered for one in booked), *(row["batch"] for row in rows)])
    found = [metered_batch(tx, gate.MeterBatchId(name)) for name in names if _is_metered(name)]
    return tuple(one for one in found if one.calls)


def _is_metered(name: str) -> bool:
    return name.startswith(f"{gate.MeterBatchId.prefix}_")


def metered_batch(tx: Tx, batch: gate.MeterBatchId) -> bills.MeteredBatch:
    """This will put a metered batch as charging reads it."""
    calls = gate.find_batch_calls(tx, batch)
    return bills.MeteredBatch(batch=batch, calls=tuple(chargeable(one) for one in calls))


def chargeable(call: gate.MeteredCall) -> settlement.MeteredCall:
    """This will put a metered call as charging reads it: 是 (once too), 否, 未知, or refused."""
    is_unknown = call.outcome == gate.Answer.UNKNOWN.value
    return settlement.MeteredCall(
        call=call.call,
        at=call.at,
        yes=call.hits,
        no=0 if is_unknown else call.misses,
        unknown=call.misses if is_unknown else 0,
        refusal=call.refusal,
    )
