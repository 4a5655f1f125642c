# SPDX-License-Identifier: Apache-2.0
"""The API of trust: one write is one command, refusals are problem documents on record."""

import json
import time

import httpx
import pytest
from web_server import write

from lingqu import trust
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu_verify import verify_bundle

PROBLEM = {"type", "title", "status", "detail", "code", "parameters", "article", "correlation"}
HOSTILE = (
    "' OR 1=1; --", "<script>alert(1)</script>", "{{ 7*7 }}", "${7*7}", "../../etc/passwd",
    "田中さんにあげて下さい", "𠜎𠜱𠝹𠱓", "🐵 🙈 🙉 🙊", "مُنَاقَشَةُ سُبُلِ", "ﷺ", "Ṱ̺̺̕o͞ ̷i̲̬͇",
    "%00%0a", "\\u0000", "NULL", "undefined", "1e309", "-0", "File:///", "CON",
    "\"\"\"'''", "&lt;b&gt;", "𝕿𝖍𝖊", "x" * 200,
)  # fmt: skip
REFUSED = ("", "   ", "x" * 201, "a\x00b", "a\nb", "a\u202eb", "\u200b", "\x07")


def named(name, kind="organization"):
    return {"party": new_id(trust.PartyId), "kind": kind, "name": name}


def refusals(server):
    with server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        page = trust.find_facts(tx, page=PageRequest(size=200), kind="trust.command.refused")
    return [fact.entry["data"] for fact in page.items]


def test_a_party_is_registered_read_renamed_and_listed(machine):
    body = named("南宁市大数据发展局")
    made = machine.post("/api/v1/trust/parties", json=body, headers=write())
    assert made.status_code == 201
    assert made.json()["id"] == body["party"]
    path = f"/api/v1/trust/parties/{body['party']}"
    renamed = machine.post(f"{path}/rename", json={"name": "南宁市数据局"}, headers=write())
    assert (renamed.status_code, renamed.json()["version"]) == (200, 2)
    assert machine.get(path).json()["name"] == "南宁市数据局"


def test_lists_are_walked_by_cursor_without_gap_or_repeat(machine):
    for number in range(5):
        machine.post("/api/v1/trust/parties", json=named(f"第{number}家"), headers=write())
    whole = machine.get("/api/v1/trust/parties", params={"size": 500}).json()["items"]
    walked, after = [], None
    while True:
        params = {"size": 2, **({"after": after} if after else {})}
        page = machine.get("/api/v1/trust/parties", params=params).json()
        assert set(page) == {"items", "next"}
        walked += page["items"]
        after = page["next"]
        if after is None:
            break
    assert [one["id"] for one in walked] == [one["id"] for one in whole]


def test_the_same_key_and_request_again_gives_the_first_answer(machine):
    body, headers = named("重发"), write()
    first = machine.post("/api/v1/trust/parties", json=body, headers=headers)
    again = machine.post("/api/v1/trust/parties", json=body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    other = machine.post("/api/v1/trust/parties", json=named("别的"), headers=headers)
    assert other.status_code == 409
    assert other.json()["code"] == "trust.command.id_reused"


@pytest.mark.parametrize("key", [None, "", "cmd_", "abc", "pty_01jc0000000000000000000000", "我"])
def test_a_write_without_a_command_id_is_refused(machine, key):
    headers = {} if key is None else {"idempotency-key": key.encode()}
    answer = machine.post("/api/v1/trust/parties", json=named("无号"), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"] == "api.idempotency_key.bad"


def test_a_refusal_is_a_problem_document_in_the_callers_language(machine):
    path = f"/api/v1/trust/parties/{new_id(trust.PartyId)}"
    chinese = machine.get(path, headers={"accept-language": "zh-CN"})
    english = machine.get(path, headers={"accept-language": "en-GB,en;q=0.8"})
    for answer in (chinese, english):
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert set(answer.json()) == PROBLEM
        assert answer.json()["type"] == "urn:lingqu:error:trust.party.not_found"
    assert chinese.json()["title"] != english.json()["title"]
    assert english.json()["title"].isascii()
    assert english.headers["content-language"] == "en"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (b'{"party": 1, "kind": "organization", "name": "x"}', 400),
        (b'{"kind": "organization", "name": "x"}', 400),
        (b'{"party": "pty_x", "kind": "organization", "name": "x"}', 422),
        (b'{"party": "pty_01jc0000000000000000000000", "kind": "alien", "name": "x"}', 400),
        (b'{"party": "pty_01jc", "kind": "person", "name": "x", "y": 1}', 400),
        (b"[" * 100_000, 400),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(machine, body, status):
    headers = write(**{"content-type": "application/json"})
    answer = machine.post("/api/v1/trust/parties", content=body, headers=headers)
    assert answer.status_code == status
    assert set(answer.json()) == PROBLEM


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_comes_back_as_it_went_in(machine, name):
    body = named(name)
    made = machine.post("/api/v1/trust/parties", json=body, headers=write())
    assert made.status_code == 201, made.text
    read = machine.get(f"/api/v1/trust/parties/{body['party']}")
    assert read.json()["name"] == name.strip()


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_shown_is_refused(machine, name):
    answer = machine.post("/api/v1/trust/parties", json=named(name), headers=write())
    assert answer.status_code == 422
    assert answer.json()["code"] == "trust.party.bad_name"


def test_a_refused_write_is_on_record_whether_it_became_a_command_or_not(server, machine):
    headers = write(**{"content-type": "application/json"})
    machine.post("/api/v1/trust/parties", content=b"{not json", headers=headers)
    machine.post("/api/v1/trust/parties", json=named("a\nb"), headers=write())
    found = [(one["command"], one["code"]) for one in refusals(server)]
    assert ("trust.party.register", "api.request.malformed") in found
    assert found.count(("trust.party.register", "trust.party.bad_name")) >= 1


def test_strangers_are_refused_and_counted_by_source_and_route(server):
    server.app.strangers.flush()
    for _ in range(3):
        answer = httpx.post(server.url + "/api/v1/trust/parties", json={}, headers=write())
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "api.authentication.required"
    until = time.monotonic() + 60
    counted = 0
    while counted < 3 and time.monotonic() < until:
        counted += server.app.strangers.flush()
    assert counted == 3


def test_nobody_learns_of_another_party_by_guessing_its_id(server):
    with server.browser("member") as member:
        foreign = new_id(trust.PartyId)
        server.execute(
            trust.register_party, party=foreign, kind=trust.PartyKind.PERSON, name="外人"
        )
        hidden = member.get(f"/api/v1/trust/parties/{foreign}").json()
        absent = member.get(f"/api/v1/trust/parties/{new_id(trust.PartyId)}").json()
        assert (hidden["status"], hidden["code"]) == (absent["status"], absent["code"])
        assert (hidden["title"], hidden["detail"]) == (
            absent["title"].replace(absent["parameters"]["id"], hidden["parameters"]["id"]),
            absent["detail"],
        )


def test_an_issued_key_works_is_shown_once_and_dies_with_its_revocation(server, machine):
    account = new_id(trust.AccountId)
    body = {"account": account, "party": server.party, "kind": "machine"}
    assert machine.post("/api/v1/trust/accounts", json=body, headers=write()).status_code == 201
    key, headers = new_id(trust.ApiKeyId), write()
    body = {"api_key": key, "account": account, "label": "同步"}
    issued = machine.post("/api/v1/trust/api-keys", json=body, headers=headers)
    secret = issued.json()["secret"]
    again = machine.post("/api/v1/trust/api-keys", json=body, headers=headers)
    assert (again.status_code, again.json()["secret"]) == (201, None)
    with server.machine(secret) as other:
        assert other.get("/api/v1/trust/parties").json()["items"] == []
        revoked = machine.post(f"/api/v1/trust/api-keys/{key}/revoke", headers=write())
        assert revoked.status_code == 200
        assert other.get("/api/v1/trust/parties").status_code == 401


def test_accounts_roles_passwords_and_erasure_over_the_api(machine):
    person = named("韦某", kind="person")
    account, assignment = new_id(trust.AccountId), new_id(trust.AssignmentId)
    opened = {
        "account": account,
        "party": person["party"],
        "kind": "person",
        "login": f"wei{account[-6:]}",
        "password": "a long enough password",
    }
    role = {
        "assignment": assignment,
        "account": account,
        "role": "member",
        "party": person["party"],
    }
    base = "/api/v1/trust"
    steps = (
        (f"{base}/parties", person, 201),
        (f"{base}/accounts", opened, 201),
        (f"{base}/roles", role, 201),
        (f"{base}/accounts/{account}/password", {"password": "another long password"}, 200),
        (f"{base}/accounts/{account}/password", {"password": "short"}, 422),
        (f"{base}/roles/{assignment}/withdraw", None, 200),
        (f"{base}/roles/{assignment}/withdraw", None, 409),
        (f"{base}/accounts/{account}/close", None, 200),
        (f"{base}/parties/{person['party']}/erase", None, 200),
        (f"{base}/clock/move", {"to": "2030-01-01T00:00:00Z"}, 409),
    )
    for path, body, status in steps:
        answer = machine.post(path, json=body, headers=write())
        assert answer.status_code == status, (path, answer.text)
    assert machine.get(f"{base}/parties/{person['party']}").json()["name"] is None


def test_a_fact_its_receipt_and_its_bundle_are_given_and_verify(machine):
    body = named("举证单位")
    machine.post("/api/v1/trust/parties", json=body, headers=write())
    page = machine.get("/api/v1/trust/facts", params={"subject": body["party"]}).json()
    (fact,) = page["items"]
    assert fact["entry"]["data"]["party"] == body["party"]
    receipt = awaited(machine, f"/api/v1/trust/facts/{fact['id']}/receipt")
    assert receipt["index"] < receipt["size"]
    bundle = machine.get(f"/api/v1/trust/facts/{fact['id']}/bundle")
    keys = machine.get("/api/v1/trust/installation").json()["log"]["keys"]
    report = verify_bundle(bundle.content, keys=keys)
    assert [one.entry.fact for one in report.facts] == [fact["id"]]
    assert [one.content["row"]["name"] for one in report.disclosures] == ["举证单位"]


def test_no_bundle_shows_what_a_password_or_key_is_checked_against(machine):
    page = machine.get("/api/v1/trust/facts", params={"kind": "trust.account.opened"}).json()
    fact = page["items"][0]["id"]
    awaited(machine, f"/api/v1/trust/facts/{fact}/receipt")
    bundle = machine.get(f"/api/v1/trust/facts/{fact}/bundle").text
    assert "argon2" not in bundle
    assert json.loads(bundle)["disclosures"] == []


def awaited(machine, path):
    """A receipt, as soon as a checkpoint holds the fact."""
    until = time.monotonic() + 60
    while True:
        answer = machine.get(path)
        if answer.status_code == 200:
            return answer.json()
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"]
        assert time.monotonic() < until
        time.sleep(0.02)


def test_failed_jobs_are_listed_retried_and_dropped(server, machine):
    retried, dropped = server.failed_job(), server.failed_job()
    path = "/api/v1/trust/jobs"
    listed = machine.get(path, params={"size": 2}).json()["items"]
    assert [one["id"] for one in listed] == [dropped, retried]
    assert listed[0]["name"] == "trust.sessions.drop_expired"
    key = write()
    first, again = (machine.post(f"{path}/{retried}/retry", headers=key) for _ in range(2))
    assert (first.status_code, first.json()) == (200, again.json())
    assert machine.post(f"{path}/{dropped}/drop", headers=write()).json()["id"] == dropped
    gone = machine.post(f"{path}/{dropped}/drop", headers=write())
    assert (gone.status_code, gone.json()["code"]) == (404, "trust.job.not_failed")
    huge = machine.post(f"{path}/{1 << 70}/retry", headers=write())
    assert huge.status_code in {400, 404, 422}
    assert machine.get(path).json()["items"] == []
