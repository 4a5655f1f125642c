# SPDX-License-Identifier: Apache-2.0
"""Each story is told once for all tests: over real HTTP, with real commits, and with kills."""

import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from terminal import Cli, end, wait_for_line  # the folder is on the path only now

KILLED_IN = ("collect",)
"""The steps in whose middle the region's story is killed before it is told to its end."""


@dataclass
class Story:
    """A story that was told to its end: its answer, what it said, and the terminal it ran in."""

    cli: Cli
    told: dict
    said: str = ""
    killed_after: list = field(default_factory=list)

    def __getitem__(self, figure):
        return self.told["figures"][figure]

    @property
    def data(self):
        return self.cli.folder / "demo"

    def beats(self, code):
        return [beat for beat in self.told["beats"] if beat["code"] == code]


def scenes_over(folder):
    file = folder / "demo-story.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line)["over"] for line in lines if line.startswith('{"over"')]


def told_until(cli, step, options):
    """Kill the demonstration as soon as the first scene of a step is over."""
    process = cli.start("demo", "--data-dir", "demo", "--port", "0", *options)
    deadline = time.monotonic() + 120
    try:
        while not any(scene.startswith(f"{step}.") for scene in scenes_over(cli.folder / "demo")):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline, f"{step} was not reached"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return len(scenes_over(cli.folder / "demo"))


@pytest.fixture(scope="session")
def guangxi(tmp_path_factory):
    """The region's story, killed in the middle and told on."""
    cli = Cli(tmp_path_factory.mktemp("guangxi"))
    killed = [told_until(cli, step, ("--profile", "guangxi")) for step in KILLED_IN]
    told = cli.json("demo", "--data-dir", "demo", "--port", "0", timeout=300)
    yield Story(cli, told, killed_after=killed)
    cli.clear()


@pytest.fixture(scope="session")
def qinzhou(tmp_path_factory):
    """The officer's story, told in English without a break, and then once more for its figures."""
    cli = Cli(tmp_path_factory.mktemp("qinzhou"))
    options = ("demo", "--data-dir", "demo", "--port", "0", "--profile", "qinzhou")
    process = cli.start("--lang", "en", *options)
    said = "".join(wait_for_line(process, "Ctrl-C", 180))
    code, rest = end(process)
    assert code == 0, rest
    told = cli.json(*options, timeout=300)
    yield Story(cli, told, said=said + rest)
    cli.clear()
