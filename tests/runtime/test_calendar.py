# SPDX-License-Identifier: Apache-2.0
"""The working-day calendar: against a naive count, and against arrangements that were published."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.runtime import calendar
from lingqu.runtime.calendar import Calendar, DayCount, DayTable, SpecialDay

ONE_DAY = timedelta(days=1)
NATIONAL = Calendar(tables=(calendar.national_table(),))


def special(day, *, is_working=False):
    return SpecialDay(day=day, is_working=is_working, title_zh="壮族三月三", title_en="Sanyuesan")


REGION = DayTable(
    years=frozenset(range(2004, 2027)),
    days=(special(date(2026, 4, 20)), special(date(2026, 4, 21))),
)
REGIONAL = Calendar(tables=(calendar.national_table(), REGION))

days = st.dates(date(2003, 6, 1), date(2028, 6, 1))
small = st.dates(date(2025, 12, 1), date(2026, 3, 1))


@st.composite
def calendars(draw):
    """A national table and a region's, with any days, also such as the week has anyway."""
    tables = []
    for _ in range(draw(st.integers(0, 2))):
        named = draw(st.dictionaries(small, st.booleans(), max_size=40))
        tables.append(
            DayTable(
                years=frozenset({2025, 2026}),
                days=tuple(special(day, is_working=works) for day, works in named.items()),
            )
        )
    return Calendar(tables=tuple(tables))


def naive_is_working(of, day):
    answer = day.weekday() < 5
    for table in of.tables:
        for one in table.days:
            if one.day == day:
                answer = one.is_working
    return answer


def naive_step(of, day, count):
    step = ONE_DAY if count > 0 else -ONE_DAY
    for _ in range(abs(count)):
        day += step
        while not naive_is_working(of, day):
            day += step
    return day


def naive_provisional(of, one, other):
    first, last = min(one, other), max(one, other)
    walked = [first + n * ONE_DAY for n in range((last - first).days + 1)]
    return not all(of.is_published(day) for day in walked)


@given(calendars(), small)
def test_a_day_is_worked_as_the_last_table_that_names_it_says(of, day):
    assert of.is_working_day(day) == naive_is_working(of, day)


@given(calendars(), small, st.integers(-40, 40))
def test_adding_working_days_equals_walking_them(of, day, count):
    found = of.add_working_days(day, count)
    assert found.last_day == naive_step(of, day, count)
    assert found.is_provisional == naive_provisional(of, day, found.last_day)


@given(calendars(), small, small)
def test_counting_working_days_equals_walking_them(of, one, other):
    found = of.working_days_between(one, other)
    first, last = min(one, other), max(one, other)
    walked = (first + (n + 1) * ONE_DAY for n in range((last - first).days))
    count = sum(naive_is_working(of, day) for day in walked)
    assert found.days == (count if one <= other else -count)
    assert found.is_provisional == naive_provisional(of, one, other)


@given(days, st.integers(1, 400))
def test_a_deadline_is_a_working_day_exactly_so_many_working_days_away(day, count):
    found = NATIONAL.add_working_days(day, count)
    assert NATIONAL.is_working_day(found.last_day)
    assert NATIONAL.working_days_between(day, found.last_day).days == count
    back = NATIONAL.add_working_days(found.last_day + ONE_DAY, -count)
    assert NATIONAL.working_days_between(back.last_day, found.last_day).days == count - 1


@given(days, st.integers(0, 60))
def test_a_period_in_days_or_months_never_ends_on_a_day_off(day, count):
    for found, bare in (
        (REGIONAL.add_days(day, count), day + count * ONE_DAY),
        (REGIONAL.add_months(day, count), calendar.shift_months(day, count)),
    ):
        assert REGIONAL.is_working_day(found.last_day)
        between = (bare + n * ONE_DAY for n in range((found.last_day - bare).days))
        assert not any(naive_is_working(REGIONAL, one) for one in between)


def test_the_spring_festival_of_2026_is_nine_days_between_two_worked_saturdays():
    off = [date(2026, 2, 15) + n * ONE_DAY for n in range(9)]
    assert not any(NATIONAL.is_working_day(day) for day in off)
    assert NATIONAL.is_working_day(date(2026, 2, 14))
    assert NATIONAL.is_working_day(date(2026, 2, 28))
    name = NATIONAL.find_special_day(date(2026, 2, 17))
    assert (name.title_zh, name.title_en) == ("春节", "Spring Festival")
    worked = NATIONAL.find_special_day(date(2026, 2, 28))
    assert worked.is_working
    assert worked.title_zh == "春节"


def test_three_working_days_across_the_spring_festival_of_2026():
    filed = date(2026, 2, 13)
    found = NATIONAL.add_working_days(filed, 3)
    assert found.last_day == date(2026, 2, 25)
    assert found.ends_at == datetime(2026, 2, 25, 16, tzinfo=UTC)
    assert not found.is_provisional


def test_a_make_up_saturday_is_counted_and_the_day_of_filing_is_not():
    assert NATIONAL.add_working_days(date(2026, 2, 13), 1).last_day == date(2026, 2, 14)
    assert NATIONAL.add_working_days(date(2026, 5, 8), 1).last_day == date(2026, 5, 9)
    assert NATIONAL.add_working_days(date(2026, 3, 2), 1).last_day == date(2026, 3, 3)


def test_twenty_working_days_across_the_national_day_of_2026():
    assert NATIONAL.is_working_day(date(2026, 9, 20))
    assert NATIONAL.is_working_day(date(2026, 10, 10))
    assert not any(NATIONAL.is_working_day(date(2026, 10, n)) for n in range(1, 8))
    assert NATIONAL.add_working_days(date(2026, 9, 18), 20).last_day == date(2026, 10, 22)


def test_the_long_holidays_of_other_years_are_those_that_were_published():
    assert not NATIONAL.is_working_day(date(2020, 1, 31)), "the Spring Festival of 2020 was longer"
    assert not NATIONAL.is_working_day(date(2015, 9, 3)), "70 years after the war, once"
    assert NATIONAL.is_working_day(date(2025, 1, 26)), "a worked Sunday before the Spring Festival"
    assert NATIONAL.is_working_day(date(2018, 12, 29)), "December, arranged with 2019"


def test_a_region_has_days_off_of_its_own():
    filed = date(2026, 4, 17)
    assert NATIONAL.add_working_days(filed, 3).last_day == date(2026, 4, 22)
    assert REGIONAL.add_working_days(filed, 3).last_day == date(2026, 4, 24)
    assert REGIONAL.find_special_day(date(2026, 4, 20)).title_zh == "壮族三月三"


def test_a_year_that_is_not_published_counts_weekends_only_and_says_so():
    spring_festival = date(2027, 2, 8)
    assert NATIONAL.is_working_day(spring_festival)
    assert not NATIONAL.is_working_day(date(2027, 2, 6))
    assert NATIONAL.add_working_days(date(2027, 2, 5), 1).is_provisional
    assert NATIONAL.working_days_between(date(2026, 12, 1), date(2027, 1, 4)).is_provisional
    assert not NATIONAL.add_working_days(date(2026, 12, 1), 5).is_provisional


def test_the_last_week_of_december_waits_for_the_next_year():
    assert NATIONAL.is_published(date(2026, 12, 24))
    assert not NATIONAL.is_published(date(2026, 12, 25))
    assert NATIONAL.is_published(date(2025, 12, 31))
    december = [one.day for one in calendar.national_table().days if one.day.month == 12]
    assert december
    assert all(calendar.is_on_cusp(day) for day in december)


def test_a_year_that_only_the_nation_has_published_is_provisional_in_the_region():
    behind = DayTable(years=frozenset({2025}), days=())
    of = Calendar(tables=(calendar.national_table(), behind))
    assert of.add_working_days(date(2026, 3, 2), 3).is_provisional
    assert not of.add_working_days(date(2025, 3, 3), 3).is_provisional


def test_a_period_in_months_ends_on_the_same_day_or_the_last_of_the_month():
    assert calendar.shift_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert calendar.shift_months(date(2024, 2, 29), 36) == date(2027, 2, 28)
    assert calendar.shift_months(date(2026, 3, 31), -1) == date(2026, 2, 28)
    assert NATIONAL.add_months(date(2026, 3, 2), 6).last_day == date(2026, 9, 2)
    assert NATIONAL.add_months(date(2026, 1, 18), 1).last_day == date(2026, 2, 24), "Civil Code 203"


def test_days_left_are_none_on_the_last_day_and_negative_after_it():
    deadline = NATIONAL.add_working_days(date(2026, 3, 2), 4)
    assert deadline.last_day == date(2026, 3, 6)

    def left(*moment):
        return NATIONAL.working_days_left(datetime(*moment, tzinfo=UTC), deadline).days

    assert left(2026, 3, 2, 8) == 4
    assert left(2026, 3, 5, 15, 59) == 1
    assert left(2026, 3, 5, 16) == 0
    assert left(2026, 3, 6, 15, 59) == 0
    assert left(2026, 3, 6, 16) == -1, "Saturday: late, though no working day has passed"
    assert left(2026, 3, 9, 1) == -1
    assert left(2026, 3, 10, 1) == -2


def test_a_day_belongs_to_the_region_and_not_to_utc():
    assert calendar.local_day(datetime(2026, 3, 5, 15, 59, tzinfo=UTC)) == date(2026, 3, 5)
    assert calendar.local_day(datetime(2026, 3, 5, 16, tzinfo=UTC)) == date(2026, 3, 6)
    assert calendar.start_of_day(date(2026, 3, 6)) == datetime(2026, 3, 5, 16, tzinfo=UTC)


@given(st.datetimes(datetime(1992, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_an_instant_lies_in_its_local_day(moment):
    day = calendar.local_day(moment)
    assert calendar.start_of_day(day) <= moment < calendar.start_of_day(day + ONE_DAY)


def test_counting_nothing_gives_the_day_itself():
    assert NATIONAL.add_working_days(date(2026, 3, 7), 0).last_day == date(2026, 3, 7)
    assert NATIONAL.working_days_between(date(2026, 3, 2), date(2026, 3, 2)) == DayCount(
        days=0, is_provisional=False
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda: NATIONAL.add_working_days(date.min, -1),
        lambda: NATIONAL.add_working_days(date(1, 1, 10), -10),
        lambda: NATIONAL.add_working_days(date.max, 1),
        lambda: NATIONAL.add_working_days(date(2026, 1, 1), 10**9),
        lambda: NATIONAL.add_working_days(date(2026, 1, 1), -(10**9)),
        lambda: NATIONAL.add_days(date(2026, 1, 1), 10**9),
        lambda: NATIONAL.add_months(date(2026, 1, 1), 10**9),
        lambda: calendar.shift_months(date(1, 1, 1), -1),
        lambda: calendar.local_day(datetime.min.replace(tzinfo=UTC)),
        lambda: calendar.local_day(datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_leaving_the_calendar_is_refused_in_words(ask):
    with pytest.raises(calendar.DayOutOfRange):
        ask()


@pytest.mark.parametrize(
    "days_named",
    [
        (special(date(2026, 4, 20)), special(date(2026, 4, 20), is_working=True)),
        (special(date(2024, 4, 20)),),
    ],
)
def test_a_table_that_contradicts_itself_is_a_mistake(days_named):
    with pytest.raises(AssertionError):
        DayTable(years=frozenset({2026}), days=days_named)


@pytest.mark.parametrize("text", ["", "heute", "2026-02-30", "20260302", "2026-W10-1", "2026-3-2"])
def test_a_text_that_is_no_day_is_refused(text):
    with pytest.raises(calendar.BadDay):
        calendar.parse_day(text)


@given(st.dates())
def test_a_day_survives_its_text(day):
    assert calendar.parse_day(day.isoformat()) == day


def test_a_calendar_is_a_value():
    assert Calendar(tables=(calendar.national_table(),)) == NATIONAL
    assert hash(Calendar(tables=(calendar.national_table(),))) == hash(NATIONAL)
    assert REGIONAL != NATIONAL
