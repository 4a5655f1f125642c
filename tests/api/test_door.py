# SPDX-License-Identifier: Apache-2.0
"""What holds for every request, whoever answers it."""

import dataclasses
import re

import httpx
import pytest
from web_server import PASSWORD, run_aside, token, write

from lingqu import trust
from lingqu.cli import serve
from lingqu.runtime import Database, new_id

EVERYWHERE = (
    "/", "/login", "/trust/verify", "/api/docs", "/api/openapi.json", "/nothing", "/api/nothing",
    "/health/live", "/log/1/checkpoint", "/static/nothing", "/robots.txt", "/favicon.ico",
)  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_carries_the_security_headers(server, path):
    answer = httpx.get(server.url + path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "strict-transport-security" not in answer.headers, "not over plain HTTP"
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer.headers["x-request-id"])
    assert answer.headers["cache-control"]


def test_a_well_formed_correlation_id_is_kept_and_any_other_replaced(server):
    kept = httpx.get(server.url + "/api/nothing", headers={"x-request-id": "abcdef-123456"})
    assert kept.headers["x-request-id"] == kept.json()["correlation"] == "abcdef-123456"
    for bad in ("short", "x" * 65, "has space in it", '"quoted-value"'):
        answer = httpx.get(server.url + "/api/nothing", headers={"x-request-id": bad})
        assert answer.headers["x-request-id"] != bad


def test_pages_are_never_stored_and_assets_for_ever(server):
    page = httpx.get(server.url + "/")
    assert page.headers["cache-control"] == "no-store"
    sheet = re.search(r'href="(/static/[^"]+lingqu\.css)"', page.text)
    assert sheet
    assert "immutable" in httpx.get(server.url + sheet[1]).headers["cache-control"]


def test_head_answers_like_get_without_a_body(server):
    answer = httpx.head(server.url + "/login")
    assert answer.status_code == 200
    assert answer.content == b""


def test_a_body_beyond_the_bound_is_refused_announced_or_not(server):
    huge = b"x" * (1024 * 1024 + 1)
    with server.machine() as machine:
        announced = machine.post("/api/v1/trust/parties", content=huge, headers=write())
        assert announced.status_code == 413
        assert announced.json()["code"] == "api.request.too_large"
        pieces = (huge[at : at + 65536] for at in range(0, len(huge), 65536))
        streamed = machine.post("/api/v1/trust/parties", content=pieces, headers=write())
        assert streamed.status_code == 413
    page = httpx.post(server.url + "/login", content=huge)
    assert page.status_code == 413
    assert "text/html" in page.headers["content-type"]


def test_an_unknown_method_is_refused_in_words(machine):
    answer = machine.delete("/api/v1/trust/parties")
    assert answer.status_code == 405
    assert answer.json()["code"] == "api.route.method_not_allowed"


def asked(server, *requests, **settings):
    """Answers of a door of its own over the same platform, with other settings."""
    app = dataclasses.replace(
        server.app, settings=dataclasses.replace(server.app.settings, **settings)
    )
    door = serve.build_asgi(app)

    async def ask():
        transport = httpx.ASGITransport(app=door, client=("203.0.113.7", 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            return [await client.request(*request[:2], **request[2]) for request in requests]

    return run_aside(ask())


def test_a_source_that_asks_too_often_must_wait(server):
    many = [("GET", "/api/v1/trust/installation", {})] * 8
    answers = asked(server, *many, api_requests_per_minute=5)
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["code"] == "api.request.too_many"


def test_guessing_keys_uses_up_the_allowance_of_the_source(server):
    guess = ("GET", "/api/v1/trust/parties", {"headers": {"authorization": "Bearer guess"}})
    answers = asked(server, *[guess] * 7, api_requests_per_minute=5)
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2


def test_health_and_static_files_do_not_count(server):
    calm = [("GET", "/health/live", {})] * 10
    assert {answer.status_code for answer in asked(server, *calm, api_requests_per_minute=1)} == {
        200
    }


def test_over_https_cookies_are_bound_to_the_host_and_transport_is_strict(server):
    (answer,) = asked(server, ("GET", "/login", {}), base_url="https://lingqu.example")
    assert "max-age" in answer.headers["strict-transport-security"]
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-lingqu-form=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_metrics_are_for_this_machine_and_administrators(server):
    assert "lingqu_http_requests_total" in httpx.get(server.url + "/metrics").text
    far, forwarded, known = asked(
        server,
        ("GET", "/metrics", {}),
        ("GET", "/metrics", {"headers": {"x-forwarded-for": "127.0.0.1"}}),
        ("GET", "/metrics", {"headers": {"authorization": f"Bearer {server.key}"}}),
    )
    assert far.status_code == forwarded.status_code == 403
    assert known.status_code == 200
    proxied = httpx.get(server.url + "/metrics", headers={"x-forwarded-for": "203.0.113.9"})
    assert proxied.status_code == 403


def test_a_browsers_write_to_the_api_needs_the_token_and_a_machines_does_not(server):
    party = new_id(trust.PartyId)
    body = {"party": party, "kind": "organization", "name": "会话写入"}
    with server.browser("administrator") as browser:
        headers = write()
        refused = browser.post("/api/v1/trust/parties", json=body, headers=headers)
        assert refused.status_code == 403
        assert refused.json()["code"] == "api.request.csrf"
        headers["x-csrf-token"] = token(browser.get("/account"))
        assert browser.post("/api/v1/trust/parties", json=body, headers=headers).status_code == 201


def test_without_a_database_every_page_and_call_says_so_and_none_breaks(server):
    database = Database(server.app.database.conninfo, size=2)
    database.close()
    app = dataclasses.replace(server.app, database=database)
    door = serve.build_asgi(app)

    async def ask(path, **headers):
        transport = httpx.ASGITransport(app=door)
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            return await client.get(path, headers=headers)

    for path in ("/", "/trust/parties", "/trust/verify", "/api/v1/trust/parties"):
        answer = run_aside(ask(path, cookie="lingqu_session=abcdefgh"))
        assert answer.status_code == 503, (path, answer.text)
        assert answer.headers["retry-after"]
        assert "runtime.database.unavailable" in answer.text
    assert run_aside(ask("/health/live")).status_code == 200


def test_a_cookie_that_means_nothing_is_refused_by_the_api_and_ignored_by_pages(server):
    cookies = {"lingqu_session": PASSWORD.replace(" ", "")}
    with httpx.Client(base_url=server.url, cookies=cookies) as client:
        assert client.get("/api/v1/trust/parties").status_code == 401
        assert client.get("/").status_code == 200


def test_a_taken_port_is_a_refusal_in_words(server):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(serve.PortTaken):
        serve.listen("127.0.0.1", port)
    with pytest.raises(serve.CannotListen):
        serve.listen("203.0.113.1", 8420)
