# SPDX-License-Identifier: Apache-2.0
"""Values to plain data and back, and pages."""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel import canon
from lingqu.kernel.ids import Id
from lingqu.kernel.money import Money
from lingqu.kernel.paging import BadPage, PageRequest, cursor
from lingqu.kernel.time import Period
from lingqu.kernel.values import BadValue, Hidden, from_plain, from_row, to_plain


class ThingId(Id):
    prefix = "thing"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    id: ThingId
    color: Color
    price: Money
    valid: Period
    names: tuple[str, ...]
    digest: bytes
    note: str | None = None
    more: dict[str, int] | None = None


things = st.builds(
    Thing,
    id=st.builds(
        ThingId.make, unix_ms=st.integers(0, 2**48 - 1), entropy=st.binary(min_size=10, max_size=10)
    ),
    color=st.sampled_from(Color),
    price=st.builds(Money, st.integers(-(2**52), 2**52), st.just("CNY")),
    valid=st.builds(Period, st.datetimes(timezones=st.just(UTC))),
    names=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    digest=st.binary(),
    note=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    more=st.none()
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-9, 9)),
)


@given(things)
def test_a_value_survives_plain_data_and_canonical_json(thing):
    plain = to_plain(thing)
    assert from_plain(Thing, plain) == thing
    assert from_plain(Thing, canon.decode(canon.encode(plain))) == thing


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_data_of_another_shape_is_refused_never_a_crash(plain):
    with pytest.raises(BadValue):
        from_plain(Thing, plain)


def test_a_hidden_text_has_no_plain_form_and_no_repr():
    secret = Hidden("open sesame")
    assert to_plain({"password": secret}) == {"password": None}
    assert "sesame" not in repr(secret)


def test_a_database_row_becomes_a_typed_value():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Small:
        id: ThingId
        color: Color | None
        at: datetime

    moment = datetime(2026, 1, 1, tzinfo=UTC)
    made = ThingId.make(unix_ms=1, entropy=bytes(10))
    row = {"id": str(made), "color": "red", "at": moment, "unused": 1}
    small = from_row(Small, row)
    assert (type(small.id), small.color, small.at) == (ThingId, Color.RED, moment)
    assert from_row(Small, row | {"color": None}).color is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_a_cursor_gives_back_its_key(key):
    assert PageRequest(after=cursor(key)).key == key


@pytest.mark.parametrize("after", ["?", "é", "a", "gICA", cursor("\x00")])
def test_a_cursor_we_never_gave_out_is_refused(after):
    with pytest.raises(BadPage):
        _ = PageRequest(after=after).key


@pytest.mark.parametrize("size", [0, -1, 501])
def test_a_page_of_no_size_is_refused(size):
    with pytest.raises(BadPage):
        PageRequest(size=size)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(), st.text('a"\\,\x1f')
)


@given(
    st.one_of(
        st.lists(scalars),
        st.lists(st.integers(-(2**53) + 1, 2**53 - 1)),
        st.lists(st.text(st.characters(codec="utf-8"))),
        st.builds(lambda one, count: [one] * count, scalars, st.integers(1, 3)),
    )
)
def test_many_scalars_are_written_as_each_is(values):
    try:
        each = [canon.encode(one).decode() for one in values]
    except canon.NotCanonical:
        with pytest.raises(canon.NotCanonical):
            canon.encode_scalars(values)
    else:
        assert canon.encode_scalars(values) == each


@pytest.mark.parametrize("value", [[1], {"a": 1}, 1.0, b"a", 2**53, "\ud800"])
def test_what_is_no_scalar_of_canonical_json_is_refused_among_many(value):
    for values in ([value], [value, value], ["a", value]):
        with pytest.raises(canon.NotCanonical):
            canon.encode_scalars(values)
