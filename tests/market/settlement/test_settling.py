# SPDX-License-Identifier: Apache-2.0
"""A settled day: every fen has an owner, refunds come first, and the treasury's share is owed."""

from datetime import timedelta

import pytest

from lingqu import ledger, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import distribution, settlement
from lingqu.market.distribution import Share
from lingqu.runtime import documents, new_id


@pytest.fixture(scope="module")
def settled(world, metered):
    """Friday: one contract is charged 10.01 yuan, another is corrected by 1 yuan; all is shared."""
    world.common_plan()
    first = world.contract(frozen=10_000, unit_price_minor=91)
    second = world.contract(frozen=10_000, unit_price_minor=100)
    world.charge(first, *[metered() for _ in range(11)])
    wrong = metered()
    world.charge(second, metered(), wrong)
    world.correct(second, wrong.call, 100)
    return world.settle(world.next_day()), first, second, wrong


def test_the_waterfall_shares_every_fen(world, settled):
    made, first, second, _ = settled
    assert (made.contracts, made.made_up, made.shared) == (2, 100, 1_001 + 100)
    parts = world.read(distribution.find_payouts, made.id, caller=world.clearing)
    by = {(one.contract, one.share): one.amount for one in parts}
    assert by[first.id, Share.VENUE_FEE] == 25, "2.5 % of 1001, rounded"
    assert by[first.id, Share.GOVERNMENT] == 293, "30 % of the other 976"
    assert by[first.id, Share.SERVICE_FEE] == 683
    assert world.read(distribution.find_unposted, made.id) == ()
    for one in parts:
        if one.contract == second.id:
            assert one.amount == {250: 3, 3_000: 29, 10_000: 68}[one.rate]
    assert world.balance(first.charged) == (0, 0)
    assert world.balance(second.charged) == (0, 0)
    page = world.read(distribution.find_settlements, venue=world.venue, page=PageRequest())
    assert page.items == (made,)


def test_a_day_is_settled_once_and_only_when_it_is_closed(world, settled):
    made, *_ = settled
    with pytest.raises(distribution.DaySettled):
        world.settle(made.day)
    with pytest.raises(distribution.DayStillOpen):
        world.settle(made.day + timedelta(days=1))
    with pytest.raises(trust.AccessDenied):
        world.settle(made.day, caller=world.buyer)


def test_a_payable_is_printed_and_closed_on_a_receipt(world, settled):
    made, *_ = settled
    (owed,) = world.read(
        distribution.find_payables, party=world.treasury, page=PageRequest(), caller=world.officer
    ).items
    assert (owed.amount, owed.number) == (293 + 29, "缴〔2026〕1号")
    assert owed.due_on.isoformat() == "2026-04-03", "five working days after Friday the 27th"
    notice = world.read(distribution.notice_paper, owed.id, caller=world.officer)
    assert notice.sealers == (world.treasury,)
    for form in documents.Format:
        assert len(documents.render(notice.template, notice.data, to=form).content) > 5_000
    assert world.read(distribution.notice_paper, owed.id, caller=world.staff) == notice

    def close(receipt, caller=world.officer, paid_on=made.day):
        return world.do(
            distribution.close_payable, caller, payable=owed.id, receipt=receipt, paid_on=paid_on
        )

    with pytest.raises(trust.AccessDenied):
        close("桂财收 0001", caller=world.staff)
    with pytest.raises(distribution.BadReceipt):
        close(" ")
    with pytest.raises(distribution.BadReceipt):
        close("桂财收 0001", paid_on=made.day + timedelta(days=9))
    closed = close("桂财收 0001")
    world.do(ledger.post_batch, trust.PLATFORM)
    assert closed.receipt == "桂财收 0001"
    assert world.balance(owed.account) == (0, 0), "the money left the books"
    with pytest.raises(distribution.PayableClosed):
        close("桂财收 0002")
    page = world.read(
        distribution.find_payables, party=world.venue, page=PageRequest(), only_open=True
    )
    assert page.items == ()
    with pytest.raises(distribution.PayableNotFound):
        world.read(distribution.get_payable, owed.id, caller=world.buyer)


def test_a_refund_after_sharing_is_made_up_before_anything_is_shared(world, settled, metered):
    _, _, second, wrong = settled
    with pytest.raises(settlement.MoreThanCharged):
        world.correct(second, wrong.call, 1)
    with pytest.raises(trust.AccessDenied):
        world.correct(second, wrong.call, 1, caller=world.buyer)
    with pytest.raises(trust.AccessDenied):
        world.correct(second, wrong.call, 1, caller=world.clearing)
    with pytest.raises(settlement.ChargeNotFound):
        world.correct(second, "nothing", 1)
    paid = metered()
    world.charge(second, paid)
    with pytest.raises(settlement.BadCorrection):
        world.correct(second, paid.call, 1, reason=" ")
    with pytest.raises(settlement.BadAmount):
        world.correct(second, paid.call, 0)
    world.settle(world.next_day())
    free = world.balance(second.funds)[0]
    world.correct(second, paid.call, 60)
    assert world.balance(second.funds)[0] == free + 60, "the buyer has it at once"
    assert world.balance(world.tally(second).refunds) == (-60, 0)
    world.charge(second, metered())
    after = world.settle(world.next_day())
    assert (after.made_up, after.shared) == (60, 40)
    assert world.balance(world.tally(second).refunds) == (0, 0)


@pytest.mark.usefixtures("settled")
def test_what_was_not_paid_is_waived_not_paid_back(world, metered):
    contract = world.contract(frozen=100, unit_price_minor=100)
    short = metered()
    world.charge(contract, metered(), short)
    made = world.correct(contract, short.call, 100)
    assert (made.waived, made.transfer) == (100, None)
    assert (world.tally(contract).short, world.tally(contract).waived) == (0, 100)


@pytest.mark.usefixtures("settled")
def test_a_new_plan_counts_from_its_beginning_and_bad_ones_are_refused(world, metered):
    government, venue = Share.GOVERNMENT, Share.VENUE_FEE
    for steps in (
        (),
        ((venue, world.venue, 100),),
        ((venue, world.venue, 100), (venue, world.venue, 10_000)),
        ((venue, new_id(trust.PartyId), 10_000),),
    ):
        with pytest.raises(distribution.BadPlan):
            world.plan(*steps)
    with pytest.raises(distribution.BadPlan):
        world.plan((government, world.treasury, 10_000), working_days=0)
    world.plan((venue, world.venue, 5_000), (Share.PARTNER, world.body, 10_000))
    contract = world.contract(frozen=1_000, unit_price_minor=3)
    world.charge(contract, metered())
    made = world.settle(world.next_day())
    amounts = {
        one.share: (one.before, one.amount)
        for one in world.read(distribution.find_payouts, made.id)
        if one.contract == contract.id
    }
    assert amounts == {venue: (0, 2), Share.PARTNER: (0, 1)}
    world.common_plan()


@pytest.mark.usefixtures("settled")
def test_without_a_plan_nothing_is_settled(world, metered):
    world.place.sql("UPDATE market.plan SET ended_at = 'infinity' WHERE ended_at IS NULL")
    contract = world.contract(frozen=1_000, unit_price_minor=3)
    world.charge(contract, metered())
    day = world.next_day()
    with pytest.raises(distribution.PlanNotFound):
        world.settle(day)
    world.place.sql("UPDATE market.plan SET ended_at = NULL WHERE ended_at = 'infinity'")
    assert world.settle(day).contracts == 1


def test_the_job_and_a_person_settle_a_day_to_the_same_in_either_order(world, metered):
    world.common_plan()
    contract = world.contract(frozen=10_000, unit_price_minor=80)
    made = []
    for job_first in (True, False):
        world.charge(contract, *(metered() for _ in range(10)))
        day = world.next_day()

        def job():
            return distribution.settle_closed_day(world.place.database, trust.PLATFORM)

        def person(day=day):
            return distribution.ensure_settled(
                world.place.database,
                world.clearing,
                new_id(trust.CommandId),
                settlement=new_id(distribution.SettlementId),
                venue=world.venue,
                day=day,
            )

        if job_first:
            (by_job,) = job()
            assert person() == by_job, "the person is given what the job settled"
        else:
            by_person = person()
            assert job() == ()
            assert person() == by_person
        world.do(ledger.post_batch, trust.PLATFORM)
        page = world.read(distribution.find_settlements, venue=world.venue, page=PageRequest())
        (one,) = (one for one in page.items if one.day == day)
        parts = world.read(distribution.find_payouts, one.id, caller=world.clearing)
        made.append((one.contracts, one.shared, sorted((p.share.value, p.amount) for p in parts)))
        assert world.read(distribution.find_unposted, one.id) == ()
    assert made[0] == made[1]
    assert made[0][:2] == (1, 800)
