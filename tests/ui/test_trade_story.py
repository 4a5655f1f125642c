# SPDX-License-Identifier: Apache-2.0
"""The story played through the pages: by people without script, and by clicking in a browser."""

import contextlib
import os

import pytest
from looking import CASES, look_at, picture
from trade_people import Clicking, Plain
from trade_shots import IN_GUIDES, pages
from trade_story import Story, authorize, narrow, play
from trade_world import BEGINS, build
from web_server import PASSWORD, running

LANGUAGES = ("zh-CN", "en")
PATIENCE = pytest.mark.timeout(3000)
"""Eight people and their browsers share the machine with every other test."""


@pytest.mark.slow
@PATIENCE
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_story_is_played_through_the_pages_without_script(tmp_path, language):
    with told(tmp_path) as (region, seats):
        play(Story(region, plain(region, seats, language), language))


def test_an_operator_is_authorised_and_gives_on_in_both_languages_without_script(tmp_path):
    with told(tmp_path) as (region, seats):
        authorize(Story(region, plain(region, seats, "zh-CN")))
        narrow(Story(region, plain(region, seats, "en"), "en"))


@pytest.mark.slow
@PATIENCE
@pytest.mark.browser
@pytest.mark.skipif(os.environ.get("NO_BROWSER") == "1", reason="NO_BROWSER=1")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_story_is_played_by_clicking_in_a_browser(tmp_path, chromium, language):
    with told(tmp_path) as (region, seats):
        people = []

        def sit(login):
            context = chromium.new_context(
                base_url=region.server.url, locale=language, accept_downloads=True
            )
            seats.callback(context.close)
            context.set_default_timeout(60_000)
            page = context.new_page()
            page.goto("/login")
            page.fill("#login", login)
            page.fill("#password", PASSWORD)
            page.locator("main form button").first.click()
            page.wait_for_url(region.server.url + "/")
            people.append(Clicking(page))
            return people[-1]

        play(Story(region, sit, language))
        assert [one.trouble for one in people if one.trouble] == []


@pytest.mark.slow
@PATIENCE
@pytest.mark.browser
@pytest.mark.skipif(os.environ.get("NO_BROWSER") == "1", reason="NO_BROWSER=1")
def test_every_page_of_the_story_is_whole_accessible_and_fits(tmp_path, chromium):
    with told(tmp_path) as (region, seats):
        story = Story(region, plain(region, seats, "zh-CN"))
        play(story)
        wanted = [
            ("supervisor" if login == "regulator" else login, name, path)
            for login, name, path in pages(story)
        ]
        if os.environ.get("SCREENSHOTS"):
            picture(region.server, chromium, wanted, IN_GUIDES)
        trouble = {case: look_at(region.server, chromium, wanted, *case) for case in CASES}
        assert trouble == {case: [] for case in CASES}


@contextlib.contextmanager
def told(folder):
    """A platform with a story clock after step one, and the seats that are left at the end."""
    with running(folder, story_from=BEGINS) as server, contextlib.ExitStack() as seats:
        yield build(server), seats


def plain(region, seats, language):
    """Seat people who have no script."""

    def sit(login):
        headers = {"accept-language": language}
        return Plain(seats.enter_context(region.server.browser(login, headers=headers)))

    return sit
