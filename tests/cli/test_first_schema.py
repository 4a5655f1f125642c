# SPDX-License-Identifier: Apache-2.0
"""A data folder as the first schema left it is brought up to date and loses nothing."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from terminal import VERIFY

FIXTURES = Path(__file__).parents[1] / "fixtures"
ARCHIVE = FIXTURES / "first-schema.tar.gz"


@pytest.fixture
def expected():
    return json.loads((FIXTURES / "first-schema.json").read_text(encoding="utf-8"))


def test_the_fixture_is_small_enough_for_a_repository():
    assert ARCHIVE.stat().st_size < 300_000


def test_the_first_schema_is_restored_upgraded_and_proven(cli, expected):
    shutil.copy(FIXTURES / "first-schema.key", cli.key)
    # A checkout does not keep the mode, and a loose key file is refused.
    cli.key.chmod(0o600)
    restored = cli.json("restore", ARCHIVE)
    assert restored["newer_logs"] == []
    done = cli.json("upgrade")
    assert len(done["applied"]) == len(restored["pending_migrations"])
    assert bool(done["backup"]) is bool(done["applied"])
    assert done["audit"]["findings"] == []
    assert cli.json("party", "list")["items"] == expected["parties"]
    assert cli.json("clock", "show")["now"] == expected["now"]
    facts = cli.json("fact", "list", "--limit", "500")["items"]
    assert facts[-len(expected["facts"]) :] == expected["facts"]
    assert cli.json("log", "verify")["sound"] is True
    # New facts continue the very history that the first checkpoint named.
    made = cli.json("party", "register", "〈升级以后〉（演示）")["party"]["id"]
    fact = cli.json("fact", "list", "--subject", made)["items"][0]["id"]
    proven = cli.json("fact", "prove", fact, "--older", expected["size"])
    assert proven["verifier_key"] == expected["verifier_key"]
    words = [VERIFY, *proven["verify"][1:], "--json"]
    report = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert report["verified"] is True
    assert report["size"] > expected["size"]
