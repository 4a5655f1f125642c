# SPDX-License-Identifier: Apache-2.0
"""One running server for all tests of the pages, and one browser where there is one."""

import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

if (shared := str(Path(__file__).parents[1] / "api")) not in sys.path:
    sys.path.insert(0, shared)

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

from web_server import Shared  # found through the path above

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium():
    """The machine's Chromium, started once."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, "no Chromium is installed; install one, or set NO_BROWSER=1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS])
        yield browser
        browser.close()


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
