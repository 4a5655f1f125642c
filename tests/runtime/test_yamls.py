# SPDX-License-Identifier: Apache-2.0
"""YAML as plain data: nothing is guessed, nothing hidden is done, and everything comes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingqu.runtime import yamls

LEAVES = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6).filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(PLAIN)
def test_what_is_written_reads_back_to_the_same(plain):
    assert yamls.read_yaml(yamls.write_yaml(plain)) == plain


def test_nothing_is_guessed_of_what_stands_unquoted():
    text = "[no, 012, 1e3, 0x1f, 2026-01-01, 12:30, .5, on, ~, null, true, -7, '7']"
    told = ["no", "012", "1e3", "0x1f", "2026-01-01", "12:30", ".5", "on", None, None, True, -7,
            "7"]  # fmt: skip
    assert yamls.read_yaml(text) == told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x 1", 1), ("a: 1\nb: *x", 2), ("a: !!int 3", 1), ("a: 1\nb: 2\na: 3", 3),
        ("a\n---\nb", 2), ("'<<': {a: 1}", 1), ("? [1]\n: 2", 1), ("[1,\n2", 3), ("\x00", 1),
        ("%YAML 1.2\n---\na: 1", 1), ("[" * 100, 1), ("x" * 200_001, 1), ("-\n" * 50_001, 50_000),
    ],
)  # fmt: skip
def test_what_is_more_than_plain_data_is_refused_with_its_line(text, line):
    with pytest.raises(yamls.BadYaml) as caught:
        yamls.read_yaml(text)
    assert caught.value.parameters == {"line": line}
