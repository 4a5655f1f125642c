# SPDX-License-Identifier: Apache-2.0
"""Fees: what a call costs, trial fees, ceilings under permitted revenue, and their refusals."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu import market, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import fees as inside
from lingqu.market import prices
from lingqu.runtime import new_id
from lingqu.trust import rulebook
from lingqu.trust.procedures import records

COSTS = prices.CostFile(
    platform=300_000_000,
    processing=250_000_000,
    people=200_000_000,
    acquisition=40_000_000,
    period=60_000_000,
    subsidies=50_000_000,
)
SCHEDULES = st.builds(
    market.FeeSchedule,
    unit_price_minor=st.integers(0, 500),
    free_calls=st.integers(0, 30),
    tiers=st.lists(st.integers(1, 60), unique=True, max_size=4).map(
        lambda starts: tuple(
            market.Tier(above=above, unit_price_minor=400 - above) for above in sorted(starts)
        )
    ),
)
ANSWERS = st.lists(st.sampled_from(market.Answer), max_size=80)


@given(SCHEDULES, ANSWERS, st.integers(0, 80))
def test_a_total_is_the_sum_of_its_calls_however_they_are_batched(schedule, answers, cut):
    whole = inside.price_calls(schedule, answers, before=0)
    first = inside.price_calls(schedule, answers[:cut], before=0)
    billed = sum(inside.is_billed(schedule, one) for one in answers[:cut])
    rest = inside.price_calls(schedule, answers[cut:], before=billed)
    assert (*first, *rest) == whole
    count = sum(inside.is_billed(schedule, one) for one in answers)
    assert market.total_of(schedule, count) == sum(whole)
    assert all(one <= schedule.highest_minor for one in whole)
    assert inside.read_fees(inside.write_fees(schedule)) == schedule


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit_price_minor": -1},
        {"billed": ()},
        {"billed": (market.Answer.YES, market.Answer.YES)},
        {"free_calls": -1},
        {"tiers": (market.Tier(above=5, unit_price_minor=1),) * 2},
        {"tiers": (market.Tier(above=5, unit_price_minor=-1),)},
        {"currency": "USD"},
    ],
)  # fmt: skip
def test_a_schedule_that_is_none_is_refused(wrong):
    with pytest.raises(market.BadFees):
        market.FeeSchedule(**{"unit_price_minor": 1} | wrong)


def applied(bazaar, product, since, *, planned_calls=8_852_000):
    return bazaar.do(
        prices.apply_formal_price,
        bazaar.operator,
        price=new_id(prices.PriceId),
        product=product,
        seller=bazaar.seller,
        authorizer=bazaar.body,
        authority=bazaar.bureau,
        operating_since=since,
        costs=COSTS,
        planned_calls=planned_calls,
    )


def permitted(bazaar, price):
    return bazaar.do(
        prices.permit_revenue,
        bazaar.pricer,
        price=price.id,
        bond_yield_bp=190,
        margin_bp=500,
        tax_minor=30_000_000,
        opinion="核定。",
    )


def test_from_the_second_year_a_fee_stays_under_a_ceiling_within_permitted_revenue(bazaar):
    since = bazaar.day - timedelta(days=500)
    made = applied(bazaar, "prd_second", since)
    made = permitted(bazaar, made)
    assert made.permitted == 885_200_000
    steps = {one.rule: one for one in made.steps}
    assert steps["price.operating_cost"].result == 800_000_000
    assert steps["price.permitted_profit_rate"].result == 690
    assert steps["price.permitted_profit"].result == 55_200_000
    assert "三（一）" in steps["price.permitted_revenue"].article
    with pytest.raises(prices.CeilingAbovePermitted) as caught:
        bazaar.do(
            prices.set_ceiling, bazaar.implementer, price=made.id, ceiling_minor=101, opinion="定。"
        )
    assert caught.value.parameters["most"] == 100
    assert "65号" in caught.value.article
    made = bazaar.do(
        prices.set_ceiling, bazaar.implementer, price=made.id, ceiling_minor=100, opinion="定。"
    )
    with pytest.raises(prices.AboveCeiling) as caught:
        bazaar.do(
            prices.publish_price,
            bazaar.operator,
            price=made.id,
            fees=market.FeeSchedule(
                unit_price_minor=90, tiers=(market.Tier(above=10, unit_price_minor=101),)
            ),
        )
    assert caught.value.parameters == {"given": 101, "ceiling": 100}
    assert caught.value.article == rulebook.ground("price.actual_within_ceiling").rule.citation
    fee = market.FeeSchedule(unit_price_minor=100)
    done = bazaar.do(prices.publish_price, bazaar.operator, price=made.id, fees=fee)
    assert done.schedule == fee
    assert bazaar.read(prices.find_price, "prd_second").id == done.id
    review = bazaar.read(prices.review_income, done.id, actual=990_000_000)
    assert (review.deviation_bp, review.adjusts, review.excess) == (1183, "ceilings", 104_800_000)
    assert bazaar.read(prices.review_income, done.id, actual=885_200_000).adjusts == "actual_fees"
    visible = bazaar.read(prices.find_prices, page=PageRequest(), product="prd_second")
    assert [one.id for one in visible.items] == [done.id]
    again = permitted(bazaar, applied(bazaar, "prd_second", since))
    bazaar.do(
        prices.set_ceiling, bazaar.implementer, price=again.id, ceiling_minor=80, opinion="降。"
    )
    newer = market.FeeSchedule(unit_price_minor=80)
    bazaar.do(prices.publish_price, bazaar.operator, price=again.id, fees=newer)
    replaced = bazaar.read(prices.get_price, done.id)
    assert replaced.state is prices.PriceState.REPLACED
    assert bazaar.read(prices.find_price, "prd_second").schedule == newer


def test_a_trial_fee_is_for_the_first_year_only(bazaar):
    since = bazaar.day
    with pytest.raises(prices.YearNotFull):
        applied(bazaar, "prd_first", since)
    done = bazaar.trial("prd_first", since=since)
    assert done.basis is prices.PriceBasis.TRIAL
    with pytest.raises(prices.TrialOver) as caught:
        bazaar.trial("prd_old", since=bazaar.day - timedelta(days=366))
    assert "65号" in caught.value.article
    with pytest.raises(prices.BadPrice):
        bazaar.trial("prd_first", since=since - timedelta(days=1))
    with pytest.raises(prices.BadPrice):
        bazaar.trial("prd_other", since=bazaar.day + timedelta(days=1))


def test_each_step_is_taken_by_who_answers_for_it(bazaar):
    made = applied(bazaar, "prd_roles", bazaar.day - timedelta(days=500))
    with pytest.raises(trust.AccessDenied):
        bazaar.do(
            prices.permit_revenue,
            bazaar.operator,
            price=made.id,
            bond_yield_bp=190,
            margin_bp=500,
            tax_minor=0,
            opinion="自行核定。",
        )
    with pytest.raises(rulebook.BadInput):
        bazaar.do(
            prices.permit_revenue,
            bazaar.pricer,
            price=made.id,
            bond_yield_bp=190,
            margin_bp=601,
            tax_minor=0,
            opinion="加点过高。",
        )
    with pytest.raises(records.IllegalMove):
        bazaar.do(
            prices.set_ceiling, bazaar.implementer, price=made.id, ceiling_minor=1, opinion="早。"
        )
    gone = bazaar.do(prices.refuse_price, bazaar.pricer, price=made.id, reason="成本资料不全。")
    assert gone.state is prices.PriceState.REFUSED
    with pytest.raises(prices.PriceNotFound):
        bazaar.read(prices.get_price, made.id, caller=bazaar.banker)


def test_a_trial_may_be_refused_and_applied_for_again(bazaar):
    price = new_id(prices.PriceId)
    asked = {
        "product": "prd_again",
        "seller": bazaar.seller,
        "authorizer": bazaar.body,
        "operating_since": bazaar.day,
        "fees": market.FeeSchedule(unit_price_minor=9),
    }
    bazaar.do(prices.apply_trial_price, bazaar.operator, price=price, **asked)
    with pytest.raises(prices.PriceTaken):
        bazaar.do(prices.apply_trial_price, bazaar.operator, price=new_id(prices.PriceId), **asked)
    bazaar.do(prices.refuse_price, bazaar.implementer, price=price, reason="偏高。")
    made = new_id(prices.PriceId)
    bazaar.do(prices.apply_trial_price, bazaar.operator, price=made, **asked)
    done = bazaar.do(prices.agree_trial_price, bazaar.implementer, price=made, opinion="同意。")
    assert done.ceiling == 9


def test_no_contract_is_made_on_a_trial_fee_whose_year_is_over(bazaar):
    listing = bazaar.listed(until=date(2030, 1, 1))
    bazaar.go(bazaar.day + timedelta(days=366))
    with pytest.raises(prices.TrialOver):
        bazaar.propose(listing)
