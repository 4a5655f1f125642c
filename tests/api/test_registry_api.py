# SPDX-License-Identifier: Apache-2.0
"""Registrars, registrations and authorised operation over the API, and what is open to everyone."""

import httpx
from web_server import write

from lingqu import rights
from lingqu.rights import operation, registry
from lingqu.runtime import new_id
from lingqu.trust import rulebook

REGISTRY = "/api/v1/rights/registry"
OPERATION = "/api/v1/rights/operation"
DIGEST = "5e" * 32


def post(machine, path, **body):
    return machine.post(path, json=body, headers=write())


def items(rule):
    listed = rulebook.open_rulebook().items(rule)
    return [{"item": one.code, "text": f"{one.zh}：无。"} for one in listed]


def test_registries_are_kept_applied_to_and_looked_up(server, machine):
    asked = ("registrations", "registrations?kind=product", f"registrations?party={server.party}")
    before = [machine.get(f"{REGISTRY}/{path}").json() for path in asked]
    shown = {
        path: httpx.get(f"{server.url}{REGISTRY}/{path}").json()
        for path in ("published", "published?kind=resource")
    }
    named = post(
        machine,
        f"{REGISTRY}/registrars",
        registrar=new_id(registry.RegistrarId),
        party=server.party,
        registry="property",
        area="45",
        number=7,
    )
    assert named.status_code == 201, named.text
    listed = httpx.get(f"{server.url}{REGISTRY}/registrars").json()["items"]
    assert named.json()["id"] in [one["id"] for one in listed]
    refused = post(
        machine,
        f"{REGISTRY}/registrations",
        registration=new_id(registry.RegistrationId),
        kind="property",
        subject="own_1",
        applicant=server.party,
        registrar=server.party,
        title="x",
        summary="x",
        materials=items("property.first_fields"),
        evidence=DIGEST,
    )
    assert refused.status_code == 403, refused.text
    for path, held in zip(asked, before, strict=True):
        assert held["next"] is None
        assert machine.get(f"{REGISTRY}/{path}").json() == held
    assert before[2]["items"] == []
    assert (
        machine.get(f"{REGISTRY}/registrations/{new_id(registry.RegistrationId)}").status_code
        == 404
    )
    for path, held in shown.items():
        assert httpx.get(f"{server.url}{REGISTRY}/{path}").json() == held
    assert shown["published?kind=resource"] == {"items": [], "next": None}
    unknown = httpx.get(f"{server.url}{REGISTRY}/codes/7ABC")
    assert unknown.json()["code"] == "rights.registration.code_unknown"
    assert httpx.get(f"{server.url}{REGISTRY}/registrations").status_code == 401
    ended = post(machine, f"{REGISTRY}/registrars/{named.json()['id']}/end")
    assert ended.json()["ended_at"] is not None


def test_schemes_and_agreements_are_refused_with_words(server, machine):
    for path in ("schemes", "agreements", f"schemes?party={server.party}"):
        assert machine.get(f"{OPERATION}/{path}").json() == {"items": [], "next": None}
    plan = {
        "title": "x",
        "mode": "whole",
        "term_months": 12,
        "resources": ["res_x"],
        "root": new_id(rights.GrantId),
        "items": items("operation.scheme_items"),
    }
    party = server.party
    drafted = post(
        machine,
        f"{OPERATION}/schemes",
        scheme=new_id(operation.SchemeId),
        body=party,
        authority=party,
        department=party,
        plan=plan,
    )
    assert drafted.json()["code"] == "trust.access.denied"
    gone = post(
        machine, f"{OPERATION}/agreements/{new_id(operation.AgreementId)}/sign", digest=DIGEST
    )
    assert gone.json()["code"] == "rights.agreement.not_found"
