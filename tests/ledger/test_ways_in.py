# SPDX-License-Identifier: Apache-2.0
"""The ledger through its API and its command line: whole journeys, on a real server."""

import json
import sys
import time
from pathlib import Path

import pytest

from lingqu import ledger, trust
from lingqu.cli.program import run
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id

sys.path.insert(0, str(Path(__file__).parents[1] / "api"))

from web_server import running, write  # found through the path above

ROOT = "/api/v1/ledger"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("ledger")) as made:
        yield made


@pytest.fixture
def clerk(server):
    """A client with the key of an account of the clearing office."""
    party, account = new_id(trust.PartyId), new_id(trust.AccountId)
    secret = trust.new_secret()

    def do(command, **arguments):
        trust.execute(
            server.app.database,
            command,
            trust.LOCAL_ADMINISTRATOR,
            new_id(trust.CommandId),
            **arguments,
        )

    do(
        trust.register_party,
        party=party,
        kind=trust.PartyKind.ORGANIZATION,
        name="清算中心（演示）",
    )
    do(trust.open_account, account=account, party=party, kind=trust.AccountKind.MACHINE)
    do(
        trust.assign_role,
        assignment=new_id(trust.AssignmentId),
        account=account,
        role=trust.Role.CLEARING,
        party=party,
    )
    do(
        trust.issue_api_key,
        api_key=new_id(trust.ApiKeyId),
        account=account,
        label="test",
        secret=Hidden(secret),
    )
    with server.machine() as client:
        client.headers["authorization"] = f"Bearer {secret}"
        client.party = party
        yield client


def opened(client, **more):
    body = {"account": new_id(ledger.LedgerAccountId), "owner": client.party, "kind": "funds"}
    made = client.post(f"{ROOT}/accounts", json={**body, **more}, headers=write())
    assert made.status_code == 201, made.text
    return made.json()["id"]


def moved(debit, credit, amount, **more):
    named = {"id": new_id(ledger.TransferId), "kind": "charge"}
    return {**named, "debit": debit, "credit": credit, "amount": amount, **more}


def test_amounts_are_moved_queued_and_read_over_the_api(clerk):
    bank, buyer = opened(clerk, floor=None), opened(clerk)
    good, bad = moved(bank, buyer, 500), moved(buyer, bank, 501)
    answer = clerk.post(f"{ROOT}/transfers", json={"transfers": [good, bad]}, headers=write())
    assert answer.status_code == 201, answer.text
    assert [one["outcome"] for one in answer.json()["items"]] == ["accepted", "floor_crossed"]
    assert clerk.get(f"{ROOT}/transfers/{bad['id']}").json()["outcome"] == "floor_crossed"
    held = moved(buyer, bank, 100, phase="pending")
    post = moved(buyer, bank, 60, phase="post", pending=held["id"])
    queued = clerk.post(f"{ROOT}/queue", json={"transfers": [held, post]}, headers=write())
    assert queued.json() == {"count": 2}
    assert clerk.post(f"{ROOT}/batches", headers=write()).status_code == 201
    deadline = time.monotonic() + 30  # the server posts by itself too
    while clerk.get(f"{ROOT}/transfers/{post['id']}").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    read = clerk.get(f"{ROOT}/accounts/{buyer}").json()
    assert read["balance"] == {"posted": 440, "pending_out": 0, "pending_in": 0}
    page = clerk.get(f"{ROOT}/accounts/{buyer}/statement", params={"size": 2}).json()
    assert [one["balance"] for one in page["items"]] == [500, 500]
    rest = clerk.get(f"{ROOT}/accounts/{buyer}/statement", params={"after": page["next"]}).json()
    assert [(one["moved"], one["balance"]) for one in rest["items"]] == [(-60, 440)]
    trial = clerk.get(f"{ROOT}/trial-balance").json()["items"]
    assert sum(int(one["holding"]) + int(one["owing"]) for one in trial) == 0
    owned = clerk.get(f"{ROOT}/accounts", params={"owner": clerk.party}).json()["items"]
    assert {one["id"] for one in owned} == {bank, buyer}


def test_units_limits_and_days_over_the_api(clerk):
    unit = {"currency": "micro_rho", "scale": 6, "name_zh": "隐私损失", "name_en": "privacy loss"}
    assert clerk.post(f"{ROOT}/currencies", json=unit, headers=write()).status_code == 201
    listed = clerk.get(f"{ROOT}/currencies").json()["items"]
    assert {one["id"] for one in listed} >= {"CNY", "micro_rho"}
    account = opened(clerk, currency="micro_rho", ceiling=10)
    limits = {"floor": -5, "ceiling": None}
    path = f"{ROOT}/accounts/{account}"
    changed = clerk.post(f"{path}/limits", json=limits, headers=write())
    assert (changed.json()["floor"], changed.json()["ceiling"]) == (-5, None)
    assert clerk.post(f"{path}/close", headers=write()).json()["closed_at"] is not None
    closed = clerk.post(f"{ROOT}/days", json={"day": "2026-01-01"}, headers=write())
    assert {one["currency"] for one in closed.json()["items"]} >= {"CNY", "micro_rho"}
    assert clerk.get(f"{ROOT}/days/2026-01-01").json() == closed.json()
    for path in ("days/2025-01-01", "days/soon", "transfers/x", "accounts/x"):
        answer = clerk.get(f"{ROOT}/{path}")
        assert answer.status_code in {404, 400, 422}, answer.text
        assert answer.json()["code"]


def test_the_administrator_has_no_business_of_its_own(server, clerk):
    bank, buyer = opened(clerk, floor=None), opened(clerk)
    with server.machine() as administrator:
        body = {"transfers": [moved(bank, buyer, 1)]}
        for path in ("transfers", "queue"):
            refused = administrator.post(f"{ROOT}/{path}", json=body, headers=write())
            assert (refused.status_code, refused.json()["code"]) == (403, "trust.access.denied")
        assert administrator.get(f"{ROOT}/accounts/{buyer}").status_code == 200


class Operator:
    """The command line in this process, beside the running platform."""

    def __init__(self, capsys, data_dir):
        self.capsys = capsys
        self.where = ("--data-dir", str(data_dir), "--lang", "zh")

    def __call__(self, *words):
        code = run([*words, *self.where])
        return code, self.capsys.readouterr().out

    def json(self, *words):
        code, out = self(*words, "--json")
        assert code == 0, out
        return json.loads(out)

    def refusal(self, *words):
        code, out = self(*words, "--json")
        return code, json.loads(out)["error"]["code"]


def test_an_operator_works_the_ledger_from_the_command_line(server, clerk, capsys):
    cli = Operator(capsys, server.app.settings.data_dir)
    party = clerk.party
    made = cli.json("ledger", "register-currency", "calls", "调用次数", "calls")
    assert made["currency"]["scale"] == 0
    assert "调用次数" in cli("ledger", "currencies")[1]
    words = ("ledger", "open", party, "funds", "--currency", "calls", "--no-floor")
    made = cli.json(*words)
    assert cli.json(*words, "--id", made["command"]) == made
    account = made["account"]["id"]
    assert account in cli("ledger", "accounts", "--owner", party)[1]
    source = opened(clerk, currency="calls", floor=None)
    one = moved(source, account, 7)
    clerk.post(f"{ROOT}/transfers", json={"transfers": [one]}, headers=write())
    assert cli.json("ledger", "statement", account)["items"][0]["balance"] == 7
    assert "已办理" in cli("ledger", "transfer", one["id"])[1]
    assert cli.json("ledger", "post-batch")["batch"]["accepted"] == 0
    assert "正余额" in cli("ledger", "trial-balance")[1]
    assert cli.refusal("ledger", "close", account) == (6, "ledger.account.not_empty")
    closed = cli.json("ledger", "close-day", "2026-01-02")["closes"]
    assert {one["day"] for one in closed} == {"2026-01-02"}
    assert "2026-01-02" in cli("ledger", "days")[1]
    assert cli.refusal("ledger", "close-day", "2999-01-01") == (6, "ledger.day.not_over")
    assert cli.refusal("ledger", "close-day", "soon") == (3, "ledger.day.bad")
