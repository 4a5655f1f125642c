# SPDX-License-Identifier: Apache-2.0
"""Signing in on the pages: locks, one-time codes, a provider, acting for one of several parties."""

import contextlib
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from web_server import PASSWORD, running, token

if (there := str(Path(__file__).parents[1] / "runtime")) not in sys.path:
    sys.path.insert(0, there)

from identity_provider import lying_provider  # found through the path above

from lingqu import trust
from lingqu.kernel.values import Hidden
from lingqu.runtime import REAL_TIME, new_id
from lingqu.runtime.settings import BadSetting
from lingqu.trust import identity

SECRET = re.compile(r'<code id="secret">([A-Z2-7]{32})</code>')
CODE = re.compile(r"<li><code>([a-z0-9-]{13})</code></li>")
STEP = re.compile(r'name="step" value="([^"]+)"')


@pytest.fixture(scope="module")
def lying():
    with lying_provider() as made:
        yield made


@pytest.fixture(scope="module")
def place(tmp_path_factory, lying):
    """A server whose people may sign in at a provider; regulators need a second factor."""
    folder = tmp_path_factory.mktemp("signing")
    (folder / "client").write_text("secret" + "x" * 10)
    (folder / "client").chmod(0o600)
    lying.client_secret = "secret" + "x" * 10
    given = {
        "openid_issuer": lying.issuer,
        "openid_client_secret_file": str(folder / "client"),
        "sign_in_failures_max": 4,
        "second_factor_roles": "regulator",
    }
    with running(folder, **given) as made:
        yield made


@pytest.fixture
def person(place):
    """A new account with name and password, and a client that is not signed in."""
    account = new_id(trust.AccountId)
    login = f"wei{account[-8:]}"
    place.execute(
        trust.open_account,
        account=account,
        party=place.party,
        kind=trust.AccountKind.PERSON,
        login=login,
        password=trust.hash_password(PASSWORD),
    )
    with place.browser() as client:
        client.account, client.login = account, login
        yield client


def give(place, client, role, party=None):
    place.execute(
        trust.assign_role,
        assignment=new_id(trust.AssignmentId),
        account=client.account,
        role=role,
        party=party or place.party,
    )


def sign_in(client, password=PASSWORD):
    fields = {"csrf": token(client.get("/login")), "login": client.login, "password": password}
    return client.post("/login", data=fields)


def send(client, path, page="/account", **fields):
    fields = {"csrf": token(client.get(page)), "command": new_id(trust.CommandId), **fields}
    return client.post(path, data=fields)


def code_at(secret, seconds=0):
    return pyotp.TOTP(secret).at(REAL_TIME.now() + timedelta(seconds=seconds))


def enroll(client):
    """Set up with the code of now: a code stays good for one step after its own."""
    page = send(client, "/account/second-factor").text
    secret = SECRET.search(page)[1]
    assert 'class="lq-qr" src="data:image/png;base64,iVBOR' in page, "a picture to scan"
    answer = send(
        client,
        "/account/second-factor/enable",
        secret=secret,
        code=code_at(secret),
        present=PASSWORD,
    )
    assert answer.status_code == 200, answer.text
    return secret, CODE.findall(answer.text)


def test_a_login_locks_after_failures_and_says_for_how_long(person):
    for _ in range(4):
        assert sign_in(person, "not the right one").status_code == 403
    locked = sign_in(person)
    assert locked.status_code == 403
    assert "登录失败次数过多" in locked.text


def test_a_second_factor_is_set_up_used_and_switched_off_without_script(person):
    sign_in(person)
    secret, codes = enroll(person)
    assert len(codes) == 10
    send(person, "/logout")
    asked = sign_in(person)
    assert asked.status_code == 200
    assert "/account" not in asked.headers.get("location", "")
    fields = {"csrf": token(asked), "step": STEP.search(asked.text)[1], "next": "/account"}
    wrong = person.post("/login/code", data=fields | {"code": "000000x"})
    assert (wrong.status_code, "验证码不正确" in wrong.text) == (403, True)
    done = person.post("/login/code", data=fields | {"code": code_at(secret, 30)})
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert "已启用" in person.get("/account").text
    refused = send(person, "/account/second-factor/disable", present="not the right one")
    assert refused.status_code == 422
    gone = send(person, "/account/second-factor/disable", present=PASSWORD)
    assert gone.status_code == 303
    send(person, "/logout")
    assert sign_in(person).status_code == 303


def test_a_recovery_code_opens_the_door_once(person):
    sign_in(person)
    _, codes = enroll(person)
    for number, status in ((0, 303), (0, 403)):
        person.cookies.clear()
        asked = sign_in(person)
        fields = {"csrf": token(asked), "step": STEP.search(asked.text)[1], "code": codes[number]}
        assert person.post("/login/code", data=fields).status_code == status


def test_a_wrong_first_code_or_password_switches_nothing_on(person):
    sign_in(person)
    secret = SECRET.search(send(person, "/account/second-factor").text)[1]
    good = {"secret": secret, "code": code_at(secret), "present": PASSWORD}
    for changes in ({"code": "000000x"}, {"present": "not the right one"}, {"secret": "x"}):
        answer = send(person, "/account/second-factor/enable", **(good | changes))
        assert answer.status_code in {403, 422}
    assert "未启用" in person.get("/account").text


def test_a_role_that_needs_a_second_factor_opens_nothing_before_it_is_there(place, person):
    give(place, person, trust.Role.REGULATOR)
    sign_in(person)
    refused = person.get("/trust/facts")
    assert (refused.status_code, "两步验证" in refused.text) == (403, True)
    api = person.get("/api/v1/trust/facts")
    assert (api.status_code, api.json()["code"]) == (403, "api.session.second_factor_needed")
    assert person.get("/account").status_code == 200
    enroll(person)
    assert person.get("/trust/facts").status_code == 200


def test_a_misspelt_role_is_refused_before_anything_is_served(tmp_path):
    with pytest.raises(BadSetting) as refused, running(tmp_path, second_factor_roles="boss"):
        pass
    assert refused.value.parameters["field"] == "second_factor_roles"


def test_who_acts_for_several_parties_chooses_on_the_account_page(place, person):
    other = new_id(trust.PartyId)
    place.execute(
        trust.register_party, party=other, kind=trust.PartyKind.ORGANIZATION, name="浦北县数据局"
    )
    give(place, person, trust.Role.MEMBER)
    give(place, person, trust.Role.MERCHANT, other)
    sign_in(person)
    assert "浦北县数据局" in person.get("/account").text
    assert send(person, "/account/acting", party=other).status_code == 303
    listed = person.get("/trust/parties").text.partition("<main")[2]
    assert "浦北县数据局" in listed
    assert "钦州市数据局" not in listed
    refused = send(person, "/account/acting", party=new_id(trust.PartyId))
    assert refused.status_code == 403
    assert send(person, "/account/acting", party="").status_code == 303
    assert "钦州市数据局" in person.get("/trust/parties").text


def begin(client, page="/login", onward="/account"):
    answer = client.post("/login/openid", data={"csrf": token(client.get(page)), "next": onward})
    assert answer.status_code == 200, answer.text
    return answer.headers["refresh"].removeprefix("0; url=")


def link(place, client, issuer, subject):
    place.execute(
        identity.link_login,
        link=new_id(identity.LoginLinkId),
        account=client.account,
        issuer=issuer,
        subject=Hidden(subject),
    )


def test_a_linked_login_opens_the_account_and_an_unlinked_one_opens_nothing(place, person, lying):
    subject = f"user-{person.login}"
    stranger = person.get("/login/openid/return", params=lying.authorize(begin(person), subject))
    assert (stranger.status_code, "没有关联" in stranger.text) == (403, True)
    link(place, person, lying.issuer, subject)
    answer = lying.authorize(begin(person), subject)
    opened = person.get("/login/openid/return", params=answer)
    assert (opened.status_code, opened.headers["location"]) == (303, "/account")
    assert person.login in person.get("/account").text


def test_a_login_is_linked_and_unlinked_on_the_account_page(person, lying):
    sign_in(person)
    answer = lying.authorize(begin(person, page="/account"), f"own-{person.login}")
    assert (
        person.get("/login/openid/return", params=answer).headers["location"].startswith("/account")
    )
    page = person.get("/account").text
    assert lying.issuer in page
    linked = re.search(r'name="link" value="(lnk_[0-9a-z]{26})"', page)[1]
    assert send(person, "/account/logins/unlink", link=linked).status_code == 303
    assert lying.issuer not in person.get("/account").text


def test_another_state_another_browser_or_a_second_use_opens_nothing(place, person, lying):
    subject = f"user-{person.login}"
    link(place, person, lying.issuer, subject)
    answer = lying.authorize(begin(person), subject)
    for wrong in ({"state": "x"}, {"state": ""}):
        assert person.get("/login/openid/return", params=answer | wrong).status_code == 403
    with place.browser() as other:
        token(other.get("/login"))
        assert other.get("/login/openid/return", params=answer).status_code == 403
    assert person.get("/login/openid/return", params=answer).status_code == 403
    answer = lying.authorize(begin(person), subject)
    assert person.get("/login/openid/return", params=answer).status_code == 303
    person.cookies.delete("lingqu_session")
    assert person.get("/login/openid/return", params=answer).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "other"}, {"aud": "other"}, {"exp": 1}, {"iss": "https://evil.example"}],
    ids=["nonce", "audience", "expired", "issuer"],
)
def test_a_token_that_proves_nothing_opens_nothing(place, person, lying, claims):
    subject = f"user-{person.login}"
    link(place, person, lying.issuer, subject)
    lying.claims = claims
    try:
        answer = lying.authorize(begin(person), subject)
        refused = person.get("/login/openid/return", params=answer)
    finally:
        lying.claims = {}
    assert refused.status_code == 403
    assert "lingqu_session" not in person.cookies


def test_a_mixed_up_issuer_is_refused(place, person, lying):
    link(place, person, lying.issuer, "mixed")
    answer = lying.authorize(begin(person), "mixed")
    refused = person.get("/login/openid/return", params=answer | {"iss": "https://evil.example"})
    assert refused.status_code == 403


def test_onward_addresses_stay_on_this_server(place, person, lying):
    link(place, person, lying.issuer, "onward")
    answer = lying.authorize(begin(person, onward="//evil.example/"), "onward")
    opened = person.get("/login/openid/return", params=answer)
    assert opened.headers["location"] == "/"


def test_another_projects_provider_signs_a_person_in(tmp_path):
    port = _free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{issuer}/jwks", process)
        (tmp_path / "client").write_text("a secret of the client")
        (tmp_path / "client").chmod(0o600)
        given = {"openid_issuer": issuer, "openid_client_secret_file": str(tmp_path / "client")}
        with running(tmp_path / "lingqu", **given) as made:
            _sign_in_at(made, issuer)
    finally:
        process.terminate()
        process.wait(10)


def _sign_in_at(made, issuer):
    account = made.accounts["member"]
    with made.browser() as client:
        client.account = account
        link(made, client, issuer, "248289761001")
        url = begin(client)
        sent = httpx.post(url, data={"sub": "248289761001"})
        back = urlsplit(sent.headers["location"])
        assert back.path == "/login/openid/return"
        query = {name: values[0] for name, values in parse_qs(back.query).items()}
        opened = client.get(back.path, params=query)
        assert (opened.status_code, opened.headers["location"]) == (303, "/account")
        assert "member" in client.get("/account").text
        assert client.get(back.path, params=query).status_code == 403


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_for(url, process):
    for _ in range(400):
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(url)
        assert process.poll() is None, "the provider ended"
        time.sleep(0.05)
    raise AssertionError("the provider never answered")
