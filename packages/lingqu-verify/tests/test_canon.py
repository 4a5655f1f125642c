# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON against RFC 8785's samples and a second implementation."""

from __future__ import annotations

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lingqu_verify import canon

# Surrogates cannot be encoded: they have a test of their own.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = st.integers(-canon.MAX_INTEGER, canon.MAX_INTEGER)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(VALUES)
def test_the_form_equals_that_of_a_second_implementation_and_reads_back(value):
    encoded = canon.encode(value)
    assert encoded == rfc8785.dumps(value)
    assert canon.decode(encoded) == value
    assert canon.decode(encoded.decode()) == value


def test_the_samples_of_the_rfc_have_their_published_form():
    # RFC 8785, 3.2.3: sorting by UTF-16 code units.
    weird = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]
    assert list(json.loads(canon.encode(weird)).values()) == order
    french = {"peach": "a", "péché": "b", "pêche": "c", "sin": "d"}
    expected = '{"peach":"a","péché":"b","pêche":"c","sin":"d"}'
    assert canon.encode(dict(reversed(french.items()))).decode() == expected
    # RFC 8785, 3.2.2.2: the escapes, and nothing else escaped.
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/\u007f\b\t\f\r"
    escaped = '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\\b\\t\\f\\r"'
    assert canon.encode(text).decode() == escaped


def test_tuples_and_lists_have_one_form():
    assert canon.encode((1, (2,))) == canon.encode([1, [2]]) == b"[1,[2]]"


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        math.nan,
        2**53,
        -(2**53),
        b"x",
        {1: 2},
        {"a": {None: 1}},
        {"a": {1, 2}},
        "\ud800",
        {"\udc00": 1},
        ["\ud83d"],
    ],
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(canon.NotCanonical):
        canon.encode(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" 1",
        b"1 ",
        b"1\n",
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"9" * 5000,
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\\u00e9"',
        b'"\x80"',
        b'"\x01"',
        b"\xef\xbb\xbf1",
        b"[1",
        b"[1]]",
        b"{",
        b"tru",
        b"'a'",
        "\ud800",
    ],
)
def test_any_other_text_is_refused(text):
    with pytest.raises(canon.NotCanonical):
        canon.decode(text)


def test_nesting_is_bounded_on_both_sides():
    value: object = 1
    for _ in range(canon.MAX_DEPTH):
        value = [value]
    assert canon.decode(canon.encode(value)) == value
    with pytest.raises(canon.NotCanonical):
        canon.encode([value])
    for depth in (65, 2_000, 200_000):
        with pytest.raises(canon.NotCanonical):
            canon.decode(b"[" * depth + b"]" * depth)
        with pytest.raises(canon.NotCanonical):
            canon.decode(b'{"a":' * depth + b"1" + b"}" * depth)


@given(st.binary(max_size=60))
def test_bytes_are_read_as_what_they_encode_or_refused(data):
    try:
        value = canon.decode(data)
    except canon.NotCanonical:
        return
    assert canon.encode(value) == data
