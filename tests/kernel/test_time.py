# SPDX-License-Identifier: Apache-2.0
"""Instants and periods."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.time import (
    BadInstant,
    BadPeriod,
    Period,
    as_instant,
    format_instant,
    parse_instant,
)

instants = st.datetimes(timezones=st.just(UTC))


@given(instants)
def test_an_instant_survives_its_text(moment):
    text = format_instant(moment)
    assert len(text) == 27
    assert parse_instant(text) == moment


@given(instants, instants)
def test_texts_sort_as_their_instants(one, other):
    assert (format_instant(one) < format_instant(other)) == (one < other)


def test_an_offset_is_converted_to_utc():
    assert parse_instant("2026-03-02T08:00:00+08:00") == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-03-02", "2026-03-02T08:00:00", "0001-01-01T00:00:00+08:00"]
)
def test_a_text_that_is_no_instant_is_refused(text):
    with pytest.raises(BadInstant):
        parse_instant(text)


def test_a_naive_datetime_is_a_mistake():
    with pytest.raises(AssertionError):
        as_instant(datetime(2026, 1, 1))  # noqa: DTZ001  # the mistake under test


day = timedelta(days=1)
first = datetime(2026, 1, 1, tzinfo=timezone.utc)  # noqa: UP017  # spelled as callers may


def test_a_period_holds_its_start_and_not_its_end():
    period = Period(first, first + day)
    assert first in period
    assert first + day not in period
    assert first + 1000 * day in Period(first)


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(BadPeriod):
        Period(first, first)


@given(instants, st.integers(1, 100), instants, st.integers(1, 100), instants)
def test_the_meet_of_periods_holds_what_both_hold(start, length, other, other_length, moment):
    try:
        one, two = Period(start, start + length * day), Period(other, other + other_length * day)
    except OverflowError:
        return
    shared = one.meet(two)
    assert (moment in one and moment in two) == (shared is not None and moment in shared)
    assert one.meet(two) == two.meet(one)
