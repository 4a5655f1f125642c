# SPDX-License-Identifier: Apache-2.0
"""A contract charged, billed, compared, settled and paid to the treasury, over the API."""

import base64
import io
from contextlib import ExitStack
from datetime import timedelta

import openpyxl
import pytest
from test_market_api import BASE, Desks, Served, refused, sent
from web_server import running

from lingqu import ledger, market, trust
from lingqu.market import distribution, settlement
from lingqu.runtime import documents, new_id
from lingqu.trust import procedures

from bazaars import BEGIN, at  # isort: skip  # found through the path the market's tests add


@pytest.fixture(scope="module")
def bazaar(tmp_path_factory):
    with (
        running(tmp_path_factory.mktemp("settlement"), story_from=at(BEGIN)) as server,
        ExitStack() as stack,
    ):
        made = Desks(Served(server), stack)
        made.admit(made.seller, made.operator, market.MemberRole.SELLER)
        made.admit(made.buyer, made.banker, market.MemberRole.BUYER)
        yield made


def got(client, path, **query):
    answer = client.get(f"{BASE}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer


def workbook(rows):
    target = io.BytesIO()
    names = ("call", "调用编号"), ("amount", "金额（元）")
    columns = [documents.SheetColumn(name=name, zh=zh) for name, zh in names]
    documents.write_sheet(target, title="日志", columns=columns, rows=rows)
    return base64.b64encode(target.getvalue()).decode()


def yuan(minor):
    return {"currency": "CNY", "minor": minor}


def test_a_contract_is_charged_billed_settled_and_paid_to_the_treasury(bazaar):
    treasury, officer = bazaar.organization("〈市财政局〉（演示）", trust.Role.TREASURY)
    people = {"buyer": bazaar.banker, "staff": bazaar.staff, "clerk": bazaar.clerk}
    clients = {name: bazaar.client(one) for name, one in people.items()}
    buyer, staff, clerk = clients.values()
    tax = bazaar.client(officer)
    listing = bazaar.listed()
    bazaar.pay_in(20_000)
    contract = bazaar.in_force(listing)
    calls = tuple(
        settlement.MeteredCall(call=f"call-{number}", at=at(bazaar.day), yes=1)
        for number in range(6)
    )
    bazaar.do(
        settlement.charge_calls, trust.PLATFORM, batch="mtb_1", grant=contract.grant_id, calls=calls
    )
    path = f"/contracts/{contract.id}"
    assert got(buyer, f"{path}/tally").json()["charged"] == yuan(200)
    page = got(buyer, f"{path}/charges", size=4).json()
    assert [one["rule"] for one in page["items"]] == ["free", "free", "price", "price"]
    more = got(buyer, f"{path}/charges", size=4, after=page["next"]).json()
    assert len(more["items"]) == 2
    assert sent(buyer, f"{path}/freeze", amount=yuan(100))["charged"] == yuan(200)

    span = {"begins": bazaar.day.isoformat(), "ends": (bazaar.day + timedelta(days=9)).isoformat()}
    assert got(buyer, f"{path}/bill", **span).json()["net"] == yuan(200)
    for form in ("pdf", "docx", "xlsx"):
        assert len(got(buyer, f"{path}/bill/document", to=form, **span).content) > 3_000
    log = workbook([{"call": one.call, "amount": "0.50"} for one in calls])
    compared = sent(buyer, "/reconciliations", contract=contract.id, content=log, **span)
    assert (compared["agreeing"], len(compared["differences"])) == (4, 2)
    book = openpyxl.load_workbook(io.BytesIO(base64.b64decode(compared["workbook"]))).active
    assert book.max_row == 3
    assert refused(buyer, "/reconciliations", contract=contract.id, content="?", **span) == (
        "runtime.documents.not_a_sheet"
    )

    complaint = new_id(procedures.ProcedureId)
    contest = {"procedure": complaint, "call": "call-5", "claimed": yuan(0)}
    assert sent(buyer, f"{path}/contests", **contest)["state"] == "filed"
    correction = {
        "correction": new_id(settlement.CorrectionId),
        "call": "call-5",
        "amount": yuan(50),
        "reason": "重复计费",
        "reference": complaint,
    }
    assert refused(buyer, f"{path}/corrections", **correction) == "trust.access.denied"
    assert sent(staff, f"{path}/corrections", **correction)["waived"] == yuan(0)

    where = {"payee": "非税专户", "bank": "〈银行〉", "account": "6200", "working_days": 5}
    plan = {
        "plan": new_id(distribution.PlanId),
        "listing": listing.id,
        "steps": [
            {"share": "venue_fee", "party": bazaar.venue, "rate": 200},
            {"share": "government", "party": treasury, "rate": 3_000},
            {"share": "service_fee", "party": bazaar.seller, "rate": 10_000},
        ],
        "source": "〈授权运营协议〉第七条",
    }
    assert refused(staff, "/plans", **plan) == "market.plan.bad"
    made = sent(staff, "/plans", **plan, remittance=where)
    assert got(tax, f"/plans/{made['id']}").json()["remittance"] == where
    day = bazaar.day
    asked = {"settlement": new_id(distribution.SettlementId), "venue": bazaar.venue}
    assert refused(clerk, "/settlements", **asked, day=day.isoformat()) == (
        "market.settlement.day_open"
    )
    bazaar.pass_days(1)
    bazaar.do(ledger.close_day, bazaar.clerk, day=day)
    settled = sent(clerk, "/settlements", **asked, day=day.isoformat())
    assert (settled["made_up"], settled["shared"]) == (yuan(50), yuan(150))
    assert got(clerk, "/settlements", venue=bazaar.venue).json()["items"] == [settled]
    bazaar.do(ledger.post_batch, trust.PLATFORM)
    parts = got(clerk, f"/settlements/{settled['id']}/payouts").json()
    assert [one["amount"]["minor"] for one in parts["items"]] == [3, 44, 103]
    assert parts["unposted"] == []

    (owed,) = got(tax, "/payables", party=treasury, open=True).json()["items"]
    assert owed["amount"] == yuan(44)
    assert len(got(tax, f"/payables/{owed['id']}/notice", to="docx").content) > 3_000
    receipt = {"receipt": "A-1", "paid_on": day.isoformat()}
    assert sent(tax, f"/payables/{owed['id']}/close", **receipt)["receipt"] == "A-1"
    named = {"venue": bazaar.venue, **span}
    assert got(staff, "/contributions", **named).json()["answers"] == 6
    for form in ("pdf", "xlsx"):
        assert len(got(staff, "/contributions/document", to=form, **named).content) > 3_000
