# SPDX-License-Identifier: Apache-2.0
"""The API of procedures: what waits, moving with files, refusals with their article."""

import base64

from web_server import write

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.trust import procedures

ROUTE = "/api/v1/trust/procedures"


def opened(server, machine, **more):
    """A complaint of an office of its own, handled by the server's organisation."""
    complainant = new_id(trust.PartyId)
    kind = trust.PartyKind.ORGANIZATION
    server.execute(trust.register_party, party=complainant, kind=kind, name="浦北县供销社")
    body = {
        "procedure": new_id(procedures.ProcedureId),
        "chart": "complaint",
        "subject": "prd_1",
        "title": "数据产品与说明不符",
        "owner": complainant,
        "parts": [
            {"role": "complainant", "party": complainant},
            {"role": "handler", "account": server.accounts["administrator"]},
        ],
        **more,
    }
    answer = machine.post(ROUTE, json=body, headers=write())
    return body, answer


def test_a_procedure_is_opened_moved_with_a_file_and_read(server, machine):
    body, answer = opened(server, machine)
    assert (answer.status_code, answer.json()["state"]) == (201, "filed")
    path = f"{ROUTE}/{body['procedure']}"
    (waiting,) = [
        one
        for one in machine.get(f"{ROUTE}/todo").json()["items"]
        if one["procedure"]["id"] == body["procedure"]
    ]
    assert (waiting["clock"]["days_left"], waiting["urgency"]) == (5, "green")
    file = {"name": "说明.txt", "content": base64.b64encode("不符".encode()).decode()}
    move = {"move": "accept", "version": 1, "opinion": "受理。", "files": [file]}
    headers = write()
    moved = machine.post(f"{path}/moves", json=move, headers=headers)
    assert (moved.status_code, moved.json()["state"]) == (200, "investigating")
    assert machine.post(f"{path}/moves", json=move, headers=headers).json() == moved.json()
    whole = machine.get(path).json()
    assert [one["move"] for one in whole["steps"]] == ["accept"]
    assert whole["attachments"][0]["name"] == "说明.txt"
    assert [one["name"] for one in whole["choices"]] == ["answer"]
    listed = machine.get(ROUTE, params={"chart": "complaint", "standing": "running"}).json()
    assert body["procedure"] in {one["id"] for one in listed["items"]}


def test_a_stale_move_is_a_conflict_and_a_foreign_one_forbidden(server, machine):
    body, _ = opened(server, machine)
    path = f"{ROUTE}/{body['procedure']}/moves"
    stale = machine.post(path, json={"move": "accept", "version": 7}, headers=write())
    assert (stale.status_code, stale.json()["code"]) == (409, "trust.procedure.stale")
    foreign = {"move": "withdraw", "version": 1, "reason": "不想"}
    refused = machine.post(path, json=foreign, headers=write())
    assert (refused.status_code, refused.json()["code"]) == (403, "trust.procedure.wrong_actor")
    bad = {"move": "accept", "version": 1, "files": [{"name": "x", "content": "%%"}]}
    unread = machine.post(path, json=bad, headers=write())
    assert (unread.status_code, unread.json()["code"]) == (422, "api.procedure.file_unreadable")


def test_people_are_named_and_released_and_clocks_asked_for(server, machine):
    body, _ = opened(server, machine)
    part = {
        "participant": new_id(procedures.ParticipantId),
        "role": "superior",
        "party": server.party,
    }
    path = f"{ROUTE}/{body['procedure']}/participants"
    assert machine.post(path, json=part, headers=write()).status_code == 201
    release = f"{ROUTE}/participants/{part['participant']}/release"
    assert machine.post(release, headers=write()).status_code == 200
    fired = machine.post(f"{ROUTE}/timers/fire", json={}, headers=write())
    assert fired.json() == {"timers": 0, "procedures": 0}
    counted = machine.post(f"{ROUTE}/timers/recount", json={}, headers=write())
    assert counted.json()["changed"] == 0


def test_charts_are_listed_and_registered_in_one_shape(machine):
    charts = {one["code"]: one for one in machine.get(f"{ROUTE}/charts").json()["items"]}
    assert {"approval", "registration.public", "registration.property"} <= set(charts)
    own = charts["approval"] | {"code": "office.approval"}
    made = machine.post(f"{ROUTE}/charts", json={"chart": own}, headers=write())
    assert made.status_code == 201
    again = machine.post(f"{ROUTE}/charts", json={"chart": own}, headers=write())
    assert (again.status_code, again.json()["code"]) == (409, "trust.chart.known")
    broken = own | {"code": "office.broken", "moves": own["moves"][:1]}
    refused = machine.post(f"{ROUTE}/charts", json={"chart": broken}, headers=write())
    assert refused.json()["code"] == "kernel.chart.bad"
