# SPDX-License-Identifier: Apache-2.0
"""Privacy loss as money: spent before anything is computed, never given back, in the ledger.

Each question under noise moves its price twice, from the dataset's source to what the organisation
spent and to what everybody spent on the dataset; both accounts have a ceiling. The ledger decides,
so no two questions at once spend the same budget. The same question again costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from lingqu import ledger, supply, trust
from lingqu.gate.datasets import lock_dataset
from lingqu.gate.governance import DpTerms
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.runtime import REAL_TIME, Tx

MICRO_RHO = "RHO"
"""The currency of the ledger that privacy loss is counted in, millionths of rho."""
trust.declare(trust.AuditClass.OPERATIONAL, "gate.noise_spent", "gate.noisy_answer")


class BudgetSpent(errors.Conflict):
    """The organisation, or all of them together, spent what there is for this dataset."""

    code = "gate.noise.spent"


class BadBudget(errors.Rejected):
    """A question under noise may cost between the least and the most its policy says."""

    code = "gate.noise.budget"


class NoAnswer(errors.Conflict):
    """The budget of this question was spent, and computing it failed or is still going on."""

    code = "gate.noise.no_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSpent(trust.Fact):
    """The price of a question under noise was taken from its budgets."""

    kind = "gate.noise.spent"
    resource: supply.ResourceId
    holder: trust.PartyId
    question: str
    rho: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseTold(trust.Fact):
    """A question under noise has its answer, of this digest."""

    kind = "gate.noise.told"
    resource: supply.ResourceId
    holder: trust.PartyId
    question: str
    answer: str


def check_budget(rho: int, terms: DpTerms) -> None:
    """This will refuse a price outside of what the policy permits. Raises BadBudget."""
    if not terms.rho_least <= rho <= terms.rho_most:
        raise BadBudget(least=terms.rho_least, most=terms.rho_most)


_ANSWER = """
    SELECT a.answer FROM gate.noise_spent s
    LEFT JOIN gate.noisy_answer a USING (resource, holder, question)
    WHERE s.resource = %s AND s.holder = %s AND s.question = %s
"""
_SPEND = """
    INSERT INTO gate.noise_spent (resource, holder, question, rho, reserved_at)
    VALUES (%s, %s, %s, %s, %s)
"""
_KEEP = """
    INSERT INTO gate.noisy_answer (resource, holder, question, answer, told_at)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def find_noisy(tx: Tx, *, resource: str, holder: str, question: str) -> dict[str, Any] | None:
    """This will give the answer a question got before, None where it was not asked.

    Raises NoAnswer.
    """
    row = tx.maybe(_ANSWER, (resource, holder, question))
    if row is None:
        return None
    if row["answer"] is None:
        raise NoAnswer(resource=resource)
    answer: dict[str, Any] = json.loads(row["answer"])
    return answer


_SPENT = "SELECT coalesce(sum(rho), 0)::bigint AS rho FROM gate.noise_spent WHERE resource = %s"


def find_spent(tx: Tx, resource: str) -> int:
    """This will give what all organisations together spent on a dataset, in millionths of rho."""
    return int(tx.one(_SPENT, (resource,))["rho"])


@trust.command("gate.noise.spend", internal=True)
def spend_noise(
    tx: Tx,
    *,
    resource: supply.ResourceId,
    holder: trust.PartyId,
    question: str,
    rho: int,
    terms: DpTerms,
    transfers: tuple[ledger.TransferId, ...],
    beside: tuple[supply.ResourceId, ...] = (),
) -> None:
    """This will take the price of a question from both budgets, before it is computed.

    A question over joined tables spends it of every dataset that is about the same people: of
    `resource`, and of those `beside` it. `transfers` are two for each of them. Raises BudgetSpent,
    BadBudget, NoAnswer, CurrencyUnknown, DatasetNotFound.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    check_budget(rho, terms)
    datasets = sorted((resource, *beside))
    for one in datasets:
        lock_dataset(tx, one)
    if tx.maybe(_ANSWER, (resource, holder, question)) is not None:
        raise NoAnswer(resource=resource)
    for at, one in enumerate(datasets):
        _spend(tx, one, holder, rho=rho, terms=terms, transfers=transfers[2 * at : 2 * at + 2])
        tx.execute(_SPEND, (one, holder, question, rho, REAL_TIME.now()))
        trust.record(tx, NoiseSpent(resource=one, holder=holder, question=question, rho=rho))


def _spend(
    tx: Tx,
    resource: supply.ResourceId,
    holder: trust.PartyId,
    *,
    rho: int,
    terms: DpTerms,
    transfers: tuple[ledger.TransferId, ...],
) -> None:
    """Move the price to what the organisation spent on a dataset, and what everybody did."""
    source = _account(tx, "source", resource, resource, floor=None, ceiling=0)
    everybody = _account(tx, "dataset", resource, resource, floor=0, ceiling=terms.dataset_ceiling)
    mine = _account(
        tx, "organization", resource, holder, floor=0, ceiling=terms.organization_ceiling
    )
    try:
        ledger.post_transfers(
            tx,
            transfers=tuple(
                ledger.Transfer(
                    id=transfer, debit=source, credit=credit, amount=rho, kind="gate.noise"
                )
                for transfer, credit in zip(transfers, (mine, everybody), strict=True)
            ),
        )
    except ledger.CeilingCrossed:
        raise BudgetSpent(resource=resource) from None
    for account, ceiling in (
        (mine, terms.organization_ceiling),
        (everybody, terms.dataset_ceiling),
    ):
        # Another product may have opened the account with a wider ceiling.
        (balance,) = ledger.lock_balances(tx, accounts=(account,))
        if balance.posted > ceiling:
            raise BudgetSpent(resource=resource)


@trust.command("gate.noise.keep", internal=True)
def keep_noisy(
    tx: Tx, *, resource: supply.ResourceId, holder: trust.PartyId, question: str, answer: str
) -> None:
    """This will keep the answer of a question whose price was spent, for whoever asks again."""
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    tx.execute(_KEEP, (resource, holder, question, answer, REAL_TIME.now()))
    digest = hashlib.sha256(answer.encode()).hexdigest()
    trust.record(tx, NoiseTold(resource=resource, holder=holder, question=question, answer=digest))


def _account(
    tx: Tx,
    kind: str,
    resource: supply.ResourceId,
    owner: Id,
    *,
    floor: int | None,
    ceiling: int,
) -> ledger.LedgerAccountId:
    """Give the account of a dataset and an owner; the one who comes first opens it."""
    name = hashlib.sha256(f"{kind}\0{resource}\0{owner}".encode()).digest()[:16]
    account = ledger.LedgerAccountId.of(uuid.UUID(bytes=name))
    if not ledger.find_balances(tx, accounts=(account,)):
        ledger.open_accounts(
            tx,
            accounts=(
                ledger.NewAccount(
                    id=account,
                    owner=owner,
                    currency=MICRO_RHO,
                    kind=f"noise.{kind}",
                    floor=floor,
                    ceiling=ceiling,
                ),
            ),
        )
    return account
