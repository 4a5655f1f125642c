# SPDX-License-Identifier: Apache-2.0
"""Charging: one line a call, one posting a batch, and never more than there is."""

import pytest

from lingqu import ledger, market, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import settlement
from lingqu.market.settlement import Rule
from lingqu.runtime import new_id
from lingqu.trust import holds


def test_a_batch_becomes_lines_and_one_posting(world, metered):
    contract = world.contract(frozen=1_000, unit_price_minor=30, free_calls=2)
    calls = [metered(), metered(yes=0, unknown=1), metered(yes=0, no=3), metered(refusal="gate.x")]
    done = world.charge(contract, *calls, batch="mtb_one")
    assert (done.calls, done.units, done.amount, done.posted) == (3, 4, 60, 60)
    lines = world.read(
        settlement.find_charges, contract=contract.id, page=PageRequest(), caller=world.buyer
    ).items
    assert [(one.call, one.units, one.free, one.rule, one.amount) for one in lines] == [
        (calls[0].call, 1, 1, Rule.FREE, 0),
        (calls[1].call, 0, 0, Rule.MISS, 0),
        (calls[2].call, 3, 1, Rule.TIERS, 60),
    ]
    assert world.balance(contract.charged) == (60, 0)
    (entry,) = world.read(ledger.find_entries, transfers=(done.transfer,))
    assert (entry.amount, entry.phase, entry.reference) == (60, ledger.Phase.POST, done.id)
    fact = world.place.facts("market.charge.posted")[-1]
    assert fact["data"]["batch"]["count"] == 3
    assert fact["data"]["metered"] == "mtb_one"


def test_a_batch_is_charged_once(world, metered):
    contract = world.contract(frozen=1_000, unit_price_minor=30)
    calls, name = (metered(), metered()), new_id(trust.CommandId)
    first = world.charge(contract, *calls, batch="mtb_two", command_id=name)
    assert world.charge(contract, *calls, batch="mtb_two", command_id=name) == first
    with pytest.raises(settlement.BatchCharged):
        world.charge(contract, *calls, batch="mtb_two")
    assert world.tally(contract).charged == 60
    found = world.read(settlement.find_charge_batch, "mtb_two")
    assert found == first
    assert world.read(settlement.find_charge_batch, "mtb_never") is None


def test_only_the_platform_charges(world, metered):
    contract = world.contract(frozen=100, unit_price_minor=30)
    with pytest.raises(trust.AccessDenied):
        world.charge(contract, metered(), caller=world.buyer)
    with pytest.raises(market.ContractNotFound):
        world.do(
            settlement.charge_calls,
            trust.PLATFORM,
            batch="b",
            grant=world.product.grant_id,
            calls=(),
        )
    stranger = world.place.account(role=trust.Role.BUYER)
    with pytest.raises(market.ContractNotFound):
        world.read(
            settlement.find_charges, contract=contract.id, page=PageRequest(), caller=stranger
        )


def test_used_up_funds_stop_the_contract_until_there_are_more(world, metered):
    contract = world.contract(frozen=100, unit_price_minor=30)
    world.charge(contract, metered(), metered(), metered())
    before = world.tally(contract)
    assert (before.posted, before.short) == (90, 0)
    assert before.hold is not None, "10 fen do not pay the next call"
    with world.place.database.reading() as tx:
        assert holds.is_held(tx, subject=contract.grant_id)
    late = world.charge(contract, metered(yes=2))
    assert (late.amount, late.posted) == (60, 10)
    assert world.tally(contract).short == 50
    assert world.read(market.get_contract, contract.id).held is None, "nothing is left frozen"
    with pytest.raises(settlement.StillShort):
        world.do(settlement.free_contract, trust.PLATFORM, contract=contract.id)

    with pytest.raises(ledger.FloorCrossed):
        world.do(settlement.freeze_more, world.buyer, contract=contract.id, amount=70)
    with pytest.raises(settlement.BadAmount):
        world.do(settlement.freeze_more, world.buyer, contract=contract.id, amount=0)
    world.pay_in(70)
    assert not world.read(settlement.is_free_to_go, contract.id)
    world.do(settlement.freeze_more, world.buyer, contract=contract.id, amount=40)
    assert world.tally(contract).short == 10
    world.do(settlement.freeze_more, world.buyer, contract=contract.id, amount=10)
    assert world.tally(contract).short == 0
    assert not world.read(settlement.is_free_to_go, contract.id), "the next call costs 30"
    world.do(settlement.freeze_more, world.buyer, contract=contract.id, amount=20)
    assert not world.read(settlement.is_free_to_go, contract.id)
    world.pay_in(10)
    world.do(settlement.freeze_more, world.buyer, contract=contract.id, amount=10)
    assert world.read(settlement.is_free_to_go, contract.id)
    freed = world.do(settlement.free_contract, trust.PLATFORM, contract=contract.id)
    assert freed.hold is None
    with world.place.database.reading() as tx:
        assert not holds.is_held(tx, subject=contract.grant_id)
    assert world.charge(contract, metered()).posted == 30
    assert world.balance(contract.charged) == (180, 0)
