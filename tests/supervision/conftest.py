# SPDX-License-Identifier: Apache-2.0
"""An installation with a regulator, that the tests of one module share."""

import sys
from pathlib import Path

import pytest

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

from market_world import Supervised  # found through the path above

from lingqu import supervision, trust
from lingqu.trust import log as logs


@pytest.fixture(scope="module")
def seen(place_type, trust_server, tmp_path_factory):
    """A place whose log is written, and followed by supervision when `look` is called."""
    place = place_type(trust_server)
    place.found()
    place.logs = tmp_path_factory.mktemp("logs")
    place.regulator = place.account(role=trust.Role.REGULATOR)
    place.buyer = place.account(role=trust.Role.BUYER)
    sequencer = logs.Sequencer(place.database, place.logs, lambda _: (place.key,))

    def look():
        sequencer.step()
        while trust.deliver(place.database, supervision.FOLLOWER):
            pass

    place.look = look
    yield place
    place.close()


@pytest.fixture(scope="module")
def world(place_type, trust_server, tmp_path_factory):
    """A venue whose product a bank uses, that the tests of one module share."""
    folder = tmp_path_factory.mktemp("supervised")
    folder.chmod(0o755)
    place = place_type(trust_server)
    place.found()
    made = Supervised(place, folder)
    yield made
    made.engine.close()
    place.close()


@pytest.fixture(scope="module")
def desk(world):
    made = world.desk()
    yield made
    made.close()
