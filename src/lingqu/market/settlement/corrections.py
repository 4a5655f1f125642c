# SPDX-License-Identifier: Apache-2.0
"""What was charged wrongly is given back by a counter-posting with its reason, never changed.

What was not paid yet is waived; the rest goes back to the buyer's free funds out of an account of
the contract's own, whether or not the money was shared out by then: the next settlement makes that
account up before it shares anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.market.contracts import ContractId, get_contract, lock_contract
from lingqu.market.settlement.charges import get_charge
from lingqu.market.settlement.tallies import BadAmount, Tally, begin_tally, save_tally
from lingqu.runtime import Tx, new_id

REASON_MAX = 500
REFERENCE_MAX = 100
REFUND = "market.refund"
"""The kind of the transfers that give back, and of those that make up for them."""


class CorrectionId(Id):
    """The id of one correction of a charge."""

    prefix = "cor"


class MoreThanCharged(errors.Conflict):
    """More would be given back for the call than it was charged."""

    code = "market.correction.too_much"


class BadCorrection(errors.Rejected):
    """A correction says why, and refers to what it rests on (a complaint, a letter)."""

    code = "market.correction.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A part of a charge that was taken back: `waived` of `amount` was not paid yet."""

    id: CorrectionId
    contract: ContractId
    call: str
    amount: int
    waived: int
    transfer: ledger.TransferId | None
    reason: str
    reference: str
    day: date
    corrected_by: trust.AccountId
    corrected_at: Instant
    version: int = 1


CORRECTIONS = trust.Table("market.correction", Correction)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeCorrected(trust.Fact):
    """A charge was corrected by a counter-posting."""

    kind = "market.charge.corrected"
    correction: CorrectionId
    contract: ContractId
    call: str
    amount: int
    waived: int
    transfer: ledger.TransferId | None


@trust.command("market.charge.correct")
def correct_charge(
    tx: Tx,
    *,
    correction: CorrectionId,
    contract: ContractId,
    call: str,
    amount: int,
    reason: str,
    reference: str,
) -> Correction:
    """This will take back `amount` fen of what a call was charged.

    Raises ContractNotFound, ChargeNotFound, BadAmount, BadCorrection, MoreThanCharged.
    """
    deal = lock_contract(tx, contract)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.CHARGE, owner=deal.venue)
    if type(amount) is not int or not 1 <= amount <= ledger.AMOUNT_MAX:
        raise BadAmount(amount=str(amount)[:40])
    line = get_charge(tx, contract=contract, call=call)
    before = CORRECTIONS.find(tx, "WHERE contract = %s AND call = %s", (contract, line.call))
    left = line.amount - sum(one.amount for one in before)
    if amount > left:
        raise MoreThanCharged(call=line.call, amount=amount, left=left)
    known = begin_tally(tx, deal)
    waived = min(amount, known.short)
    known, refunds = _refunds(tx, known, needed=amount > waived)
    transfer = None
    if amount > waived:
        assert refunds is not None, "it was opened above"
        assert deal.funds is not None, "what was paid came from there"
        transfer = _give_back(tx, refunds, deal.funds, amount - waived, correction)
    after = replace(
        known,
        short=known.short - waived,
        waived=known.waived + waived,
        refunded=known.refunded + amount - waived,
    )
    save_tally(tx, known, after)
    made = CORRECTIONS.insert(
        tx,
        Correction(
            id=correction,
            contract=contract,
            call=line.call,
            amount=amount,
            waived=waived,
            transfer=transfer,
            reason=_text(reason, "reason", REASON_MAX),
            reference=_text(reference, "reference", REFERENCE_MAX),
            day=ledger.local_day(tx.now),
            corrected_by=trust.AccountId(str(tx.caller.account)),
            corrected_at=tx.now,
        ),
    )
    trust.record(
        tx,
        ChargeCorrected(
            correction=correction,
            contract=contract,
            call=line.call,
            amount=amount,
            waived=waived,
            transfer=transfer,
        ),
    )
    return made


def find_corrections(
    tx: Tx, *, contract: ContractId, begins: date, ends: date
) -> tuple[Correction, ...]:
    """This will list what was taken back of a contract the caller may see, day by day.

    From a day to before another. Raises ContractNotFound.
    """
    get_contract(tx, contract)
    tail = "WHERE contract = %s AND day >= %s AND day < %s ORDER BY id"
    return CORRECTIONS.find(tx, tail, (contract, begins, ends))


def _refunds(tx: Tx, known: Tally, *, needed: bool) -> tuple[Tally, ledger.LedgerAccountId | None]:
    """The account that gives back: below zero until the next settlement makes it up."""
    if known.refunds is not None or not needed:
        return known, known.refunds
    account = new_id(ledger.LedgerAccountId)
    opened = ledger.NewAccount(id=account, owner=known.contract, kind=REFUND, floor=None, ceiling=0)
    ledger.open_accounts(tx, accounts=(opened,))
    return replace(known, refunds=account), account


def _give_back(
    tx: Tx,
    refunds: ledger.LedgerAccountId,
    funds: ledger.LedgerAccountId,
    amount: int,
    correction: CorrectionId,
) -> ledger.TransferId:
    back = ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=refunds,
        credit=funds,
        amount=amount,
        kind=REFUND,
        reference=correction,
    )
    ledger.post_transfers(tx, transfers=[back])
    return back.id


def _text(text: str, part: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadCorrection(part=part)
    return plain
