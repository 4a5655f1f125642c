# SPDX-License-Identifier: Apache-2.0
"""Each page renders for those who may see it, in both languages, and for nobody else."""

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_server import PASSWORD, filled, running, token

from lingqu import trust
from lingqu.gate.decisions import FIRST, LAST
from lingqu.kernel.time import parse_instant
from lingqu.runtime import new_id
from lingqu.runtime.i18n import catalog
from lingqu.ui.app import _HANDLERS

FIELDS = (
    "command", "party", "account", "assignment", "api_key", "kind", "role", "name", "login",
    "password", "present", "again", "label", "key", "pasted", "language", "back", "next", "session",
    "job", "move", "version", "opinion", "reason", "duty", "body", "item", "basis", "territory",
    "level", "cause", "left_mark", "left_name", "left_key", "format",
)  # fmt: skip
WRITES = sorted(
    path
    for one in _HANDLERS
    if "POST" in one.http_methods
    for path in one.paths
    if path not in {"/logout", "/login"}
)
PUBLIC = (
    "/", "/public", "/login", "/trust/verify", "/api/docs", "/parts/log", "/supply/resources",
    "/supply/duties", "/trust/rules", "/trust/rules/compare", "/trust/rules/registration.review",
)  # fmt: skip
OWN = (
    "/", "/trust/parties", "/trust/facts", "/account", "/trust/procedures", "/supply/compare",
    "/rights/grants", "/ledger/accounts", "/parts/recent",
)  # fmt: skip
WATCHED = ("/trust/refusals", "/ledger/trial-balance")
RUN = ("/system", "/trust/jobs")
CODE = re.compile(r"\bui\.[a-z_]+\.[a-z_.]+[a-z]")
UNFILLED = re.compile(r"\{[a-z_]+\}")
LANGUAGES = ("zh-CN", "en")


def checked(answer, language):
    assert answer.status_code == 200, (answer.url, answer.text[:2000])
    if "<html" in answer.text:
        assert f'<html lang="{language}">' in answer.text
        assert answer.text.count("<h1") == 1
        assert 'class="lq-skip"' in answer.text
    # A text without an entry shows as its code; the only codes on a page are those of refusals.
    # Facts that other tests declare in this process have no words, and need none.
    missing = [code for code in CODE.findall(answer.text) if code not in catalog()]
    assert [code for code in missing if not code.startswith("ui.fact.tests.")] == []
    assert answer.url.path == "/api/docs" or not UNFILLED.search(answer.text)
    return answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_public_sees_the_public_pages(server, language):
    with server.browser(headers={"accept-language": language}) as browser:
        for path in PUBLIC:
            checked(browser.get(path), language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("role", "paths"),
    [
        ("administrator", (*OWN, *WATCHED, *RUN)),
        ("regulator", (*OWN, *WATCHED)),
        ("member", OWN),
    ],
)
def test_each_role_sees_its_pages(server, role, paths, language):
    with server.browser(role, headers={"accept-language": language}) as browser:
        for path in paths:
            checked(browser.get(path), language)
        checked(browser.get(f"/trust/parties/{server.party}"), language)
        for path in {*WATCHED, *RUN} - {*paths}:
            assert browser.get(path).status_code == 403


@pytest.mark.parametrize("path", ["/trust/parties", "/trust/facts", "/account", "/system"])
def test_a_visitor_is_led_to_sign_in_and_back(server, path):
    with server.browser() as browser:
        answer = browser.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/login?next={path}"
        fields = {"csrf": token(browser.get("/login")), "next": path}
        done = browser.post(
            "/login", data={**fields, "login": "administrator", "password": PASSWORD}
        )
        assert done.headers["location"] == path


@pytest.mark.parametrize(
    "onward", ["//evil.example", "https://evil.example", "/\\evil", "x", "/\n"]
)
def test_signing_in_never_leads_elsewhere(server, onward):
    with server.browser() as browser:
        fields = {"csrf": token(browser.get("/login")), "next": onward}
        done = browser.post("/login", data={**fields, "login": "member", "password": PASSWORD})
        assert done.headers["location"] == "/"


def test_an_error_page_says_what_to_do_and_carries_the_correlation_id(server):
    with server.browser(headers={"accept-language": "en"}) as browser:
        answer = browser.get("/no/such/page", headers={"x-request-id": "correlation-77"})
        assert answer.status_code == 404
        assert "correlation-77" in answer.text
        assert "ui.page.not_found" in answer.text
        assert catalog()["ui.page.not_found"].next_en in answer.text


def test_a_page_of_another_party_is_as_unknown_as_one_that_is_not(server):
    foreign = new_id(trust.PartyId)
    server.execute(trust.register_party, party=foreign, kind=trust.PartyKind.PERSON, name="外人")
    with server.browser("member") as browser:
        for path in (f"/trust/parties/{foreign}", f"/trust/parties/{foreign}/erase"):
            answer = browser.get(path)
            assert answer.status_code == 404
            assert "外人" not in answer.text
        assert "/trust/facts/fct_" not in browser.get(f"/trust/facts?subject={foreign}").text
        assert browser.get("/trust/facts/fct_01jc0000000000000000000000").status_code == 404
        assert browser.get("/trust/parties/garbage").status_code == 422


def test_hostile_names_are_shown_as_text(server):
    evil = "<img src=x onerror=alert(1)>'\"{{7*7}}"
    party = new_id(trust.PartyId)
    server.execute(trust.register_party, party=party, kind=trust.PartyKind.SYSTEM, name=evil)
    with server.browser("administrator") as browser:
        for path in ("/trust/parties", f"/trust/parties/{party}"):
            text = browser.get(path).text
            assert "<img src=x" not in text
            assert "&lt;img src=x onerror=alert(1)&gt;&#39;&#34;{{7*7}}" in text


ASKED = (
    "after", "kind", "subject", "next", "done", "q", "sort", "page", "body", "opening", "level",
    "profile", "on", "before", "before_on", "standing", "format", "code",
)  # fmt: skip
ODD = st.one_of(st.text(max_size=60), st.sampled_from(["\x00", "Zm9v", "%", "a" * 5000, "\ud7ff"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([
        "/trust/facts", "/trust/parties", "/trust/refusals", "/login", "/supply/resources",
        "/supply/duties", "/trust/rules", "/trust/rules/compare", "/trust/procedures",
        "/rights/grants", "/ledger/accounts", "/market/listings", "/market/contracts",
        "/rights/registry", "/supervision/flows", "/supervision/attempts",
    ]),
    names=st.sets(st.sampled_from(ASKED), min_size=1, max_size=4),
    a=ODD,
)  # fmt: skip
def test_no_odd_question_breaks_a_page(regulator, path, names, a):
    answer = regulator.get(path, params=dict.fromkeys(names, a))
    assert answer.status_code in {200, 303, 404, 422}, answer.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(st.sampled_from(FIELDS), ODD), path=st.sampled_from(WRITES))
def test_no_odd_form_breaks_a_page(regulator, server, fields, path):
    csrf = token(regulator.get("/account"))
    address = filled(path, server.party)
    answer = regulator.post(address, data={**fields, "csrf": csrf})
    # A second factor is proposed without being kept: its page is an answer, not a change.
    shown = {200} if address == "/account/second-factor" else set()
    assert answer.status_code in {303, 400, 403, 404, 409, 422} | shown, answer.text


@pytest.fixture
def regulator(server):
    with server.browser("regulator") as browser:
        yield browser


def test_the_language_switch_is_kept_and_returns_to_the_page(server):
    with server.browser() as browser:
        fields = {"csrf": token(browser.get("/trust/verify")), "back": "/trust/verify"}
        answer = browser.post("/language", data={**fields, "language": "en"})
        assert answer.headers["location"] == "/trust/verify"
        assert '<html lang="en">' in browser.get("/trust/verify").text


def test_every_kind_of_fact_role_and_rule_of_the_gate_has_words():
    codes = [
        f"ui.fact.{one.kind}" for one in trust.fact_kinds() if one.__module__.startswith("lingqu.")
    ]
    codes += [f"ui.role.{role.value}" for role in trust.Role]
    codes += [f"ui.party_kind.{kind.value}" for kind in trust.PartyKind]
    codes += [f"ui.account_kind.{kind.value}" for kind in trust.AccountKind]
    codes += [f"ui.account_state.{state.value}" for state in trust.AccountState]
    codes += [f"ui.gate_rule.{rule.__name__}" for rule in (*FIRST, *LAST)]
    assert [code for code in codes if code not in catalog()] == []


def test_a_fact_is_shown_with_its_proof_and_its_bundle_verifies_in_the_page(server):
    party = new_id(trust.PartyId)
    server.execute(
        trust.register_party, party=party, kind=trust.PartyKind.ORGANIZATION, name="举证"
    )
    with server.browser("administrator") as browser:
        path = re.search(r"/trust/facts/fct_\w+", browser.get(f"/trust/facts?subject={party}").text)
        assert path
        until = time.monotonic() + 60
        while "lq-ladder" not in (page := browser.get(path[0]).text):
            assert time.monotonic() < until
            time.sleep(0.02)
        command = re.search(r"lingqu-verify bundle (\S+) --key '([^']+)'", page)
        assert command
        key = command[2]
        bundle = browser.get(f"{path[0]}/bundle")
        assert command[1] in bundle.headers["content-disposition"]
    with server.browser(headers={"accept-language": "en"}) as stranger:
        fields = {"csrf": token(stranger.get("/trust/verify")), "key": key}
        files = {"bundle": ("b.json", bundle.content, "application/json")}
        good = stranger.post("/trust/verify", data=fields, files=files)
        assert good.status_code == 200
        assert catalog()["ui.verify.holds"].en in good.text
        assert "举证" in good.text
        broken = bundle.content.replace(b'"index":', b'"index":1', 1)
        files = {"bundle": ("b.json", broken, "application/json")}
        bad = stranger.post("/trust/verify", data=fields, files=files)
        assert bad.status_code == 422
        assert catalog()["ui.verify.failed"].en in bad.text


def test_verifying_nothing_is_refused_in_place_and_what_was_typed_stays(server):
    with server.browser() as browser:
        fields = {"csrf": token(browser.get("/trust/verify")), "pasted": " ", "key": "my+key"}
        none = browser.post("/trust/verify", data=fields, files={"bundle": ("", b"")})
        assert none.status_code == 422
        assert catalog()["ui.verify.nothing"].zh in none.text
        assert 'value="my+key"' in none.text
        bad = browser.post("/trust/verify", data=fields | {"pasted": "[材料"})
        assert bad.status_code == 422
        assert catalog()["ui.verify.failed"].zh in bad.text
        assert re.search(r'<details class="lq-field" open>.*\n?\[材料</textarea>', bad.text)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff\x00", b"[" * 50_000, b"null", "我".encode()]
)
def test_what_is_no_bundle_is_refused_in_words(server, content):
    with server.browser() as browser:
        fields = {"csrf": token(browser.get("/trust/verify")), "key": "nonsense"}
        files = {"bundle": ("b.json", content, "application/json")}
        answer = browser.post("/trust/verify", data=fields, files=files)
        assert answer.status_code == 422, answer.text


def test_a_demonstration_clock_shows_on_every_page(tmp_path):
    began = parse_instant("2026-03-02T01:00:00Z")
    with running(tmp_path, story_from=began) as story:
        with story.browser("administrator", headers={"accept-language": "zh-CN"}) as browser:
            for path in ("/", "/public", "/trust/parties", "/account", "/no/such/page"):
                assert "2026年3月2日 09:00" in browser.get(path).text
        with story.browser() as browser:
            assert "演示时钟" in browser.get("/login").text
