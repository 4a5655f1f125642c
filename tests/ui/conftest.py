# SPDX-License-Identifier: Apache-2.0
"""One running server for all tests of the pages."""

import sys
from pathlib import Path

import pytest

if (shared := str(Path(__file__).parents[1] / "api")) not in sys.path:
    sys.path.insert(0, shared)

from web_server import running  # found through the path above


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real server on a real database."""
    with running(tmp_path_factory.mktemp("ui")) as made:
        yield made
