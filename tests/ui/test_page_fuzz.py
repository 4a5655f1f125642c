# SPDX-License-Identifier: Apache-2.0
"""No request gives a 500: odd ids, questions and forms at every page, in a region with its catalog.

The routes of the API that belong here are tried in the same place.
"""

import os

import pytest
from fuzz_worlds import MANY, fuzz_api, fuzz_pages, seated
from portal_world import build, build_supply
from web_server import running

FULL = bool(os.environ.get("FULL_MATRIX"))
GROUPS = (
    "desk", "gate", "ledger", "market", "rights", "supervision", "supply", "trust",
)  # fmt: skip
PEOPLE = ("provider", "officer", "operator", "clerk", "buyer", "regulator", "administrator", None)


@pytest.mark.timeout(600)
def test_no_odd_request_breaks_a_page(tmp_path):
    # A platform of its own: what odd requests do stays done.
    with running(tmp_path) as server, seated(server, ("everybody", None)) as world:
        assert not world.found.broken, world.found.broken
        for group in GROUPS:
            fuzz_pages(world, group)


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    with running(tmp_path_factory.mktemp("fuzzed")) as server:
        build_supply(server, build(server))
        with seated(server, ("everybody", *PEOPLE)) as world:
            yield world


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", ["desk", "ledger", "supply", "trust"])
def test_no_fuzzed_request_breaks_a_page_of_a_region(region, group):
    fuzz_pages(region, group, MANY)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize("group", ["interop", "ledger", "procedures", "supply", "trust"])
def test_no_fuzzed_request_to_the_api_breaks_a_region(region, group):
    fuzz_api(region, group, MANY)
