# SPDX-License-Identifier: Apache-2.0
"""Rights over the API: a tree grown, explained, asked, narrowed and revoked."""

from datetime import UTC, datetime, timedelta

from web_server import write

from lingqu import ledger, rights
from lingqu.rights import quantities
from lingqu.runtime import new_id

BASE = "/api/v1/rights"
DIGEST = "5e" * 32
USE = {
    "purpose": "research.academic",
    "action": "use.query",
    "territory": "450700",
    "environment": "domain.gate",
    "recipient": "bank",
    "fields": "company.name",
}


def post(machine, path, **body):
    return machine.post(f"{BASE}/{path}", json=body, headers=write())


def grown(server, machine, **terms):
    """A root and its child."""
    ground, root, child = (new_id(kind) for kind in (rights.GroundId, *[rights.GrantId] * 2))
    made = post(
        machine,
        "grounds",
        ground=ground,
        kind="duty",
        title="职能",
        party=server.party,
        evidence=DIGEST,
        articles=["广西公共数据条例 第三条"],
    )
    assert made.status_code == 201, made.text
    same = {"holder": server.party, "kind": "using"}
    issued = post(machine, "roots", grant=root, ground=ground, terms={"level_max": 3}, **same)
    assert issued.status_code == 201, issued.text
    issued = post(machine, "grants", grant=child, parent=root, terms=terms, **same)
    assert issued.status_code == 201, issued.text
    return ground, root, child


def test_a_tree_of_grants_lives_and_ends(server, machine):
    scope = {"allowed": ["research"], "prohibited": ["research.training"]}
    valid = {"start": "2026-01-01T08:00:00+08:00"}
    ground, root, child = grown(
        server, machine, purposes=scope, valid=valid, fields=["company.name"]
    )
    assert machine.get(f"{BASE}/grounds/{ground}").json()["evidence"] == DIGEST
    state = machine.get(f"{BASE}/grants/{child}").json()
    assert (state["standing"], state["freshness"]["epoch"]) == ("alive", 2)
    assert state["grant"]["effective"]["purposes"] == scope
    assert state["grant"]["effective"]["level_max"] == 3
    told = machine.get(f"{BASE}/grants/{child}/explanation").json()
    assert told["path"] == [root, child]
    assert told["articles"] == ["广西公共数据条例 第三条"]
    assert any("科学研究" in line and "模型训练" in line for line in told["zh"])
    assert any("research" in line for line in told["en"])
    asked = f"{BASE}/grants/{child}/verdict"
    assert machine.get(asked, params=USE).json()["permitted"]
    refused = machine.get(asked, params=USE | {"level": 4}).json()
    assert (refused["code"], refused["part"], refused["article"]) == (
        "rights.use.outside",
        "level_max",
        "广西公共数据条例 第三条",
    )
    below = machine.get(f"{BASE}/grants", params={"parent": root}).json()
    assert [one["id"] for one in below["items"]] == [child]
    narrowed = post(machine, f"grants/{child}/narrow", terms={"level_max": 1}).json()
    assert narrowed["old"] == [child]
    ended = post(machine, f"grants/{root}/revoke", cause="ground_ended", article="协议 第九条")
    assert (ended.status_code, ended.json()["kind"]) == (200, "revoked")
    (new,) = narrowed["new"]
    gone = machine.get(asked.replace(child, new), params=USE).json()
    assert (gone["permitted"], gone["code"]) == (False, "rights.grant.revoked")
    again = post(machine, f"grants/{root}/revoke", cause="error")
    assert (again.status_code, again.json()["code"]) == (409, "rights.grant.revoked")


def test_children_are_adopted_over_the_api(server, machine):
    _, root, child = grown(server, machine)
    grandchild = new_id(rights.GrantId)
    post(
        machine,
        "grants",
        grant=grandchild,
        parent=child,
        holder=server.party,
        kind="using",
        terms={},
    )
    done = post(machine, f"grants/{child}/adopt").json()
    assert done["old"] == [grandchild]
    (new,) = done["new"]
    assert machine.get(f"{BASE}/grants/{new}").json()["grant"]["parent"] == root


def test_quantities_are_given_leased_and_settled_over_the_api(server, machine):
    server.execute(ledger.register_currency, currency="rows", scale=0, name_zh="行", name_en="rows")
    _, root, child = grown(server, machine)
    rows = {"currency": "rows", "amount": 50}
    assert post(machine, f"grants/{root}/quotas", **rows).status_code == 201
    assert post(machine, f"grants/{child}/quotas", **rows).status_code == 201
    lease = new_id(quantities.LeaseId)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    taken = post(machine, "leases", lease=lease, grant=child, expires_at=until, **rows)
    assert taken.status_code == 201, taken.text
    settled = post(machine, f"leases/{lease}/settle", used=20)
    assert (settled.status_code, settled.json()["used"]) == (200, 20)
    (left,) = machine.get(f"{BASE}/grants/{child}/quotas").json()["items"]
    assert left == {"currency": "rows", "available": 30, "reserved": 0, "unswept": 0}
    more = post(machine, f"grants/{child}/quotas", **rows)
    assert (more.status_code, more.json()["code"]) == (409, "ledger.transfer.floor_crossed")


def test_an_obligation_is_listed_and_fulfilled_over_the_api(server, machine):
    _, root, _ = grown(server, machine)
    child = new_id(rights.GrantId)
    duty = {"kind": "delete", "days": 10, "starts": "ended", "article": "协议 第十二条"}
    same = {"parent": root, "holder": server.party, "kind": "using", "terms": {}}
    post(machine, "grants", grant=child, duties=[duty], **same)
    (owed,) = machine.get(f"{BASE}/grants/{child}/obligations").json()["items"]
    assert (owed["state"], owed["due_at"], owed["article"]) == ("open", None, "协议 第十二条")
    done = post(machine, f"obligations/{owed['id']}/fulfill", evidence=DIGEST)
    assert (done.status_code, done.json()["state"]) == (200, "fulfilled")
    again = post(machine, f"obligations/{owed['id']}/fulfill", evidence=DIGEST)
    assert (again.status_code, again.json()["code"]) == (409, "rights.obligation.over")


def test_codes_are_listed_and_added(machine):
    code = {"tree": "purposes", "code": "industry.ports", "parent": "industry"}
    made = post(machine, "codes", zh="平陆运河", en="Pinglu canal", **code)
    assert made.status_code == 201, made.text
    listed = machine.get(f"{BASE}/codes").json()["items"]
    assert "industry.ports" in {one["code"] for one in listed}
    again = post(machine, "codes", zh="平陆运河", en="Pinglu canal", **code)
    assert (again.status_code, again.json()["code"]) == (409, "rights.code.taken")


def test_what_is_no_grant_is_refused_in_words(server, machine):
    ground, _, _ = grown(server, machine)
    base = {
        "grant": new_id(rights.GrantId),
        "ground": ground,
        "holder": server.party,
        "kind": "using",
    }
    for terms, status, code in (
        ({"purposes": {"allowed": ["gossip"]}}, 422, "kernel.terms.unknown_code"),
        ({"level_max": -1}, 422, "kernel.terms.bad"),
        ({"cross_border": True}, 422, "rights.grant.border_not_assessed"),
        ({"valid": {"start": "soon"}}, 422, "kernel.instant.bad"),
        ({"hours": 3}, 400, "api.request.malformed"),
    ):
        answer = post(machine, "roots", terms=terms, **base)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    bad = post(
        machine,
        "grounds",
        ground=new_id(rights.GroundId),
        kind="duty",
        title="x",
        party=server.party,
        evidence="5e",
    )
    assert (bad.status_code, bad.json()["code"]) == (422, "api.digest.bad")
