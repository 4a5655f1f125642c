# SPDX-License-Identifier: Apache-2.0
"""What a supervisor and a city without a venue do from the command line."""

import json
import os
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from terminal import Cli

from lingqu import wiring
from lingqu.runtime.settings import load_settings
from lingqu_verify import notes
from registered import register_product

LISTING = {
    "product": "prd_01jc0000000000000000000000",
    "title": "乡镇区划代码核验（演示）",
    "summary": "核验一个九位代码在某日是否有效",
    "form": "verification",
    "operator": "〈钦州数据运营公司〉（演示）",
    "operator_code": "91450700MA5DEMO018",
    "fees": [{"item": "核验", "unit": "次", "price": {"currency": "CNY", "minor": 20}}],
    "free_calls": 100,
    "is_miss_billed": True,
    "certificates": [{"name": "登记证书", "sha256": "ab" * 32}],
}
NEEDED = ("cryptography", "cffi", "_cffi_backend")


def alone(tmp_path):
    """A Python that finds the verifier and what it needs, and nothing of Lingqu."""
    only = tmp_path / "only"
    only.mkdir()
    for name in NEEDED:
        found = util.find_spec(name)
        if found is not None:
            origin = Path(found.origin)
            real = origin.parent if found.submodule_search_locations else origin
            (only / real.name).symlink_to(real)
    verifier = Path(util.find_spec("lingqu_verify").origin).parent
    (only / verifier.name).symlink_to(verifier)
    code = (
        f"import sys; sys.path[:0] = [{str(only)!r}]; import importlib.util as u;"
        " assert u.find_spec('lingqu') is None;"
        " from lingqu_verify.cli import main; sys.exit(main())"
    )
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def verify(*words):
        command = [sys.executable, "-I", "-S", "-c", code, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, env=clean, cwd=tmp_path)

    return verify


def test_a_case_is_held_lifted_closed_and_proven_where_lingqu_is_not(founded, tmp_path):
    refused = founded(
        "hold", "place", "什么", "--reason", "supervision", "--article", "x", "--json"
    )
    assert refused.refusal == "trust.hold.bad_subject"
    case = founded.json(
        "supervise", "case", "open", founded.party, "--kind", "inspection", "--summary", "例行检查"
    )["case"]
    article = "数据安全法 第四十四条"
    held = founded.json("supervise", "case", "hold", case["id"], "--article", article)["case"]
    assert held["hold"].startswith("hld_")
    assert founded.json("supervise", "case", "list", "--open")["items"] == [held]
    assert founded.json("supervise", "case", "lift", case["id"])["case"]["hold"] is None
    closed = founded.json("supervise", "case", "close", case["id"], "--outcome", "已整改")
    assert closed["case"]["closed_at"]
    bundle = tmp_path / "case.json"
    written = founded.json("supervise", "bundle", founded.party, "--output", bundle)
    key = written["verifier_key"]
    assert written["fingerprint"] == notes.VerifierKey.parse(key).fingerprint
    seen = founded.json("supervise", "refused", "--code", "trust.hold.bad_subject")["items"]
    assert [one["act"] for one in seen] == ["trust.hold.place"]
    about = founded("supervise", "about", founded.party)
    assert "supervision.case.opened" in about.out
    verify = alone(tmp_path)
    good = verify("bundle", bundle, "--key", key, "--json")
    assert good.returncode == 0, good.stdout + good.stderr
    kinds = {one["kind"] for one in json.loads(good.stdout)["facts"]}
    assert {"supervision.case.held", "trust.hold.placed", "trust.party.registered"} <= kinds
    bundle.write_text(bundle.read_text().replace("trust.hold.placed", "trust.hold.piaced"))
    assert verify("bundle", bundle, "--key", key).returncode == 1


@pytest.mark.slow
def test_days_flows_and_reports_from_the_command_line(founded, tmp_path):
    assert founded.json("supervise", "flows")["items"] == []
    missing = founded("supervise", "flow", "mtb_" + "0" * 26, "--json")
    assert missing.refusal == "supervision.flow.not_found"
    day = founded.json("supervise", "reconcile", "--day", "2026-03-02")
    assert day == {"agrees": True, "reconciliations": []}
    early = founded(
        "supervise", "report", "make", "2999-01-01", "--issuer", founded.party, "--json"
    )
    assert early.refusal == "supervision.report.too_early"
    made = founded.json("supervise", "report", "make", "2026-01-15", "--issuer", founded.party)
    report = made["report"]
    assert (report["month"], report["due_on"]) == ("2026-01-01", "2026-02-10")
    assert [one["id"] for one in founded.json("supervise", "report", "list")["items"]] == [
        report["id"]
    ]
    written = []
    for name in ("a.xlsx", "b.xlsx", "a.pdf"):
        founded.json("supervise", "report", "show", report["id"], "--output", tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert "计费金额" in founded("supervise", "report", "show", report["id"]).out
    odd = founded("supervise", "report", "show", report["id"], "--output", "a.txt", "--json")
    assert odd.refusal == "cli.report.form"


@pytest.mark.slow
def test_a_listing_is_carried_to_another_lingqu_by_hand_and_its_status_back(founded, tmp_path):
    (tmp_path / "venue").mkdir()
    venue = Cli(tmp_path / "venue")
    try:
        venue.json("init", "--origin", "venue.example")
        run_by = venue.json("party", "register", "〈数据局〉（演示）")["party"]["id"]
        examined_by = venue.json("party", "register", "〈交易中心〉（演示）")["party"]["id"]
        ours = founded.json("interop", "key")["verifier_key"]
        venue.json("interop", "peer", "register", ours, "--name", "钦州", "--party", run_by,
                   "--handler", examined_by)  # fmt: skip
        theirs = venue.json("interop", "key")["verifier_key"]
        peer = founded.json(
            "interop", "peer", "register", theirs, "--name", "交易中心", "--party", founded.party
        )["peer"]
        assert [one["id"] for one in founded.json("interop", "peer", "list")["items"]] == [
            peer["id"]
        ]
        listing = tmp_path / "listing.json"
        with wiring.open_app(load_settings({}, overrides={"data_dir": founded.data})) as app:
            code = register_product(app.database, LISTING["product"])
        listing.write_text(json.dumps(LISTING | {"registration": code}))
        offer = founded.json(
            "interop", "offer", "prepare", listing, "--peer", peer["id"], "--party", founded.party
        )["offer"]
        signed, receipt, status = (tmp_path / name for name in ("signed", "receipt", "status"))
        founded.json("interop", "offer", "sign", offer["id"], "--output", signed)
        venue.json("interop", "listing", "receive", signed, "--output", receipt)
        sent = founded.json("interop", "offer", "deliver", offer["id"], "--status", receipt)[
            "offer"
        ]
        assert sent["state"] == "submitted"
        digest = sent["digest"]
        venue.json("interop", "listing", "status", offer["id"], digest, "--output", status)
        now = founded.json("interop", "offer", "reconcile", offer["id"], "--status", status)
        assert now["offer"]["reference"] == sent["reference"]
        assert "待审核" in founded("interop", "offer", "list").out
        came = venue.json("interop", "listing", "list")["items"]
        assert [one["offer"] for one in came] == [offer["id"]]
        call = founded("interop", "offer", "deliver", offer["id"], "--json")
        assert call.refusal == "interop.peer.bad"
        broken = founded(
            "interop", "offer", "reconcile", offer["id"], "--status", tmp_path, "--json"
        )
        assert broken.refusal == "cli.file.unreadable"
        assert founded.json("interop", "offer", "close", offer["id"])["offer"]["closed_at"]
        assert founded.json("interop", "peer", "end", peer["id"])["peer"]["ended_at"]
    finally:
        venue.clear()
