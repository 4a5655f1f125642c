# SPDX-License-Identifier: Apache-2.0
"""What the pages bring along is known, licensed, small, and drawn right."""

import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel import merkle
from lingqu.ui import assets
from lingqu.ui.charts import Bar, bars, proof_ladder, proof_steps
from lingqu_verify.merkle import inclusion_proof

CHECKER = Path(__file__).parent / "vendor"
HOME_BYTES_MAX = 250_000


@pytest.mark.parametrize(
    ("folder", "below", "licences"),
    [
        (assets.FOLDER, "vendor", {"MIT", "0BSD", "Apache-2.0"}),
        (CHECKER, ".", {"MPL-2.0"}),  # only the tests use it
    ],
    ids=["pages", "tests"],
)
def test_every_vendored_file_is_the_one_on_record_with_its_licence(folder, below, licences):
    records = json.loads((folder / "VENDOR.json").read_text())
    for one in records:
        content = (folder / one["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"], one["file"]
        assert (folder / one["licence_file"]).read_text().strip()
        assert one["version"]
        assert one["licence"] in licences
    listed = {folder / one[name] for one in records for name in ("file", "licence_file")}
    assert {*(folder / below).iterdir()} - {folder / "VENDOR.json"} == listed


def test_home_with_all_it_needs_is_small_enough(server):
    with httpx.Client(base_url=server.url, headers={"accept-encoding": "gzip"}) as client:
        page = client.get("/")
        needed = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
        assert len(needed) >= 5
        total = len(page.content)
        for path in needed:
            with client.stream("GET", path) as answer:
                assert answer.status_code == 200
                assert answer.headers["content-encoding"] == "gzip"
                total += sum(len(part) for part in answer.iter_raw())
    assert total < HOME_BYTES_MAX, total


def test_an_asset_is_served_whole_to_those_who_take_no_gzip(server):
    asset = assets.ASSETS["lingqu.css"]
    plain = httpx.get(server.url + asset.url, headers={"accept-encoding": "identity"})
    assert plain.content == asset.content
    packed = httpx.get(server.url + asset.url, headers={"accept-encoding": "gzip"})
    assert packed.content == asset.content


def test_no_template_holds_script_or_style_inline():
    folder = assets.FOLDER.parent / "templates"
    for path in folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://", text), path.name
        assert not re.search(r"<script(?![^>]* src=)", text), path.name
        assert "|safe" not in text.replace(" ", ""), path.name


@given(st.integers(1, 300), st.data())
def test_the_drawn_way_leads_from_the_leaf_to_the_root(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = [merkle.leaf_hash(number.to_bytes(4)) for number in range(size)]

    def nodes(level, place):
        width = 1 << level
        return merkle.root_of(leaves[place * width : (place + 1) * width])

    proof = inclusion_proof(index, size, nodes)
    at = leaves[index]
    for step in proof_steps(index, size, proof):
        other = bytes.fromhex(step.neighbour)
        pair = (other, at) if step.side == "left" else (at, other)
        at = merkle.node_hash(*pair)
    assert at == merkle.root_of(leaves)


def test_drawings_escape_their_words():
    evil = '"><script>alert(1)</script>'
    drawn = bars([Bar(label="x", title=evil, count=1)], title=evil)
    assert "<script" not in drawn
    assert "<script" not in proof_ladder((), leaf="00", root="11", title=evil)
