# SPDX-License-Identifier: Apache-2.0
"""One installation for each module of tests, and a desk that answers in it."""

import sys
from pathlib import Path

import pytest

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

from gate_world import opened_world


@pytest.fixture(scope="module")
def world(place_type, trust_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    folder.chmod(0o755)
    with opened_world(place_type, trust_server, folder) as made:
        yield made


@pytest.fixture(scope="module")
def desk(world):
    made = world.desk()
    yield made
    made.close()
