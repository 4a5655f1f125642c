# SPDX-License-Identifier: Apache-2.0
"""The demonstration proves what it says, keeps its data, and ends without leaving anything."""

import signal
import subprocess
from pathlib import Path

import pytest
from terminal import VERIFY, end, wait_for_line


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


def test_the_demonstration_proves_a_fact_and_a_second_start_keeps_the_data(cli):
    told = cli.json("demo", "--data-dir", "demo", "--port", "0")
    assert told["verified"] is True
    assert told["altered_verified"] is False
    assert told["witness"]
    assert told["witnessed_size"] == told["log_size"] == told["facts"]
    assert told["refused"] == 1
    accounts = Path(told["accounts_file"])
    assert accounts.stat().st_mode & 0o777 == 0o600
    verified = subprocess.run([VERIFY, *told["verify"][1:]], capture_output=True)
    assert verified.returncode == 0
    password = accounts.read_text()
    again = cli.json("demo", "--data-dir", "demo", "--port", "0")
    assert {name: again[name] for name in ("party", "account", "facts", "log_root")} == {
        name: told[name] for name in ("party", "account", "facts", "log_root")
    }
    assert accounts.read_text() == password
    fresh = cli.json("demo", "--data-dir", "demo", "--port", "0", "--fresh")
    assert fresh["party"] != told["party"]
    assert fresh["facts"] == told["facts"]
    assert cli("audit", "--data-dir", "demo").code == 0
    assert not processes_naming(str(cli.folder))


def test_the_demonstration_follows_the_rules_of_the_region_it_is_given(cli):
    for region in ("guangzhou", "qinzhou", None):
        chosen = ("--profile", region) if region else ()
        told = cli.json("demo", "--data-dir", "demo", "--port", "0", *chosen)
        assert told["verified"] is True
    listed = cli.json("fact", "list", "--data-dir", "demo", "--kind", "trust.rulebook.adopted")
    adopted = [
        cli.json("fact", "show", one["id"], "--data-dir", "demo")
        for one in reversed(listed["items"])
    ]
    assert [one["entry"]["data"]["profile"] for one in adopted] == ["guangzhou", "qinzhou"]
    refused = cli("demo", "--data-dir", "demo", "--port", "0", "--profile", "mars", "--json")
    assert refused.refusal == "runtime.settings.bad"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(cli, number):
    process = cli.start("demo", "--data-dir", "demo", "--port", "0")
    story = "".join(wait_for_line(process, "Ctrl-C"))
    assert "验证通过" in story
    assert "验证不通过" in story
    assert processes_naming(str(cli.folder))
    code, rest = end(process, number)
    assert code == 0
    assert "已停止" in rest
    assert not processes_naming(str(cli.folder))


def test_a_killed_demonstration_leaves_no_witness_and_starts_again(cli):
    process = cli.start("demo", "--data-dir", "demo", "--port", "0")
    wait_for_line(process, "Ctrl-C")
    process.kill()
    process.wait()
    process.stdout.close()
    told = cli.json("demo", "--data-dir", "demo", "--port", "0")
    assert told["verified"] is True
    assert not processes_naming(str(cli.folder))


def test_the_demonstration_is_told_in_english(cli):
    process = cli.start("--lang", "en", "demo", "--data-dir", "demo", "--port", "0")
    story = "".join(wait_for_line(process, "Ctrl-C"))
    end(process)
    assert "Verified." in story
    assert "What to look at now" in story


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
