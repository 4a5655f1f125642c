# SPDX-License-Identifier: Apache-2.0
"""The regulator's work over HTTP: what was refused, a case with a hold, evidence, a report."""

import datetime as dt
import time

import pytest
from web_server import write

from lingqu import gate, market, supervision, trust
from lingqu.runtime import new_id
from lingqu.trust import holds
from lingqu.trust import log as logs
from lingqu_verify import bundles
from lingqu_verify.errors import VerificationError

BASE = "/api/v1/supervision"
ARTICLE = "数据安全法 第四十四条"


def until(look):
    """What `look` gives once it gives something; the log is followed within moments."""
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline, "supervision did not see it"
        time.sleep(0.05)
    return found


def test_a_refused_attempt_becomes_a_case_a_hold_and_a_bundle(server, machine):
    other = new_id(trust.PartyId)
    with server.browser("member") as browser:
        assert browser.get(f"{BASE}/attempts").status_code == 403
    asked = {"case": new_id(supervision.CaseId), "kind": "inspection", "subject": "什么",
             "summary": "例行检查"}  # fmt: skip
    refused = machine.post(f"{BASE}/cases", json=asked, headers=write())
    assert (refused.status_code, refused.json()["code"]) == (422, "supervision.case.bad")
    where = {"act": "supervision.case.open", "code": "supervision.case.bad"}
    seen = until(lambda: machine.get(f"{BASE}/attempts", params=where).json()["items"])
    assert seen[0]["rules"]
    case = asked["case"]
    made = machine.post(
        f"{BASE}/cases",
        json=asked | {"subject": other, "evidence": seen[0]["fact"]},
        headers=write(),
    )
    assert made.status_code == 201, made.text
    hold = {"hold": new_id(holds.HoldId), "reason": "supervision", "article": ARTICLE}
    held = machine.post(f"{BASE}/cases/{case}/hold", json=hold, headers=write())
    assert held.json()["hold"] == hold["hold"]
    done = {"outcome": "已整改"}
    early = machine.post(f"{BASE}/cases/{case}/close", json=done, headers=write())
    assert (early.status_code, early.json()["code"]) == (409, "supervision.case.holds")
    assert machine.post(f"{BASE}/cases/{case}/lift", headers=write()).json()["hold"] is None
    closed = machine.post(f"{BASE}/cases/{case}/close", json=done, headers=write())
    assert closed.json()["outcome"] == "已整改"
    assert machine.get(f"{BASE}/cases/{case}").json() == closed.json()
    listed = machine.get(f"{BASE}/cases", params={"subject": other, "open": "true"}).json()
    assert listed["items"] == []
    facts = until(
        lambda: len(found := machine.get(f"{BASE}/facts/{other}").json()["items"]) == 6 and found
    )
    assert facts == sorted(facts, reverse=True)
    # Its last fact is in the log, and in a bundle once a signed checkpoint holds it too.
    text = until(lambda: (told := machine.get(f"{BASE}/bundles/{other}")).is_success and told.text)
    key = own_key(server)
    assert len(bundles.verify_bundle(text, keys=[key]).facts) == 6
    with pytest.raises(VerificationError):
        bundles.verify_bundle(text.replace("trust.hold.placed", "trust.hold.piaced"), keys=[key])


def own_key(server):
    with server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        return logs.own_log(tx).keys[-1].verifier


def test_flows_reconciliations_and_reports_are_read_and_made(server, machine):
    nobody = {"contract": new_id(market.ContractId)}
    flows = machine.get(f"{BASE}/flows", params=nobody)
    assert flows.json() == {"items": [], "next": None}
    missing = machine.get(f"{BASE}/flows/{new_id(gate.MeterBatchId)}")
    assert (missing.status_code, missing.json()["code"]) == (404, "supervision.flow.not_found")
    asked = {
        "reconciliation": new_id(supervision.ReconciliationId),
        "contract": new_id(market.ContractId),
        "begins": "2026-03-02",
        "ends": "2026-03-03",
    }
    refused = machine.post(f"{BASE}/reconciliations", json=asked, headers=write())
    assert (refused.status_code, refused.json()["code"]) == (404, "market.contract.not_found")
    assert machine.get(f"{BASE}/reconciliations").json()["items"] == []
    unknown = machine.get(f"{BASE}/reconciliations/{asked['reconciliation']}")
    assert unknown.status_code == 404
    today = dt.datetime.now(dt.UTC).date()
    report = {
        "report": new_id(supervision.ReportId),
        "month": (today.replace(day=1) - dt.timedelta(days=1)).isoformat(),
        "issuer": server.party,
    }
    made = machine.post(f"{BASE}/reports", json=report, headers=write())
    assert made.status_code == 201, made.text
    assert made.json()["whole"]
    path = f"{BASE}/reports/{report['report']}"
    assert machine.get(path).json() == made.json()
    assert machine.get(f"{BASE}/reports").json()["items"] == [made.json()]
    for form, start in (("xlsx", b"PK"), ("docx", b"PK"), ("pdf", b"%PDF")):
        files = [machine.get(f"{path}/file", params={"format": form}).content for _ in range(2)]
        assert files[0] == files[1]
        assert files[0].startswith(start)
