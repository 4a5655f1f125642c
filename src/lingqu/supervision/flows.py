# SPDX-License-Identifier: Apache-2.0
"""流动监测: every use as a flow, from the ground it rests on to the money it became.

A flow is one metered batch: calls of one holder under one grant. It is listed within the minute in
which it was metered, and followed on demand: up the chain of grants to the ground, across to the
contract, down to its charge and the postings of the ledger, with the facts of each station.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from lingqu import gate, ledger, market, rights, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Row, Tx
from lingqu.runtime.looking import Look, Looked, Shelf
from lingqu.supervision.attempts import require_sight
from lingqu.trust import holds

FACTS_MAX = 200
"""Most facts of a flow that are shown beside it; the evidence bundle has all."""


class FlowNotFound(errors.NotFound):
    """There is no such flow, or supervision has not read that far yet."""

    code = "supervision.flow.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Calls of one batch: `answered` and `refused` calls, `units` used, answers by their kind.

    `charged` and `posted` are fen, None before it was charged or where there is no contract;
    `fact` is where the metering stands in the log.
    """

    batch: gate.MeterBatchId
    fact: trust.FactId
    at: Instant
    grant: rights.GrantId
    product: gate.ProductId
    holder: trust.PartyId
    contract: market.ContractId | None
    answered: int
    units: int
    yes: int
    no: int
    once: int
    unknown: int
    refused: int
    charged: int | None
    posted: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One grant on the way from the ground to the use."""

    grant: rights.GrantId
    holder: trust.PartyId
    kind: rights.GrantKind
    issued_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Who received which part of what the contract earned on the day that has this use, in fen."""

    settlement: str
    day: date
    share: str
    party: trust.PartyId
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRef:
    """A fact of a flow: what happened, and where it stands."""

    fact: trust.FactId
    kind: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPath:
    """A flow with all it rests on and all that came of it, in the order of the way.

    `entries` are what the ledger moved for it, `parts` how the contract's earnings of the settled
    day were shared out. `held` are those of its things that are held now; `facts` the newest facts
    about any of them.
    """

    flow: Flow
    ground: rights.GroundId
    ground_kind: rights.GroundKind
    articles: tuple[str, ...]
    chain: tuple[Station, ...]
    standing: rights.Standing
    seller: trust.PartyId | None
    buyer: trust.PartyId | None
    contract_state: market.ContractState | None
    charge: str | None
    entries: tuple[ledger.Entry, ...]
    parts: tuple[Part, ...]
    held: tuple[str, ...]
    facts: tuple[FactRef, ...]


_SELECT = """
    SELECT f.batch, f.fact, f.at, f.grant_id AS grant, f.product, f.holder, f.contract, f.answered,
           f.units, f.yes, f.no, f.once, f.unknown, f.refused, c.amount AS charged, c.posted,
           c.id AS charge, c.transfer, c.day
    FROM supervision.flow f LEFT JOIN market.pub_charge_batch c ON c.metered = f.batch
"""
_PAGE = f"""
    {_SELECT}
    WHERE (%(contract)s::text IS NULL OR f.contract = %(contract)s)
      AND (%(product)s::text IS NULL OR f.product = %(product)s)
      AND (%(holder)s::text IS NULL OR f.holder = %(holder)s)
      AND (NOT %(refused)s OR f.refused > 0)
      AND (%(since)s::timestamptz IS NULL OR f.at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR f.at < %(until)s)
      AND (%(before)s::text IS NULL OR f.fact < %(before)s)
    ORDER BY f.fact DESC LIMIT %(limit)s
"""
_FLOWS = Shelf(
    select=_SELECT.partition("SELECT")[2].partition("FROM")[0],
    source=f"{_SELECT.partition('FROM')[2]} WHERE true",
    columns={
        "at": "f.at",
        "holder": "f.holder",
        "product": "f.product",
        "answered": "f.answered",
        "refused": "f.refused",
        "charged": "c.amount",
    },
    newest=("f.fact",),
)
_ONE = f"{_SELECT} WHERE f.batch = %s"  # joined from constants
_PARTS = """
    SELECT batch AS settlement, day, share, party, amount FROM market.pub_payout
    WHERE contract = %(contract)s AND day = (
        SELECT min(day) FROM market.pub_payout WHERE contract = %(contract)s AND day >= %(day)s)
    ORDER BY batch, share, party
"""
_FACTS = """
    SELECT fact, kind, at FROM supervision.mention WHERE subject = ANY(%s)
    GROUP BY fact, kind, at ORDER BY fact DESC LIMIT %s
"""


def find_flows(
    tx: Tx,
    *,
    page: PageRequest,
    contract: market.ContractId | None = None,
    product: gate.ProductId | None = None,
    holder: trust.PartyId | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    is_refused: bool = False,
) -> Page[Flow]:
    """This will list flows, newest first; with `is_refused` those with a refused call in them.

    Raises AccessDenied.
    """
    require_sight(tx)
    values = {
        "contract": contract,
        "product": product,
        "holder": holder,
        "refused": is_refused,
        "since": since,
        "until": until,
        "before": page.key,
        "limit": page.size + 1,
    }
    rows = tx.all(_PAGE, values)
    items = tuple(_flow(row) for row in rows[: page.size])
    more = len(rows) > page.size
    return Page(items=items, next=cursor(items[-1].fact) if more else None)


def look_through_flows(tx: Tx, *, look: Look) -> Looked[Flow]:
    """This will look through all flows; raises AccessDenied.

    Columns: at, holder, product, answered, refused, charged.
    """
    require_sight(tx)
    found = _FLOWS.look(tx, look)
    return Looked(items=tuple(_flow(row) for row in found.items), total=found.total)


def get_flow(tx: Tx, batch: gate.MeterBatchId) -> FlowPath:
    """This will follow one flow to its ground and to its money.

    Raises AccessDenied, FlowNotFound.
    """
    require_sight(tx)
    row = tx.maybe(_ONE, (batch,))
    if row is None:
        raise FlowNotFound(id=batch)
    flow = _flow(row)
    explained = rights.explain_grant(tx, flow.grant)
    deal = None if flow.contract is None else market.get_contract(tx, flow.contract)
    transfer = row["transfer"]
    wanted = () if transfer is None else (ledger.TransferId(transfer),)
    subjects = subjects_of_flow(flow, explained, deal, row["charge"])
    return FlowPath(
        flow=flow,
        ground=explained.ground.id,
        ground_kind=explained.ground.kind,
        articles=explained.ground.articles,
        chain=tuple(
            Station(grant=one.id, holder=one.holder, kind=one.kind, issued_at=one.issued_at)
            for one in explained.path
        ),
        standing=explained.life.standing,
        seller=None if deal is None else deal.seller,
        buyer=None if deal is None else deal.buyer,
        contract_state=None if deal is None else deal.state,
        charge=row["charge"],
        entries=ledger.find_entries(tx, transfers=wanted),
        parts=_parts(tx, flow, row["day"]),
        held=holds.find_held(tx, subjects=subjects),
        facts=tuple(
            FactRef(fact=trust.FactId(one["fact"]), kind=one["kind"], at=one["at"])
            for one in tx.all(_FACTS, (own_subjects(flow, row["charge"]), FACTS_MAX))
        ),
    )


def _parts(tx: Tx, flow: Flow, day: date | None) -> tuple[Part, ...]:
    if flow.contract is None or day is None:
        return ()
    rows = tx.all(_PARTS, {"contract": flow.contract, "day": day})
    return tuple(Part(**{**row, "party": trust.PartyId(row["party"])}) for row in rows)


def own_subjects(flow: Flow, charge: str | None) -> list[str]:
    """This will name the things whose facts tell of this flow and of nothing else."""
    return [flow.batch, *([] if charge is None else [charge])]


def subjects_of_flow(
    flow: Flow, explained: rights.Explained, deal: market.Contract | None, charge: str | None
) -> tuple[str, ...]:
    """This will name everything a flow depends on or led to, each by its id."""
    found: list[str] = [
        *own_subjects(flow, charge),
        flow.product,
        flow.holder,
        explained.ground.id,
        *(one.id for one in explained.path),
    ]
    if deal is not None:
        found += [deal.id, deal.listing, deal.registration, deal.seller, deal.buyer, deal.venue]
    return tuple(dict.fromkeys(found))


def _flow(row: Row) -> Flow:
    contract = row["contract"]
    return Flow(
        batch=gate.MeterBatchId(row["batch"]),
        fact=trust.FactId(row["fact"]),
        at=row["at"],
        grant=rights.GrantId(row["grant"]),
        product=gate.ProductId(row["product"]),
        holder=trust.PartyId(row["holder"]),
        contract=None if contract is None else market.ContractId(contract),
        answered=row["answered"],
        units=row["units"],
        yes=row["yes"],
        no=row["no"],
        once=row["once"],
        unknown=row["unknown"],
        refused=row["refused"],
        charged=row["charged"],
        posted=row["posted"],
    )
