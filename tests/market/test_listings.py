# SPDX-License-Identifier: Apache-2.0
"""A venue, its members, and a product's way into the catalog."""

import dataclasses
from datetime import date, timedelta

import pytest
from bazaars import BEGIN, at, digest

from lingqu import ledger, market, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import listings, prices
from lingqu.runtime import documents, new_id
from lingqu.trust import Role, holds, rulebook
from lingqu.trust.procedures import records


def test_a_product_is_publicized_certified_and_found(bazaar):
    product, code, grant = bazaar.product()
    with pytest.raises(prices.PriceMissing):
        bazaar.apply(code)
    bazaar.trial(product)
    made = bazaar.apply(code, title="号段归属核验", summary="判断移动号段是否属于某市 Segment")
    assert (made.product, made.grant_id) == (product, grant)
    with pytest.raises(listings.ListingNotFound):
        bazaar.read(listings.get_listing, made.id, caller=trust.VISITOR)
    with pytest.raises(listings.ListingTaken):
        bazaar.apply(code)
    shown = bazaar.do(
        listings.publicize_listing, bazaar.staff, listing=made.id, opinion="合规审查通过。"
    )
    days = rulebook.rule("trade.publicity").value
    assert shown.publicized_until == bazaar.day + timedelta(days=days)
    assert bazaar.read(listings.get_listing, made.id, caller=trust.VISITOR).id == made.id
    with pytest.raises(records.IllegalMove):
        bazaar.do(listings.certify_listing, bazaar.staff, listing=made.id)
    bazaar.pass_days(days)
    with pytest.raises(records.IllegalMove):
        bazaar.do(listings.certify_listing, bazaar.staff, listing=made.id)
    bazaar.pass_days(1)
    done = bazaar.do(listings.certify_listing, bazaar.staff, listing=made.id)
    assert done.certificate.startswith(f"CP450000{bazaar.day.year}")
    found = bazaar.read(listings.find_certificate, done.certificate, caller=trust.VISITOR)
    assert found.id == made.id
    paper = bazaar.read(
        market.certificate_paper, made.id, link=f"https://lingqu.test/{done.certificate}"
    )
    for to in documents.Format:
        assert documents.render(paper.template, paper.data, to=to).content
    bazaar.do(listings.put_up_listing, bazaar.staff, listing=made.id)

    def search(question):
        page = bazaar.read(
            listings.find_listings, page=PageRequest(), question=question, caller=trust.VISITOR
        )
        return [one.id for one in page.items]

    for question in ("号段", "归属核验", "某市", "段", "segment", "SEG", "号段 核验", ""):
        assert made.id in search(question), question
    for order in listings.Order:
        offers = bazaar.read(
            listings.search_listings, question="号段", order=order, size=5, caller=trust.VISITOR
        )
        assert made.id in [one.id for one in offers.items]
        assert offers.total == offers.forms[made.form.value] == len(search("号段"))
    for question in ("号归", "税务", "段号", "号段 税务", "%", "seg ment x"):
        assert made.id not in search(question), question
    bazaar.do(
        listings.delist_listing,
        bazaar.operator,
        listing=made.id,
        party=bazaar.seller,
        reason="产品升级。",
    )
    assert made.id not in search("号段")


def test_an_objection_is_decided_before_a_certificate(bazaar):
    product, code, _ = bazaar.product()
    bazaar.trial(product)
    made = bazaar.apply(code)

    def object_to():
        return bazaar.do(
            listings.object_to_listing,
            bazaar.banker,
            objection=new_id(listings.ObjectionId),
            listing=made.id,
            party=bazaar.buyer,
            reason="名称与既有产品混淆。",
            evidence=digest("截图"),
        )

    with pytest.raises(listings.NotPublicized):
        object_to()
    bazaar.do(listings.publicize_listing, bazaar.staff, listing=made.id, opinion="通过。")
    first, second = object_to(), object_to()
    bazaar.pass_days(4)
    with pytest.raises(listings.NotPublicized):
        object_to()
    with pytest.raises(listings.ObjectionOpen):
        bazaar.do(listings.certify_listing, bazaar.staff, listing=made.id)
    for one, decision in ((first, "dismissed"), (second, "upheld")):
        bazaar.do(
            listings.decide_objection,
            bazaar.staff,
            objection=one.id,
            upheld=listings.ObjectionState(decision),
            answer="已核查。",
        )
    with pytest.raises(listings.ObjectionOver):
        bazaar.do(
            listings.decide_objection,
            bazaar.staff,
            objection=first.id,
            upheld=listings.ObjectionState.UPHELD,
            answer="再议。",
        )
    with pytest.raises(listings.ObjectionOpen):
        bazaar.do(listings.certify_listing, bazaar.staff, listing=made.id)
    gone = bazaar.do(
        listings.refuse_listing, bazaar.staff, listing=made.id, opinion="异议成立，不予登记。"
    )
    assert gone.state is listings.ListingState.REFUSED
    filed = bazaar.read(listings.find_objections, made.id, caller=bazaar.operator)
    assert [one.state.value for one in filed] == ["dismissed", "upheld"]


def test_only_what_stands_in_the_registry_under_a_living_grant_is_listed(bazaar):
    with pytest.raises(listings.NotRegistered) as caught:
        bazaar.apply("6450000000000000")
    assert "27号" in caught.value.article
    product, code, grant = bazaar.product()
    bazaar.trial(product)
    bazaar.do(
        holds.place_hold,
        hold=new_id(holds.HoldId),
        subject=grant,
        reason=holds.HoldReason.DISPUTE,
        article="《网络数据安全管理条例》第五十二条",
    )
    with pytest.raises(holds.Held):
        bazaar.apply(code)
    short, until = bazaar.product(until=bazaar.day + timedelta(days=60))[:2]
    bazaar.trial(short)
    bazaar.pass_days(50)
    with pytest.raises(listings.NotRegistered):
        bazaar.apply(until)


def test_members_are_identified_committed_and_admitted(bazaar):
    party, caller = bazaar.organization("〈新数据商〉（演示）", Role.MERCHANT)
    given = {
        "venue": bazaar.venue,
        "party": party,
        "roles": (market.MemberRole.MERCHANT,),
        "material": digest("资质"),
        "commitment": market.get_commitment(market.CommitmentKind.MEMBER).digest,
    }

    def apply(**changes):
        return bazaar.do(
            market.apply_membership, caller, **{"member": new_id(market.MemberId)} | given | changes
        )

    with pytest.raises(market.CommitmentDiffers):
        apply(commitment=digest("别的承诺"))
    with pytest.raises(market.VenueTradesItself):
        bazaar.do(
            market.apply_membership,
            bazaar.place.account(bazaar.venue, role=Role.MEMBER),
            **{"member": new_id(market.MemberId)} | given | {"party": bazaar.venue},
        )
    made = apply()
    with pytest.raises(market.MemberTaken):
        apply()
    with pytest.raises(trust.AccessDenied):
        bazaar.do(market.admit_member, caller, member=made.id, opinion="自己同意。")
    bazaar.do(market.refuse_member, bazaar.staff, member=made.id, opinion="资质不符。")
    made = apply()
    hold = bazaar.do(
        holds.place_hold,
        hold=new_id(holds.HoldId),
        subject=party,
        reason=holds.HoldReason.SUPERVISION,
        article="《网络数据安全管理条例》第五十二条",
    )
    with pytest.raises(holds.Held):
        bazaar.do(market.admit_member, bazaar.staff, member=made.id, opinion="同意。")
    bazaar.do(holds.lift_hold, hold=hold.id)
    bazaar.do(market.admit_member, bazaar.staff, member=made.id, opinion="同意。")
    ended = bazaar.do(market.end_membership, bazaar.staff, member=made.id, opinion="申请退出。")
    assert ended.state is market.MemberState.ENDED
    mine = bazaar.read(market.find_members, page=PageRequest(), party=party, caller=caller)
    assert len(mine.items) == 2
    nameless = bazaar.place.party("〈无代码单位〉（演示）")
    with pytest.raises(market.NotIdentified):
        bazaar.do(
            market.apply_membership,
            bazaar.place.account(nameless, role=Role.MEMBER),
            **{"member": new_id(market.MemberId)} | given | {"party": nameless},
        )


def test_payments_are_booked_once_and_only_what_is_free_is_paid_back(bazaar):
    before = bazaar.funds()
    bazaar.pay_in(500, reference="ICBC-1")
    with pytest.raises(market.DepositTaken):
        bazaar.pay_in(500, reference="ICBC-1")
    with pytest.raises(market.BadDeposit):
        bazaar.pay_in(0)
    had = 0 if before is None else before.posted
    back = {
        "venue": bazaar.venue,
        "party": bazaar.buyer,
        "direction": market.Direction.OUT,
        "paid_on": bazaar.day,
    }
    with pytest.raises(market.FundsShort):
        bazaar.do(
            market.record_deposit,
            bazaar.clerk,
            deposit=new_id(market.DepositId),
            amount=had + 501,
            reference="OUT-1",
            **back,
        )
    bazaar.do(
        market.record_deposit,
        bazaar.clerk,
        deposit=new_id(market.DepositId),
        amount=200,
        reference="OUT-2",
        **back,
    )
    assert bazaar.funds().posted == had + 300
    (venue,) = bazaar.read(market.find_venues)
    (bank,) = bazaar.read(ledger.find_balances, accounts=(venue.bank,))
    assert (
        bank.posted
        == -bazaar.place.sql(
            "SELECT sum(CASE direction WHEN 'in' THEN amount ELSE -amount END)::bigint"
            " FROM market.deposit"
        )[0][0]
    )
    with pytest.raises(trust.AccessDenied):
        bazaar.do(
            market.record_deposit,
            bazaar.banker,
            deposit=new_id(market.DepositId),
            amount=1,
            reference="SELF",
            **{**back, "direction": market.Direction.IN},
        )
    shown = bazaar.read(
        market.find_deposits,
        venue=bazaar.venue,
        party=bazaar.buyer,
        page=PageRequest(),
        caller=bazaar.banker,
    )
    assert len(shown.items) == 2


def test_a_region_without_a_venue_opens_none(trust_server, place_type):
    place = place_type(trust_server)
    place.found(story_from=at(BEGIN))
    place.database.use_story_clock(story=True)
    place.database.rules = rulebook.version("qinzhou")
    venue = place.party("〈钦州〉（演示）")
    with pytest.raises(market.NoVenueHere) as caught:
        place.do(market.open_venue, venue=venue)
    assert "第十六条" in caught.value.article
    assert "征求意见" not in caught.value.article
    place.close()


def test_a_venue_is_opened_once(bazaar):
    with pytest.raises(market.VenueTaken):
        bazaar.do(market.open_venue, venue=bazaar.venue)
    with pytest.raises(market.VenueNotFound):
        bazaar.read(market.get_venue, bazaar.buyer)
    assert dataclasses.replace(bazaar.read(market.get_venue, bazaar.venue)).party == bazaar.venue
    assert date(2026, 1, 1) < BEGIN
