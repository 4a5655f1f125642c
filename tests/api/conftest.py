# SPDX-License-Identifier: Apache-2.0
"""One running server for all tests of the API."""

import sys
from pathlib import Path

import pytest

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)
if (shared := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.insert(0, shared)

from web_server import running  # found through the path above


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real server on a real database."""
    with running(tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture
def machine(server):
    """A client with the administrator's key."""
    with server.machine() as client:
        yield client
