# SPDX-License-Identifier: Apache-2.0
"""From a proposal to a contract in force, and to its end: right and money move together."""

import hashlib
from datetime import date, timedelta

import pytest
from bazaars import at

from lingqu import ledger, market, rights, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import contracts as inside
from lingqu.market import listings, prices
from lingqu.runtime import documents, new_id
from lingqu.trust import PLATFORM, holds


@pytest.fixture(scope="module")
def listing(bazaar):
    made = bazaar.listed()
    bazaar.pay_in(100_000)
    return made


@pytest.fixture(scope="module")
def draw(registries):  # noqa: ARG001  # it forgets the command afterwards
    """Draw from what a contract freezes, as charging does."""

    @trust.command("market.test.draw", internal=True)
    def draw_some(tx, *, contract: market.ContractId, amount: int) -> None:
        """This will draw so much."""
        trust.authorize(tx, trust.Action.CHANGE, trust.Kind.CONTRACT)
        held = inside.lock_contract(tx, contract)
        inside.draw_held(tx, contract=held, amount=amount, reference="b1")
        drawn = inside.HeldDrawn(contract=contract, amount=amount, left=0, reference="test")
        trust.record(tx, drawn)

    return draw_some


def test_with_the_second_signature_grant_accounts_and_frozen_funds_exist(bazaar, listing):
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
    assert done.held_minor == done.deposit
    grant = bazaar.read(rights.get_grant, done.grant_id)
    form = rights.read_form(grant.effective)
    assert (grant.holder, grant.parent) == (bazaar.buyer, listing.grant_id)
    assert form.purposes.allowed == ("industry.finance.credit",)
    assert form.actions.allowed == ("use.verify",)
    assert form.recipients == (bazaar.buyer,)
    assert (form.valid.start, form.valid.end) == (done.starts_at, done.ends_at)
    assert bazaar.read(market.find_contract_by_grant, grant.id).id == done.id
    assert bazaar.read(market.find_contract_by_grant, listing.grant_id) is None
    signed = {one.party: one.digest for one in bazaar.read(market.find_signatures, done.id)}
    assert signed == {bazaar.buyer: done.digest, bazaar.seller: done.digest}
    ended = bazaar.do(
        market.end_contract,
        bazaar.banker,
        contract=done.id,
        party=bazaar.buyer,
        reason="业务调整。",
    )
    assert (ended.ending, ended.held_minor) == (market.Ending.EARLY, 0)
    assert bazaar.funds().available == before
    life = bazaar.read(lambda tx: rights.find_life(tx, rights.get_grant(tx, grant.id)))
    assert life.standing is rights.Standing.REVOKED
    with pytest.raises(market.ContractNotPerforming):
        bazaar.do(
            market.end_contract,
            bazaar.banker,
            contract=done.id,
            party=bazaar.buyer,
            reason="再次终止。",
        )


def test_the_text_has_the_elements_of_the_standard_and_both_signatures(bazaar, listing):
    done = bazaar.in_force(listing)
    document = bazaar.read(market.contract_document, done.id)
    assert {
        "contractId", "contractName", "contractAbstract", "contractStatus", "createTime",
        "signMode", "signatories", "indate", "contractPolicies", "signature", "contractHash",
        "expansionItem",
    } <= set(document)  # fmt: skip
    assert document["contractHash"] == done.digest
    assert hashlib.sha256(done.text.encode()).hexdigest() == done.digest
    assert {one["digest"] for one in document["signature"]} == {done.digest}
    (permission,) = document["contractPolicies"]["permissionPolicies"]
    limits = {one["constraintName"]: one["constraintValue"] for one in permission["constraints"]}
    assert limits["count"] == "100"
    (duty,) = document["contractPolicies"]["obligationPolicies"]
    assert "delete" in duty["actions"]
    paper = bazaar.read(market.contract_paper, done.id)
    for to in documents.Format:
        assert documents.render(paper.template, paper.data, to=to).content
    assert "金融" in str(paper.data["clauses"]) or "信贷" in str(paper.data["clauses"])


def test_a_text_is_countered_and_an_old_signature_counts_for_nothing(bazaar, listing):
    made = bazaar.propose(listing)
    bazaar.sign(made, "buyer")
    terms = bazaar.terms(quota=50)
    offered = bazaar.do(
        market.counter_contract,
        bazaar.operator,
        contract=made.id,
        party=bazaar.seller,
        terms=terms,
    )
    assert (offered.state, offered.edition) == (market.ContractState.OFFERED, 2)
    with pytest.raises(market.WrongTurn):
        bazaar.sign(offered, "seller")
    with pytest.raises(market.DigestDiffers) as caught:
        bazaar.sign(offered, "buyer", digest=made.digest)
    assert caught.value.parameters["digest"] == offered.digest
    bazaar.sign(offered, "buyer")
    with pytest.raises(market.DigestDiffers):
        bazaar.sign(offered, "seller", digest=made.digest)
    done = bazaar.sign(offered, "seller")
    assert (done.quota, done.deposit) == (50, 48 * 50)


def test_a_negotiation_has_an_end(bazaar, listing):
    made = bazaar.propose(listing)
    for turn in range(9):
        party, caller = (
            (bazaar.buyer, bazaar.banker) if turn % 2 else (bazaar.seller, bazaar.operator)
        )
        made = bazaar.do(
            market.counter_contract,
            caller,
            contract=made.id,
            party=party,
            terms=bazaar.terms(quota=10 + turn),
        )
    with pytest.raises(market.TooManyTexts):
        bazaar.do(
            market.counter_contract,
            bazaar.banker,
            contract=made.id,
            party=bazaar.buyer,
            terms=bazaar.terms(),
        )
    closed = bazaar.do(
        market.close_contract,
        bazaar.operator,
        contract=made.id,
        party=bazaar.seller,
        reason="未能达成一致。",
    )
    assert (closed.ending, closed.status) == (market.Ending.DECLINED, "0302")
    with pytest.raises(market.ContractNotOpen):
        bazaar.sign(closed, "buyer")


def test_without_the_funds_nothing_of_the_contract_exists(bazaar, listing):
    free = bazaar.funds().available
    made = bazaar.propose(listing, quota=free)
    bazaar.sign(made, "buyer")
    with pytest.raises(market.FundsShort) as caught:
        bazaar.sign(made, "seller")
    assert caught.value.parameters == {"needed": made.deposit, "available": free}
    after = bazaar.read(market.get_contract, made.id)
    assert (after.state, after.grant_id) == (market.ContractState.ACCEPTED, None)
    assert bazaar.funds().available == free


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"purposes": ("research",)}, market.PurposeOutside),
        ({"purposes": ("industry",)}, market.PurposeOutside),
        ({"purposes": ()}, market.BadContract),
        ({"quota": 0}, market.BadContract),
        ({"ends_at": at(date(2029, 6, 1))}, market.TermBeyond),
        ({"fees": market.FeeSchedule(unit_price_minor=1)}, market.PriceOutside),
        ({"ends_at": at(date(2026, 3, 2))}, market.BadContract),
        (
            {
                "duties": (
                    rights.Duty(
                        kind=rights.ObligationKind.PAY, days=3, starts=rights.ClockStart.ISSUED
                    ),
                )
            },
            market.BadContract,
        ),
    ],
)
def test_terms_outside_the_listing_are_refused(bazaar, listing, changes, refusal):
    before = bazaar.place.count("market.contract")
    with pytest.raises(refusal) as caught:
        bazaar.propose(listing, **changes)
    assert bazaar.place.count("market.contract") == before
    if refusal is market.PriceOutside:
        assert "65" in caught.value.article


def test_use_for_the_public_good_is_free(bazaar, listing):
    done = bazaar.in_force(listing, purposes=("welfare",))
    assert (done.deposit, done.held, done.schedule) == (0, None, market.FREE)
    mixed = bazaar.propose(listing, purposes=("welfare", "industry.finance"))
    assert mixed.deposit > 0


def test_who_is_held_or_not_admitted_gets_no_contract(bazaar, listing):
    stranger, caller = bazaar.organization("〈陌生公司〉（演示）", trust.Role.BUYER)
    with pytest.raises(market.NotAdmitted):
        bazaar.do(
            market.propose_contract,
            caller,
            contract=new_id(market.ContractId),
            listing=listing.id,
            buyer=stranger,
            terms=bazaar.terms(),
            commitment=market.get_commitment(market.CommitmentKind.USE).digest,
        )
    made = bazaar.propose(listing)
    bazaar.sign(made, "buyer")
    hold = bazaar.do(
        holds.place_hold,
        hold=new_id(holds.HoldId),
        subject=bazaar.buyer,
        reason=holds.HoldReason.SUPERVISION,
        article="《网络数据安全管理条例》第五十二条",
    )
    with pytest.raises(holds.Held):
        bazaar.sign(made, "seller")
    with pytest.raises(holds.Held):
        bazaar.propose(listing)
    bazaar.do(holds.lift_hold, hold=hold.id)
    with pytest.raises(market.CommitmentDiffers):
        bazaar.do(
            market.propose_contract,
            bazaar.banker,
            contract=new_id(market.ContractId),
            listing=listing.id,
            buyer=bazaar.buyer,
            terms=bazaar.terms(),
            commitment=b"\0" * 32,
        )


def test_a_third_party_learns_nothing_of_a_contract(bazaar, listing):
    made = bazaar.propose(listing)
    _, stranger = bazaar.organization("〈旁人公司〉（演示）", trust.Role.BUYER)
    with pytest.raises(market.ContractNotFound):
        bazaar.read(market.get_contract, made.id, caller=stranger)
    with pytest.raises(trust.AccessDenied):
        bazaar.read(market.find_contracts, page=PageRequest(), caller=stranger)
    with pytest.raises(trust.AccessDenied):
        bazaar.do(
            market.sign_contract,
            stranger,
            contract=made.id,
            party=bazaar.buyer,
            digest=made.digest,
        )
    own = bazaar.read(
        market.find_contracts, page=PageRequest(), party=bazaar.venue, caller=bazaar.staff
    )
    assert made.id in {one.id for one in own.items}


def test_what_is_drawn_and_what_stays_frozen_add_up_to_the_deposit(bazaar, listing, draw):
    before = bazaar.funds()
    done = bazaar.in_force(listing)
    for amount in (50, 1_000, 0, 3_850):
        bazaar.do(draw, PLATFORM, contract=done.id, amount=amount)
        now = bazaar.read(market.get_contract, done.id)
        (charged,) = bazaar.read(ledger.find_balances, accounts=(now.charged,))
        assert now.held_minor + charged.posted == now.deposit
        assert bazaar.place.audit() == []
    assert (now.held, now.held_minor) == (None, 0)
    with pytest.raises(inside.HeldExceeded):
        bazaar.do(draw, PLATFORM, contract=done.id, amount=1)
    after = bazaar.funds()
    assert after.posted == before.posted - done.deposit
    assert after.available == before.available - done.deposit


def test_a_figure_changed_behind_the_log_is_named_by_the_audit(bazaar, listing):
    done = bazaar.in_force(listing)
    bazaar.place.sql(
        "UPDATE market.contract SET held_minor = held_minor - 1 WHERE id = %s", (done.id,)
    )
    found = {(one.place, one.key) for one in bazaar.place.audit()}
    assert ("market.contract", done.id) in found
    bazaar.place.sql(
        "UPDATE market.contract SET held_minor = held_minor + 1 WHERE id = %s", (done.id,)
    )
    assert bazaar.place.audit() == []


def test_a_contract_that_is_due_ends_and_frees_what_is_left(bazaar, listing, draw):
    free = bazaar.funds().available
    done = bazaar.in_force(listing, ends_at=at(bazaar.day + timedelta(days=2)))
    bazaar.do(draw, PLATFORM, contract=done.id, amount=100)
    assert not bazaar.read(market.has_due, caller=PLATFORM)
    bazaar.pass_days(3)
    assert bazaar.read(market.has_due, caller=PLATFORM)
    assert done.id in bazaar.do(market.expire_contracts, PLATFORM)
    over = bazaar.read(market.get_contract, done.id)
    assert (over.state, over.ending, over.status) == (
        market.ContractState.ENDED,
        market.Ending.DUE,
        "06",
    )
    assert bazaar.funds().available == free - 100
    bazaar.do(draw, PLATFORM, contract=done.id, amount=50)
    assert bazaar.funds().available == free - 150


def test_a_listing_that_was_suspended_or_priced_anew_makes_no_contract(bazaar):
    listing = bazaar.listed(title="号段归属核验", summary="核验号段是否属于某市")
    made = bazaar.propose(listing)
    bazaar.sign(made, "buyer")
    bazaar.do(listings.suspend_listing, bazaar.staff, listing=listing.id, reason="数据待更新。")
    with pytest.raises(listings.ListingNotOffered):
        bazaar.sign(made, "seller")
    bazaar.do(listings.resume_listing, bazaar.staff, listing=listing.id, opinion="已更新。")
    since = bazaar.read(prices.find_price, listing.product).operating_since
    bazaar.trial(listing.product, fees=market.FeeSchedule(unit_price_minor=40), since=since)
    with pytest.raises(market.PriceOutside):
        bazaar.sign(made, "seller")
