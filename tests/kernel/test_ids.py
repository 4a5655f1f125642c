# SPDX-License-Identifier: Apache-2.0
"""Ids: the text form is exact, typed and ordered by time."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.ids import BadId, Id


class SampleId(Id):
    prefix = "sample"


class OtherId(Id):
    prefix = "other"


def test_the_encoding_is_the_one_of_the_typeid_specification():
    known = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    assert SampleId.of(known) == "sample_01h455vb4pex5vsknk084sn02q"


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_that_keeps_its_moment(unix_ms, entropy):
    made = SampleId.make(unix_ms=unix_ms, entropy=entropy)
    assert made.uuid.version == 7
    assert made.uuid.variant == uuid.RFC_4122
    assert made.unix_ms == unix_ms
    assert SampleId(made) == made
    assert SampleId.of(made.uuid) == made


@given(st.integers(0, (1 << 48) - 2), st.binary(min_size=10, max_size=10))
def test_a_later_id_sorts_after_an_earlier_one(unix_ms, entropy):
    earlier = SampleId.make(unix_ms=unix_ms, entropy=bytes([255] * 10))
    assert earlier < SampleId.make(unix_ms=unix_ms + 1, entropy=entropy)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sample",
        "sample_",
        "other_01h455vb4pex5vsknk084sn02q",
        "sample_81h455vb4pex5vsknk084sn02q",
        "sample_01h455vb4pex5vsknk084sn02",
        "sample_01H455VB4PEX5VSKNK084SN02Q",
        "sample_01h455vb4pex5vsknk084sn02u",
        "sample_01h455vb4pex5vsknk084sn02q\n",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(BadId) as caught:
        SampleId(text)
    assert caught.value.parameters["expected"] == "sample"


def test_a_text_of_another_kind_is_not_taken_for_this_one():
    other = OtherId.make(unix_ms=1, entropy=bytes(10))
    with pytest.raises(BadId):
        SampleId(other)
