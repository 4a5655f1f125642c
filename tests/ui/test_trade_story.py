# SPDX-License-Identifier: Apache-2.0
"""The demonstration's story played through the pages: by people without script, and in a browser."""

import contextlib

import pytest
from trade_people import Plain
from trade_story import Story, play
from trade_world import BEGINS, build
from web_server import running


def test_the_story_is_played_through_the_pages_without_script(tmp_path):
    with (
        running(tmp_path, story_from=BEGINS) as server,
        contextlib.ExitStack() as stack,
    ):
        region = build(server)

        def sit(login):
            headers = {"accept-language": "zh-CN"}
            return Plain(stack.enter_context(server.browser(login, headers=headers)))

        play(Story(region, sit))
