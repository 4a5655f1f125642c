# SPDX-License-Identifier: Apache-2.0
"""Everything that was recorded about one thing, as one bundle that a stranger verifies.

What belongs to a thing is found by following the ids that stand in the facts: a contract leads to
its grant, the grant to its chain and its ground, a metered batch to its charges.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from lingqu import market, rights, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.runtime import Tx
from lingqu.supervision.attempts import require_sight
from lingqu.trust import log as logs


class NothingRecorded(errors.NotFound):
    """Nothing is on record about this, or supervision has not read that far yet."""

    code = "supervision.evidence.none"


_ABOUT = """
    SELECT fact FROM supervision.mention
    WHERE subject = ANY(%(subjects)s) AND (%(before)s::text IS NULL OR fact < %(before)s)
    GROUP BY fact ORDER BY fact DESC LIMIT %(limit)s
"""
_ALL_ABOUT = """
    SELECT fact FROM supervision.mention
    WHERE subject = ANY(%(subjects)s)
      AND (%(all)s OR kind = ANY(%(kinds)s))
    GROUP BY fact ORDER BY fact LIMIT %(limit)s
"""

_USED = """
    SELECT batch AS subject FROM supervision.flow WHERE contract = %(contract)s
    UNION SELECT id FROM market.pub_charge_batch WHERE contract = %(contract)s
"""
_SETTLED = """
    SELECT DISTINCT batch AS settlement FROM market.pub_payout WHERE contract = %(contract)s
"""
_WIDE = (
    "market.listing", "market.settlement", "rights.registration", "rights.ground", "rights.grant",
    "rights.ending", "gate.product",
)  # fmt: skip
"""Tables whose things several contracts rest on."""
_CHANGED = """
    SELECT DISTINCT fact FROM trust.pub_row WHERE table_name = ANY(%s) AND key = ANY(%s)
"""


def find_facts_about(tx: Tx, *, subject: str, page: PageRequest) -> Page[trust.FactId]:
    """This will list the facts that speak of a thing, newest first. Raises AccessDenied."""
    require_sight(tx)
    values = {"subjects": [subject], "before": page.key, "limit": page.size + 1}
    rows = [trust.FactId(row["fact"]) for row in tx.all(_ABOUT, values)]
    more = len(rows) > page.size
    items = tuple(rows[: page.size])
    return Page(items=items, next=cursor(items[-1]) if more else None)


def facts_about(
    tx: Tx, subjects: Sequence[str], *, kinds: Collection[str] = ()
) -> tuple[trust.FactId, ...]:
    """This will give all facts that speak of any of these things, oldest first, up to a bundle's.

    With `kinds` only those.
    """
    values = {
        "subjects": list(subjects),
        "all": not kinds,
        "kinds": sorted(kinds),
        "limit": logs.MOST_FACTS,
    }
    return tuple(trust.FactId(row["fact"]) for row in tx.all(_ALL_ABOUT, values))


def contract_facts(tx: Tx, contract: market.ContractId) -> tuple[trust.FactId, ...]:
    """This will give the facts of one contract, oldest first: right, contract, use, charge, payout.

    Of what other contracts rest on too, the ground, the grants above, the product, its
    registration and listing, only the facts that made or changed it. Raises ContractNotFound.
    """
    deal = market.get_contract(tx, contract)
    wide: list[str] = [deal.listing, deal.registration, deal.product]
    own: list[str] = [deal.id]
    if deal.grant_id is not None:
        explained = rights.explain_grant(tx, deal.grant_id)
        wide += [explained.ground.id, *(one.id for one in explained.path)]
        own.append(deal.grant_id)
    values = {"contract": contract}
    own += [row["subject"] for row in tx.all(_USED, values)]
    wide += [row["settlement"] for row in tx.all(_SETTLED, values)]
    changed = tx.all(_CHANGED, (list(_WIDE), list(dict.fromkeys(wide))))
    found = {*facts_about(tx, own), *(trust.FactId(row["fact"]) for row in changed)}
    return tuple(sorted(found))


def bundle_of(tx: Tx, folder: Path, subjects: Sequence[str]) -> str:
    """This will write the bundle of everything recorded about these things, with its proofs.

    A contract brings all of its way: right, contract, use, charge, payout. `folder` holds the files
    of all logs. Raises AccessDenied, NothingRecorded, NotYetSequenced, TooManyFacts.
    """
    require_sight(tx)
    deals = [one for one in subjects if one.startswith(f"{market.ContractId.prefix}_")]
    facts: list[str] = list(facts_about(tx, [one for one in subjects if one not in deals]))
    for one in deals:
        facts += contract_facts(tx, market.ContractId(one))
    if not facts:
        raise NothingRecorded(subject=str(subjects[0])[:60] if subjects else "")
    return logs.bundle(tx, folder, facts)
