# SPDX-License-Identifier: Apache-2.0
"""One running server for all tests of the API."""

import sys
from pathlib import Path

import pytest

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)
if (shared := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.insert(0, shared)

from web_server import Shared  # found through the path above

SHARED = Shared(Path(__file__).parent)


@pytest.fixture(scope="session")
def shared():
    """Whatever ends the run ends the server too."""
    yield SHARED
    SHARED.leave(None)


@pytest.fixture(scope="module")
def server(shared, tmp_path_factory):
    """A real server on a real database."""
    return shared.server(tmp_path_factory.mktemp)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem):
    """The server ends with the tests of this folder."""
    SHARED.leave(nextitem)


@pytest.fixture
def machine(server):
    """A client with the administrator's key."""
    with server.machine() as client:
        yield client
