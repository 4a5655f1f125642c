# SPDX-License-Identifier: Apache-2.0
"""No request gives a 500 where the whole story was played: products, contracts, money, evidence."""

import pytest
from fuzz_worlds import MANY, fuzz_api, fuzz_pages, seated
from test_trade_story import plain, told
from trade_story import Story, play

PEOPLE = ("operator", "implementer", "bank", "venue", "clerk", "treasury", "supervisor", None)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def after(tmp_path_factory):
    with told(tmp_path_factory.mktemp("story")) as (region, seats):
        play(Story(region, plain(region, seats, "zh-CN")))
        with seated(region.server, ("everybody", *PEOPLE)) as world:
            yield world


@pytest.mark.parametrize("group", ["gate", "market", "rights", "supervision"])
def test_no_fuzzed_request_breaks_a_page_after_the_story(after, group):
    fuzz_pages(after, group, MANY)


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize("group", ["gate", "market", "rights", "settlement", "supervision"])
def test_no_fuzzed_request_to_the_api_breaks_what_the_story_left(after, group):
    fuzz_api(after, group, MANY)
