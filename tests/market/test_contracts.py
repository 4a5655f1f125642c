# SPDX-License-Identifier: Apache-2.0
"""From a proposal to a contract in force, and to its end: right and money move together."""

import dataclasses
from datetime import date, timedelta

import pytest
from bazaars import FEES, at

from lingqu import market, rights, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import contracts as inner
from lingqu.market import listings
from lingqu.runtime import new_id
from lingqu.trust import holds


@pytest.fixture(scope="module")
def listing(bazaar):
    return bazaar.listed()


def test_with_the_second_signature_grant_accounts_and_frozen_funds_exist(bazaar, listing):
    bazaar.pay_in(10_000)
    before = bazaar.funds().available
    made = bazaar.propose(listing)
    assert made.deposit == (100 - 2) * 50
    assert made.status == "01"
    signed = bazaar.sign(made, "buyer")
    assert signed.grant_id is None
    assert bazaar.funds().available == before
    done = bazaar.sign(made, "seller")
    assert (done.state, done.status) == (market.ContractState.PERFORMING, "05")
    assert bazaar.funds().available == before - made.deposit
    assert bazaar.funds().pending_out >= made.deposit
    assert done.held_minor == done.deposit
    grant = bazaar.read(rights.get_grant, done.grant_id)
    form = rights.read_form(grant.effective)
    assert grant.holder == bazaar.buyer
    assert grant.parent == listing.grant_id
    assert form.purposes.allowed == ("industry.finance.credit",)
    assert form.recipients == (bazaar.buyer,)
    assert (form.valid.start, form.valid.end) == (done.starts_at, done.ends_at)
    found = bazaar.read(market.find_contract_by_grant, grant.id)
    assert found.id == done.id
    names = {one.party: one.digest for one in bazaar.read(market.find_signatures, done.id)}
    assert names == {bazaar.buyer: done.digest, bazaar.seller: done.digest}
    document = bazaar.read(market.contract_document, done.id)
    assert document["contractHash"] == done.digest
    assert document["contractStatus"] == "05"
    ended = bazaar.do(
        market.end_contract,
        bazaar.operator,
        contract=done.id,
        party=bazaar.seller,
        reason="双方协商一致。",
    )
    assert ended.ending is market.Ending.EARLY
    assert bazaar.funds().available == before
    life = bazaar.read(lambda tx: rights.find_life(tx, rights.get_grant(tx, grant.id)))
    assert life.standing is rights.Standing.REVOKED
