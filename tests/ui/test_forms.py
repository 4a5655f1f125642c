# SPDX-License-Identifier: Apache-2.0
"""Forms: the token is checked for every one, twice is once, sessions end, guessing is slowed."""

import dataclasses
import re

import httpx
import pytest
from web_server import PASSWORD, filled, run_aside, token

from lingqu import trust
from lingqu.cli import serve
from lingqu.runtime import new_id
from lingqu.runtime.i18n import catalog
from lingqu.ui.app import _HANDLERS


def test_every_form_is_refused_without_the_token_of_the_session(server):
    writes = sorted(path for one in _HANDLERS if "POST" in one.http_methods for path in one.paths)
    assert len(writes) > 12
    with server.browser("administrator") as browser, server.browser("regulator") as other:
        foreign = token(other.get("/account"))
        for path in writes:
            address = filled(path, server.party)
            for fields in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": foreign}):
                answer = browser.post(address, data=fields)
                assert answer.status_code == 403, address
                assert "ui.form.expired" in answer.text
            assert (
                browser.post(address, json={"csrf": token(browser.get("/account"))}).status_code
                == 403
            )


def register(browser, name, **fields):
    page = browser.get("/trust/parties").text
    hidden = dict(re.findall(r'name="(command|party)" value="(\w+)"', page))
    data = {"csrf": re.search(r'name="csrf" value="(\w+)"', page)[1], "kind": "organization"}
    return {**data, **hidden, "name": name, **fields}


def test_a_form_sent_twice_does_its_command_once(server):
    with server.browser("administrator") as browser:
        data = register(browser, "一次就够")
        first, again = (browser.post("/trust/parties", data=data) for _ in range(2))
        assert first.status_code == again.status_code == 303
        assert first.headers["location"] == again.headers["location"]
        page = browser.get(first.headers["location"])
        assert "一次就够" in page.text
        facts = browser.get(f"/trust/facts?subject={data['party']}").text
        assert len(set(re.findall(r"/trust/facts/fct_\w+", facts))) == 1


FILE_AND_BROKEN_TEXT = (
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nb\r\n'
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--'
)


@pytest.mark.parametrize(
    "told",
    [
        ("boundary=x", b""),
        ("boundary=x", b"no parts at all"),
        ("boundary=x", b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nbroken o'),
        ("boundary=x", b'--x\r\nContent-Disposition: attachment; name="a"\r\n\r\nb\r\n--x--'),
        ("boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--'),
        ("boundary=x", b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nb\r\n--x--'),
        ("boundary=x", FILE_AND_BROKEN_TEXT),
        ("boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 1_001),
        ("boundary=", b"--x--"),
        ("charset=utf-8", b"--x--"),
    ],
)  # fmt: skip
def test_a_form_in_broken_parts_is_refused(server, told):
    about, body = told
    with server.browser("administrator") as browser:
        head = {"content-type": f"multipart/form-data; {about}"}
        answer = browser.post("/trust/verify", content=body, headers=head)
        assert answer.status_code == 400, answer.text
        assert "ui.form.unreadable" in answer.text
        (said,) = re.findall(r"<h1[^>]*>([^<]*)</h1>", answer.text)
        assert said.strip() == catalog()["ui.form.unreadable"].zh, "and no library's English"


def test_parts_are_read_as_utf8_whatever_they_say_of_themselves(server):
    with server.browser("administrator") as browser:
        fields = {**register(browser, "分段名称"), "kind": "organization"}
        body = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n'
            f"Content-Type: text/plain; charset=no-such-charset\r\n\r\n{value}\r\n"
            for name, value in fields.items()
        )
        answer = browser.post(
            "/trust/parties",
            content=f"{body}--x--\r\nan epilogue".encode(),
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
        assert answer.status_code == 303, answer.text
        assert "分段名称" in browser.get(answer.headers["location"]).text


def test_a_refused_form_says_why_and_keeps_what_was_typed(server):
    with server.browser("administrator") as browser:
        answer = browser.post("/trust/parties", data=register(browser, "坏\u202e名"))
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        missing = register(browser, "x")
        del missing["kind"]
        assert browser.post("/trust/parties", data=missing).status_code == 400
        bad_id = register(browser, "x", party="pty_garbage")
        assert browser.post("/trust/parties", data=bad_id).status_code == 422


def test_a_member_may_not_do_what_the_page_does_not_offer(server):
    with server.browser("member") as browser:
        page = browser.get("/trust/parties").text
        assert 'name="command"' not in page
        data = {
            "csrf": token(browser.get("/account")),
            "command": new_id(trust.CommandId),
            "party": new_id(trust.PartyId),
            "kind": "organization",
            "name": "x",
        }
        assert browser.post("/trust/parties", data=data).status_code == 403


def test_a_whole_life_of_a_party_through_its_page(server):
    with server.browser("administrator") as browser:
        party = register(browser, "来去之间")
        browser.post("/trust/parties", data=party)
        base = f"/trust/parties/{party['party']}"

        def act(path, **fields):
            csrf = token(browser.get(base))
            command = fields.pop("command", None) or new_id(trust.CommandId)
            data = {"csrf": csrf, "command": command, **fields}
            return browser.post(f"{base}{path}", data=data)

        account, assignment = new_id(trust.AccountId), new_id(trust.AssignmentId)
        key, login = new_id(trust.ApiKeyId), f"clerk{account[-6:]}"
        opened = {"account": account, "kind": "person", "login": login, "password": PASSWORD}
        assert act("/rename", name="新名").status_code == 303
        assert act("/accounts", **opened).status_code == 303
        assert act("/accounts", **{**opened, "password": "short"}).status_code == 422
        assert act("/accounts", **opened).status_code == 409, "the name is taken"
        role = {"assignment": assignment, "account": account, "role": "member"}
        assert act("/roles", **role).status_code == 303
        same = new_id(trust.CommandId)
        issued = act("/keys", command=same, api_key=key, account=account, label="程序")
        secret = re.search(r'id="secret">([\w-]{43})<', issued.text)
        assert secret
        again = act("/keys", command=same, api_key=key, account=account, label="程序")
        assert 'id="secret"' not in again.text
        with server.machine(secret[1]) as machine:
            assert machine.get("/api/v1/trust/parties").status_code == 200
        page = browser.get(base).text
        for shown in ("新名", login, "程序"):
            assert shown in page
        assert act("/keys/revoke", api_key=key).status_code == 303
        assert act("/roles/withdraw", assignment=assignment).status_code == 303
        assert act("/accounts/close", account=account).status_code == 303
        assert "新名" in browser.get(f"{base}/erase").text
        assert act("/erase").status_code == 303
        assert "新名" not in browser.get(base).text


def test_signing_out_ends_the_session_at_once(server):
    with server.browser("member") as browser:
        cookie = browser.cookies["lingqu_session"]
        answer = browser.post("/logout", data={"csrf": token(browser.get("/account"))})
        assert answer.status_code == 303
        assert "lingqu_session" not in browser.cookies
    with httpx.Client(base_url=server.url, cookies={"lingqu_session": cookie}) as thief:
        assert thief.get("/account").status_code == 303


def test_a_session_can_be_ended_from_another_one(server):
    with server.browser("regulator") as here, server.browser("regulator") as there:
        page = here.get("/account").text
        sessions = re.findall(r'name="session" value="(\w{64})"', page)
        assert len(sessions) >= 2
        own = trust.secret_hash(here.cookies["lingqu_session"]).hex()
        theirs = trust.secret_hash(there.cookies["lingqu_session"]).hex()
        assert {own, theirs} <= {*sessions}
        fields = {"csrf": token(here.get("/account")), "session": theirs}
        assert here.post("/account/sessions/close", data=fields).status_code == 303
        assert there.get("/account").status_code == 303
        assert here.get("/account").status_code == 200
        assert here.post("/account/sessions/close", data=fields).status_code in {401, 403}


def test_the_session_cookie_is_out_of_reach_of_script(server):
    with server.browser() as browser:
        fields = {"csrf": token(browser.get("/login")), "login": "member", "password": PASSWORD}
        cookie = browser.post("/login", data=fields).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie


def test_a_wrong_name_and_a_wrong_password_are_refused_alike(server):
    with server.browser() as browser:
        answers = []
        for login in ("administrator", "nobody at all"):
            csrf = token(browser.get("/login"))
            fields = {"csrf": csrf, "login": login, "password": "not the password"}
            answer = browser.post("/login", data=fields)
            assert answer.status_code == 403
            volatile = re.compile(rf"{csrf}|{login}|[0-9a-f]{{64}}")
            answers.append(volatile.sub("", answer.text))
        assert answers[0] == answers[1]


def test_changing_the_password_needs_the_present_one_and_ends_all_sessions(server):
    account, login = new_id(trust.AccountId), f"changer{new_id(trust.AccountId)[-6:]}"
    server.execute(
        trust.open_account,
        account=account,
        party=server.party,
        kind=trust.AccountKind.PERSON,
        login=login,
        password=trust.hash_password(PASSWORD),
    )
    new = "an entirely different one"
    with server.browser(login) as browser, server.browser(login) as other:

        def change(present, password, again):
            fields = {"present": present, "password": password, "again": again}
            csrf, command = token(browser.get("/account")), new_id(trust.CommandId)
            return browser.post(
                "/account/password", data={"csrf": csrf, "command": command, **fields}
            )

        assert change("wrong one entirely", new, new).status_code == 422
        assert change(PASSWORD, new, new + "x").status_code == 422
        assert change(PASSWORD, "short", "short").status_code == 422
        assert change(PASSWORD, new, new).status_code == 303
        assert browser.get("/account").status_code == 303
        assert other.get("/account").status_code == 303


@pytest.mark.parametrize("same", ["source", "login"])
def test_guessing_passwords_is_slowed_for_the_source_and_for_the_name(server, same):
    settings = dataclasses.replace(server.app.settings, login_attempts_per_minute=3)
    door = serve.build_asgi(dataclasses.replace(server.app, settings=settings))

    async def guess(number):
        source = "203.0.113.1" if same == "source" else f"203.0.113.{number}"
        login = f"guess{number}" if same == "source" else "member"
        transport = httpx.ASGITransport(app=door, client=(source, 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            csrf = token(await client.get("/login"))
            fields = {"csrf": csrf, "login": login, "password": "guess guess guess"}
            return await client.post("/login", data=fields)

    async def guesses():
        return [await guess(number) for number in range(5)]

    answers = run_aside(guesses())
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_failed_job_is_retried_or_dropped_from_its_page(server):
    retried, dropped = server.failed_job(), server.failed_job()
    with server.browser("administrator") as browser:
        assert "/trust/jobs" in browser.get("/system").text
        for job, act in ((retried, "retry"), (dropped, "drop")):
            page = browser.get("/trust/jobs").text
            form = re.search(
                rf'action="/trust/jobs/{act}">.*?name="command" value="(\w+)">'
                rf'<input type="hidden" name="job" value="{job}">',
                page,
            )
            fields = {"csrf": token(browser.get("/trust/jobs")), "command": form[1], "job": job}
            done = browser.post(f"/trust/jobs/{act}", data=fields)
            assert (done.status_code, done.headers["location"][:11]) == (303, "/trust/jobs")
        assert f'name="job" value="{dropped}"' not in browser.get("/trust/jobs").text
        fields |= {"command": new_id(trust.CommandId)}
        for job in (dropped, "x", "9" * 400):
            gone = browser.post("/trust/jobs/drop", data={**fields, "job": job})
            assert gone.status_code == 404
            assert 'role="alert"' in gone.text
