# SPDX-License-Identifier: Apache-2.0
"""Step 5, contract: a bank finds, tests, states its purpose, commits itself, signs; funds freeze."""

from __future__ import annotations

from lingqu import market, rights
from lingqu.cli.story.building import P2, P3, Planned
from lingqu.cli.story.pricing import listing_of, yuan
from lingqu.cli.story.stage import Scene, Stage
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import parse_instant
from lingqu.market import listings

PAID_IN = 3_000_000
"""What the bank pays the venue, in fen."""
PURPOSE = "industry.finance.credit"
QUOTA = {"p2": 30_000, "p3": 500}
STARTS, ENDS = parse_instant("2026-08-01T16:00:00Z"), parse_instant("2027-08-01T16:00:00Z")


def find_products(stage: Stage) -> None:
    """The bank searches the public catalog."""
    stage.on("2026-07-20")
    for planned, question in ((P3, "区划代码"), (P2, "号段 归属")):
        with stage.reading("bank") as tx:
            found = listings.find_listings(tx, page=PageRequest(size=10), question=question)
        stage.beat(
            "bank",
            "contract.found",
            name=f"contract.found.{planned.key}",
            question=question,
            count=len(found.items),
            title=found.items[0].title,
        )


def pay_in(stage: Stage) -> None:
    """The bank pays the venue; staff record it with the bank's reference."""
    stage.on("2026-07-27")
    stage.do(
        "venue/cashier",
        "paid in",
        market.record_deposit,
        deposit=stage.id(market.DepositId, "paid in"),
        venue=stage.party("venue"),
        party=stage.party("bank"),
        direction=market.Direction.IN,
        amount=PAID_IN,
        reference="YH20260727000001",
        paid_on=stage.today(),
    )
    stage.beat("venue/cashier", "contract.paid_in", amount=yuan(PAID_IN))


def sign_contracts(stage: Stage) -> None:
    """Each contract is proposed with its purpose and commitment, and signed by both."""
    stage.on("2026-08-03")
    commitment = market.get_commitment(market.CommitmentKind.USE).digest
    for planned in (P3, P2):
        contract = contract_of(stage, planned)
        proposed = stage.do(
            "bank",
            planned.key,
            market.propose_contract,
            contract=contract,
            listing=listing_of(stage, planned),
            buyer=stage.party("bank"),
            terms=market.ContractTerms(
                purposes=(PURPOSE,),
                quota=QUOTA[planned.key],
                starts_at=STARTS,
                ends_at=ENDS,
            ),
            commitment=commitment,
        )
        for actor in ("bank", "operator"):
            signed = stage.do(
                actor,
                f"{planned.key}/{actor}",
                market.sign_contract,
                contract=contract,
                party=stage.party(actor),
                digest=proposed.digest,
            )
        stage.write(f"数据交易合约-{planned.title}.txt", proposed.text.encode())
        stage.beat(
            "bank",
            "contract.signed",
            name=f"contract.signed.{planned.key}",
            title=planned.title,
            quota=QUOTA[planned.key],
            frozen=yuan(signed.held_minor),
            digest=signed.digest,
        )


def contract_of(stage: Stage, planned: Planned) -> market.ContractId:
    """This will give the bank's contract about a planned product."""
    return stage.id(market.ContractId, planned.key)


def buyer_grant(stage: Stage, planned: Planned) -> rights.GrantId:
    """This will give the grant the bank uses a product under."""
    with stage.reading("bank") as tx:
        found = market.get_contract(tx, contract_of(stage, planned)).grant_id
    assert found is not None, "both signed"
    return found


SCENES: tuple[Scene, ...] = (find_products, pay_in, sign_contracts)
"""The scenes of the fifth step."""
