# SPDX-License-Identifier: Apache-2.0
"""Step 5, contract: a bank finds, tests, states its purpose, commits itself and signs."""

from __future__ import annotations

import csv

from lingqu import gate, market, rights, trust
from lingqu.cli.story.building import EXACT, GUANGXI_PREFIX, P2, P3, Planned, product_of
from lingqu.cli.story.pricing import listing_of, yuan
from lingqu.cli.story.stage import Scene, Stage, slice_file
from lingqu.gate import lists
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import parse_instant
from lingqu.market import listings
from lingqu.runtime.calendar import local_day

PAID_IN = 3_000_000
"""What the bank pays the venue, in fen."""
SAMPLE = 100
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


def try_samples(stage: Stage) -> None:
    """It tries both on rows of its own, free: how good, never which row is what."""
    stage.on("2026-07-22")
    own = own_segments()[:SAMPLE]
    known = [gate.Subject(key=code) for code in guangxi_codes()[:SAMPLE]]
    for planned, predicate, rows in (
        (P3, "", [lists.SampleRow(subject=one) for one in known]),
        (
            P2,
            EXACT,
            [
                lists.SampleRow(
                    subject=gate.Subject(key=segment, value=city), truth=gate.Answer.YES
                )
                for segment, city in own
            ],
        ),
    ):
        tried = lists.try_sample(
            stage.app.database,
            stage.app.desk.shelf(),
            stage.caller("bank"),
            stage.id(trust.CommandId, f"sample/{planned.key}"),
            product=product_of(stage, planned),
            party=stage.party("bank"),
            purpose=PURPOSE,
            predicate=predicate,
            rows=rows,
        )
        stage.journal.note(f"sample/{planned.key}", str(tried.id))
        stage.beat(
            "bank",
            "contract.sampled",
            name=f"contract.sampled.{planned.key}",
            title=planned.title,
            rows=tried.rows,
            hit_rate=tried.hit_rate,
            accuracy="—" if tried.accuracy is None else f"{tried.accuracy}%",
            as_of=local_day(tried.as_of).isoformat(),
        )


def own_segments() -> tuple[tuple[str, str], ...]:
    """This will give the bank's own Guangxi segments with the city its file has for each."""
    with slice_file("buyer_segments").open(encoding="utf-8", newline="") as file:
        return tuple(
            (row["segment"], row["city"]) for row in csv.DictReader(file) if row["region"] == "广西"
        )


def guangxi_codes() -> tuple[str, ...]:
    """This will give the region's codes that were ever used in identity numbers."""
    with slice_file("area_codes").open(encoding="utf-8", newline="") as file:
        return tuple(
            row["code"] for row in csv.DictReader(file) if row["code"].startswith(GUANGXI_PREFIX)
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
                sample=stage.journal.note(f"sample/{planned.key}", ""),
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


SCENES: tuple[Scene, ...] = (find_products, try_samples, pay_in, sign_contracts)
"""The scenes of the fifth step."""
