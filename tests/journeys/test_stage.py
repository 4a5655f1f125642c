# SPDX-License-Identifier: Apache-2.0
"""Who plays in the stories, and the journal that lets a killed one go on."""

import json

from lingqu.cli.journal import Journal
from lingqu.cli.story import STORIES
from lingqu.trust.identity.organizations import check_credit_code, is_demonstration_code


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
