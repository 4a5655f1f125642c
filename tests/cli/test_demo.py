# SPDX-License-Identifier: Apache-2.0
"""What the demonstration refuses before it begins; its stories are tested in `tests/journeys`."""


def test_the_demonstration_touches_only_what_it_made(cli):
    other = cli.folder / "other"
    other.mkdir()
    (other / "mine.txt").write_text("x")
    answer = cli("demo", "--fresh", "--data-dir", other, "--json")
    assert (answer.code, answer.refusal) == (6, "cli.demo.not_a_demo")
    assert (other / "mine.txt").read_text() == "x"


def test_the_demonstration_is_shown_on_this_machine_only(cli):
    answer = cli("demo", "--data-dir", "demo", "--json", LINGQU_BIND="0.0.0.0")
    assert (answer.code, answer.refusal) == (3, "cli.demo.loopback_only")
    assert not (cli.folder / "demo").exists()


def test_a_region_without_a_story_is_refused_and_told_which_have_one(cli):
    answer = cli("demo", "--data-dir", "demo", "--profile", "guangzhou", "--json")
    assert (answer.code, answer.refusal) == (3, "cli.demo.no_story")
    assert "guangxi, qinzhou" in answer.json["error"]["title"]
    refused = cli("demo", "--data-dir", "demo", "--profile", "mars", "--json")
    assert refused.refusal == "runtime.settings.bad"
    assert not (cli.folder / "demo").exists()


def test_a_folder_keeps_the_story_it_was_begun_with(cli):
    folder = cli.folder / "demo"
    folder.mkdir()
    (folder / "demo-story.jsonl").write_text('{"lingqu": "demo", "profile": "qinzhou"}\n')
    answer = cli("demo", "--data-dir", "demo", "--json")
    assert (answer.code, answer.refusal) == (6, "cli.demo.another_story")
