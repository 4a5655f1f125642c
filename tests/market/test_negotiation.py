# SPDX-License-Identifier: Apache-2.0
"""Whatever the two sides try, no contract is in force that not both signed by the same digest."""

import hashlib
import random

import pytest

from lingqu import market, rights
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.trust import holds

STEPS = 120


class Table:
    """The two sides at one listing, each step chosen by chance."""

    def __init__(self, bazaar, listing, chance):
        self.bazaar, self.listing, self.chance = bazaar, listing, chance
        self.made = []
        self.sides = (
            (bazaar.buyer, bazaar.banker),
            (bazaar.seller, bazaar.operator),
        )

    def step(self):
        """Try one thing; whatever is refused changes nothing."""
        if not self.made or self.chance.random() < 0.1:
            quota = self.chance.randint(1, 120)
            self.made.append(self.bazaar.propose(self.listing, quota=quota).id)
            return "propose"
        contract = self.chance.choice(self.made[-3:])
        party, caller = self.chance.choice(self.sides)
        what = self.chance.choices(
            ("counter", "sign", "sign_old", "close", "end"), (2, 14, 1, 0.5, 1)
        )[0]
        try:
            getattr(self, what)(contract, party, caller)
        except errors.LingquError as refusal:
            return refusal.code
        return what

    def counter(self, contract, party, caller):
        terms = self.bazaar.terms(quota=self.chance.randint(1, 120))
        self.bazaar.do(market.counter_contract, caller, contract=contract, party=party, terms=terms)

    def sign(self, contract, party, caller):
        now = self.bazaar.read(market.get_contract, contract)
        self.bazaar.do(
            market.sign_contract, caller, contract=contract, party=party, digest=now.digest
        )

    def sign_old(self, contract, party, caller):
        known = self.bazaar.read(market.find_signatures, contract)
        digest = known[0].digest if known else hashlib.sha256(b"").hexdigest()
        self.bazaar.do(market.sign_contract, caller, contract=contract, party=party, digest=digest)

    def close(self, contract, party, caller):
        self.bazaar.do(
            market.close_contract, caller, contract=contract, party=party, reason="不再协商。"
        )

    def end(self, contract, party, caller):
        self.bazaar.do(
            market.end_contract, caller, contract=contract, party=party, reason="提前终止。"
        )


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_tried_signatures_rights_and_money_agree(bazaar, seed):
    listing = bazaar.listed(title=f"核验产品{seed}")
    bazaar.pay_in(20_000)
    table = Table(bazaar, listing, random.Random(seed))  # chance, not a secret
    done = [table.step() for _ in range(STEPS)]
    assert {"propose", "counter", "sign", "close", "end", "market.contract.wrong_turn"} <= {*done}
    frozen = 0
    for one in bazaar.read(
        market.find_contracts, page=PageRequest(size=200), party=bazaar.buyer
    ).items:
        signed = {
            (mark.party, mark.digest)
            for mark in bazaar.read(market.find_signatures, one.id)
            if mark.digest == one.digest
        }
        both = {(one.buyer, one.digest), (one.seller, one.digest)}
        assert (one.finalized_at is not None) == (signed == both) == (one.grant_id is not None)
        assert hashlib.sha256(one.text.encode()).hexdigest() == one.digest
        if one.grant_id is not None:
            life = bazaar.read(
                lambda tx, grant=one.grant_id: rights.find_life(tx, rights.get_grant(tx, grant))
            )
            assert life.alive == (one.state is market.ContractState.PERFORMING)
        frozen += one.held_minor
    funds = bazaar.funds()
    assert funds.pending_out == frozen
    assert funds.available == funds.posted - frozen >= 0
    assert bazaar.place.audit() == []


def test_a_signature_that_vanishes_is_named_by_the_audit(bazaar):
    listing = bazaar.listed(title="号段归属核验")
    bazaar.pay_in(20_000)
    done = bazaar.in_force(listing)
    row = "contract = %s AND party = %s"
    kept = bazaar.place.sql(
        f"SELECT id, digest FROM market.signature WHERE {row}", (done.id, bazaar.buyer)
    )
    bazaar.place.sql(
        f"UPDATE market.signature SET digest = repeat('0', 64) WHERE {row}",
        (done.id, bazaar.buyer),
    )
    found = {(one.place, one.key) for one in bazaar.place.audit()}
    assert ("market.signature", done.id) in found
    bazaar.place.sql(
        f"UPDATE market.signature SET digest = %s WHERE {row}",
        (kept[0][1], done.id, bazaar.buyer),
    )
    assert not bazaar.read(holds.is_held, subject=done.id)
