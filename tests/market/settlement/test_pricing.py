# SPDX-License-Identifier: Apache-2.0
"""What calls cost depends on how much was used, never on how the use was cut."""

from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.time import parse_instant
from lingqu.market import Answer, FeeSchedule, Tier
from lingqu.market.distribution import share_more, share_total
from lingqu.market.settlement import MeteredCall, price_batch

AT = parse_instant("2026-03-02T04:00:00Z")


def price_of(fees, number):
    """What a counted unit costs, said plainly; the first is 1."""
    steps = [one.unit_price_minor for one in fees.tiers if number > one.above]
    return 0 if number <= fees.free_calls else [fees.unit_price_minor, *steps][-1]


@st.composite
def schedules(draw):
    above = sorted(draw(st.sets(st.integers(1, 40), max_size=3)))
    return FeeSchedule(
        unit_price_minor=draw(st.integers(0, 50)),
        billed=tuple(draw(st.sets(st.sampled_from(Answer), min_size=1))),
        free_calls=draw(st.integers(0, 30)),
        tiers=tuple(Tier(above=one, unit_price_minor=draw(st.integers(0, 50))) for one in above),
    )


@st.composite
def uses(draw):
    counts = draw(st.lists(st.tuples(*[st.integers(0, 9)] * 3, st.booleans()), max_size=12))
    return [
        MeteredCall(
            call=f"c{at}", at=AT, yes=y, no=n, unknown=u, refusal="gate.x" if refused else None
        )
        for at, (y, n, u, refused) in enumerate(counts)
    ]


@given(schedules(), uses(), st.integers(0, 12))
def test_a_price_is_that_of_its_units_however_they_are_cut(fees, calls, cut):
    whole = price_batch(fees, counted=0, calls=calls)
    first = price_batch(fees, counted=0, calls=calls[:cut])
    rest = price_batch(fees, counted=sum(one.units for one in first), calls=calls[cut:])
    assert (*first, *rest) == whole

    number, expected = 0, []
    for one in calls:
        if one.refusal is not None:
            continue
        answers = {Answer.YES: one.yes, Answer.NO: one.no, Answer.UNKNOWN: one.unknown}
        units = sum(count for answer, count in answers.items() if answer in fees.billed)
        prices = [price_of(fees, number + at + 1) for at in range(units)]
        free = sum(number + at + 1 <= fees.free_calls for at in range(units))
        expected.append((one.call, units, free, sum(prices)))
        number += units
    assert [(one.call, one.units, one.free, one.amount) for one in whole] == expected


RATES = st.lists(st.integers(0, 10_000), max_size=4).map(lambda rates: (*rates, 10_000))


@given(RATES, st.lists(st.integers(0, 500), max_size=8))
def test_shares_add_up_to_the_cent_whatever_the_days(rates, days):
    total, had = 0, [0] * len(rates)
    for amount in days:
        parts = share_more(rates, before=total, amount=amount)
        assert min(parts) >= 0, "nobody ever gives a cent back"
        assert sum(parts) == amount
        total += amount
        had = [one + part for one, part in zip(had, parts, strict=True)]
    assert tuple(had) == share_total(rates, total)


@given(RATES, st.integers(0, 10**15))
def test_each_step_takes_its_rate_of_what_reaches_it_within_a_fen(rates, total):
    left = total
    for rate, part in zip(rates, share_total(rates, total), strict=True):
        assert abs(part * 10_000 - left * rate) < 10_000
        left -= part
    assert left == 0
