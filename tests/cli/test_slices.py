# SPDX-License-Identifier: Apache-2.0
"""The demonstration's tables are the bytes their sidecars name, and hold what the story says."""

import csv
import hashlib
import json
from importlib import resources

import pytest

FOLDER = resources.files("lingqu.cli") / "slices" / "45"
NAMES = sorted(entry.name[:-4] for entry in FOLDER.iterdir() if entry.name.endswith(".csv"))


def rows(name):
    text = (FOLDER / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("name", NAMES)
def test_each_table_is_what_its_sidecar_says(name):
    sidecar = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    content = (FOLDER / f"{name}.csv").read_bytes()
    assert sidecar["sha256"] == hashlib.sha256(content).hexdigest()
    assert sidecar["rows"] == len(rows(name))
    assert sidecar["source"]
    assert sidecar["selection"]
    assert len(sidecar["package"]["sha256"]) == 64
    assert sidecar["package"]["licence"] in {"MIT", "BSD"}


def test_every_table_is_there():
    assert len(NAMES) == 12


def test_the_codes_of_each_division_book_are_unique_and_stand_below_a_parent():
    for book in ("nbs", "mca"):
        towns = rows(f"{book}_towns")
        codes = [row["code"] for row in towns]
        assert len(set(codes)) == len(codes)
        parent = "parent" if book == "nbs" else "county"
        assert all(row["code"].startswith(row[parent]) for row in towns)


def test_the_buyers_own_file_covers_its_region():
    assert sum(row["region"] == "广西" for row in rows("buyer_segments")) == 14_755
