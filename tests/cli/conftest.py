# SPDX-License-Identifier: Apache-2.0
"""An empty folder, and an installation that the tests of one module share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from terminal import Cli  # the folder is on the path only now

from lingqu.runtime.postgres import open_postgres


@pytest.fixture
def cli(tmp_path):
    made = Cli(tmp_path)
    yield made
    made.clear()


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """An installation that the tests of one module share, with one party."""
    made = Cli(tmp_path_factory.mktemp("founded"))
    made.json("init", "--origin", "log.example")
    # Held open, so that not every command starts a server and stops it again.
    with open_postgres(data_dir=made.data):
        made.party = made.json("party", "register", "〈灵渠市数据局〉（演示）")["party"]["id"]
        yield made
    made.clear()
