# SPDX-License-Identifier: Apache-2.0
"""The rules in force are open to everyone, listed, found and shown with their articles."""

import httpx
import pytest

from lingqu.trust import rulebook

RULES = "/api/v1/trust/rules"


@pytest.fixture
def stranger(server):
    with httpx.Client(base_url=server.url, timeout=20) as client:
        yield client


def test_a_stranger_reads_a_rule_with_its_article(stranger):
    answer = stranger.get(f"{RULES}/registration.acceptance").json()
    (rule,) = answer["items"]
    assert (rule["value"], rule["unit"], rule["state"]) == ("3", "working_day", "binding")
    assert rule["citation"].endswith("第十条")
    assert "3 个工作日内予以受理" in rule["text"]
    assert answer["rules"] == rulebook.version("guangxi")


def test_a_draft_stands_behind_what_binds(stranger):
    items = stranger.get(f"{RULES}/resource.levels", params={"profile": "qinzhou"}).json()["items"]
    assert [one["state"] for one in items] == ["binding", "draft"]
    assert [len(one["items"]) for one in items] == [5, 4]


def test_rules_are_listed_page_by_page_without_gap_or_repeat(stranger):
    walked, after = [], None
    while True:
        params = {"size": 100, **({"after": after} if after else {})}
        page = stranger.get(RULES, params=params).json()
        walked += [(one["code"], one["layer"]) for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    known = rulebook.open_rulebook("guangxi").known()
    assert walked == [(one.code, one.layer) for one in known]


def test_rules_are_found_by_words_on_a_day(stranger):
    found = stranger.get(RULES, params={"q": "受理 登记"}).json()["items"]
    assert "registration.acceptance" in {one["code"] for one in found}
    then = stranger.get(f"{RULES}/registration.acceptance", params={"on": "2025-02-28"}).json()
    assert [one["state"] for one in then["items"]] == ["out_of_period"]


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        (f"{RULES}/no.such_rule", {}, 404, "trust.rulebook.rule_not_found"),
        (RULES, {"profile": "mars"}, 404, "trust.rulebook.profile_not_found"),
        (RULES, {"on": "2026-02-30"}, 422, "runtime.calendar.bad_day"),
        (RULES, {"after": "bWFycw"}, 422, "kernel.page.bad"),
    ],
)
def test_what_is_not_there_is_refused_in_words(stranger, path, params, status, code):
    answer = stranger.get(path, params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["title"]


def test_a_server_that_opened_has_adopted_its_rules(server):
    with server.app.database.reading() as tx:
        assert tx.rules == rulebook.version("guangxi")
        assert rulebook.find_adoption(tx).rules == tx.rules
        assert rulebook.of(tx).version == tx.rules
