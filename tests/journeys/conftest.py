# SPDX-License-Identifier: Apache-2.0
"""Each story is told once for all tests: over real HTTP, with real commits, and with kills."""

import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parent))

from terminal import Cli, end, wait_for_line  # the folders are on the path only now

from lingqu.cli.journal import Journal

KILLED_IN = (
    '"over": "contract.pay_in"',
    '"cal/city/7"',
    'market.settlement.settle/settle"',
)
"""What stands in the journal when the region's story is killed: in the middle of steps 5, 6 and 7.

The journal is written before what it names is sent, so a kill falls before, in or after it.
"""


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


def told_until(cli, mark, options):
    """Kill the demonstration as soon as its journal holds a mark."""
    process = cli.start("demo", "--data-dir", "demo", "--port", "0", *options)
    journal = cli.folder / "demo" / "demo-story.jsonl"
    deadline = time.monotonic() + 300
    try:
        while not journal.exists() or mark not in journal.read_text(encoding="utf-8"):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline, f"{mark} was not reached"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return mark


@pytest.fixture(scope="module")
def guangxi(tmp_path_factory):
    """The region's story, killed in the middle and told on."""
    cli = Cli(tmp_path_factory.mktemp("guangxi"))
    killed = [told_until(cli, mark, ("--profile", "guangxi")) for mark in KILLED_IN]
    told = cli.json("demo", "--data-dir", "demo", "--port", "0", timeout=300)
    yield Story(cli, told, killed_after=killed)
    cli.clear()


@pytest.fixture(scope="module")
def qinzhou(tmp_path_factory):
    """The officer's story, told in English without a break; its figures are in its journal."""
    cli = Cli(tmp_path_factory.mktemp("qinzhou"))
    options = ("demo", "--data-dir", "demo", "--port", "0", "--profile", "qinzhou")
    process = cli.start("--lang", "en", *options)
    said = "".join(wait_for_line(process, "Ctrl-C", 600))
    code, rest = end(process)
    assert code == 0, rest
    beats = Journal.open(cli.folder / "demo").beats()
    told = {
        "profile": "qinzhou",
        "files": str(cli.folder / "demo" / "demo-files"),
        "beats": [asdict(beat) for beat in beats],
        "figures": {
            f"{beat.name}.{name}": value for beat in beats for name, value in beat.figures.items()
        },
    }
    yield Story(cli, told, said=said + rest)
    cli.clear()
