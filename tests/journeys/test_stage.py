# SPDX-License-Identifier: Apache-2.0
"""A story proves what it left, keeps its data, and ends without leaving anything running."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from terminal import VERIFY

from lingqu.cli.journal import Journal
from lingqu.cli.story import STORIES
from lingqu.trust.identity.organizations import check_credit_code, is_demonstration_code

pytestmark = pytest.mark.timeout(900)


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


def test_a_killed_story_goes_on_and_nothing_happens_twice(guangxi):
    assert len(guangxi.killed_after) == 3
    assert guangxi.told["verified"] is True
    assert guangxi.told["altered_verified"] is False
    registered = guangxi.cli.json(
        "fact", "list", "--data-dir", "demo", "--kind", "trust.organization.described",
        "--limit", "100",
    )  # fmt: skip
    assert len(registered["items"]) == len(STORIES["guangxi"].cast)
    assert guangxi.cli("audit", "--data-dir", "demo").code == 0


def test_everything_the_story_left_is_in_the_witnessed_log(guangxi):
    told = guangxi.told
    assert told["witness"]
    assert told["witnessed_size"] == told["log_size"] == told["facts"]
    verified = subprocess.run([VERIFY, *told["verify"][1:]], capture_output=True)
    assert verified.returncode == 0


def test_passwords_are_for_the_owner_of_the_folder_alone_and_one_for_each_role(guangxi):
    accounts = Path(guangxi.told["accounts_file"])
    assert stat.S_IMODE(accounts.stat().st_mode) == 0o600
    logins = [line.split("\t")[0] for line in accounts.read_text().splitlines()]
    assert logins == [
        "implementer", "provider", "operator", "clerk", "venue", "bank", "treasury", "regulator",
    ]  # fmt: skip
    passwords = {line.split("\t")[1] for line in accounts.read_text().splitlines()}
    assert len(passwords) == len(logins)


def test_a_story_in_english_says_what_to_look_at_and_leaves_nothing_running(qinzhou):
    assert "What to look at now" in qinzhou.said
    assert "Verified." in qinzhou.said
    assert "has ended" in qinzhou.said
    assert not processes_naming(str(qinzhou.cli.folder))


def test_actors_are_nobody_and_their_codes_are_valid():
    for story in STORIES.values():
        codes = [actor.code for actor in story.cast.values()]
        assert len(set(codes)) == len(codes)
        assert all(check_credit_code(code) == code for code in codes)
        assert all(is_demonstration_code(code) for code in codes)
        for actor in story.cast.values():
            assert actor.name.startswith("〈")
            assert actor.name.endswith("〉（演示）")


def test_a_line_that_a_kill_cut_in_two_is_dropped(tmp_path):
    journal = Journal.begin(tmp_path, "guangxi")
    journal.end("one")
    file = tmp_path / "demo-story.jsonl"
    file.write_bytes(file.read_bytes() + b'{"over": "tw')
    again = Journal.open(tmp_path)
    assert again.is_over("one")
    assert not again.is_over("two")
    again.end("two")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[1:] == [{"over": "one"}, {"over": "two"}]
