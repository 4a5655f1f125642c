# SPDX-License-Identifier: Apache-2.0
"""Every figure of the officer's story: two catalogs, and a venue in a Lingqu of its own."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)


def figures(story, beat):
    """The figures of one beat."""
    return next(one["figures"] for one in story.told["beats"] if one["name"] == beat)


def test_the_citys_towns_can_be_joined_by_county_and_name_only(qinzhou):
    said = figures(qinzhou, "qinzhou.compared")
    assert (said["left_rows"], said["right_rows"], said["shared"]) == (71, 66, 62)
    assert (said["conflicts"], said["matched"], said["left_only"]) == (28, 66, 5)
    assert figures(qinzhou, "qinzhou.lingshan") == {"conflicts": 18, "shared": 18}
    assert qinzhou["qinzhou.units.count"] == 5
    assert "中马钦州产业园区" in qinzhou["qinzhou.units.names"]
    assert qinzhou["qinzhou.villages.count"] == 1044
    assert qinzhou["collect.closed.count"] == 1


def test_open_data_goes_to_two_catalogs_and_is_reconciled_file_by_file(qinzhou):
    assert qinzhou["qinzhou.opened.crosswalk.rows"] == 71
    assert qinzhou["qinzhou.opened.table.rows"] == 1044
    region, credit = (
        figures(qinzhou, f"qinzhou.reconciled.{name}") for name in ("region", "credit")
    )
    assert (region["acknowledged"], region["rejected"], region["missing"]) == (2, 0, 0)
    assert (credit["acknowledged"], credit["rejected"], credit["missing"]) == (1, 1, 0)
    file = Path(qinzhou.told["files"]) / qinzhou["qinzhou.exported.region.file"]
    catalog = json.loads(file.read_text(encoding="utf-8"))
    assert catalog["@type"] == "dcat:Catalog"
    assert {one["dct:publisher"]["foaf:name"] for one in catalog["dcat:dataset"]} == {
        "〈钦州市统计局〉（演示）"
    }


def test_a_city_has_no_venue_and_lists_at_the_regions(qinzhou):
    said = figures(qinzhou, "qinzhou.no_venue")
    assert said["refusal"] == "market.venue.none_here"
    assert said["article"]
    assert qinzhou["qinzhou.delivered.bytes"] > 500
    assert qinzhou["qinzhou.taken_over.publish.state"] == "published"
    assert qinzhou["qinzhou.taken_over.list.state"] == "listed"
    venue = qinzhou.data.with_name("demo-venue")
    assert (venue / "postgres.json").exists()
    assert qinzhou.cli("audit", "--data-dir", venue).code == 0
    assert qinzhou.cli("audit", "--data-dir", "demo").code == 0


def processes_naming(text):
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if text in words:
                found.append(words)
    return found


def test_a_story_in_english_says_what_to_look_at_and_leaves_nothing_running(qinzhou):
    assert "What to look at now" in qinzhou.said
    assert "Verified." in qinzhou.said
    assert "has ended" in qinzhou.said
    assert not processes_naming(str(qinzhou.cli.folder))
