# SPDX-License-Identifier: Apache-2.0
"""One product from its fee to a contract and its end, everybody over the API."""

import sys
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from web_server import running, write

from lingqu import market, rights, trust
from lingqu.kernel.time import format_instant
from lingqu.kernel.values import Hidden
from lingqu.market import listings, prices
from lingqu.runtime import Caller, new_id

if (there := str(Path(__file__).parents[1] / "market")) not in sys.path:
    sys.path.insert(0, there)

from bazaars import BEGIN, Bazaar, at, digest  # found through the path above

BASE = "/api/v1/market"


class Served:
    """A running server as a place in which a bazaar is held."""

    def __init__(self, server):
        self.server = server
        self.database = server.app.database

    def found(self, *, story_from):
        assert self.server.app.installation.clock == "story"
        assert story_from is not None

    def do(self, command, caller=trust.LOCAL_ADMINISTRATOR, /, **arguments):
        return trust.execute(self.database, command, caller, new_id(trust.CommandId), **arguments)

    def account(self, party, *, role):
        account = new_id(trust.AccountId)
        self.do(trust.open_account, account=account, party=party, kind=trust.AccountKind.PERSON)
        assignment = new_id(trust.AssignmentId)
        self.do(trust.assign_role, assignment=assignment, account=account, role=role, party=party)
        return Caller(account=account, channel="web")


class Desks(Bazaar):
    """A bazaar whose people have keys to the API; `stack` closes their clients."""

    def __init__(self, place, stack):
        super().__init__(place)
        self.stack = stack

    def client(self, caller):
        secret = trust.new_secret()
        self.do(
            trust.issue_api_key,
            api_key=new_id(trust.ApiKeyId),
            account=caller.account,
            label="desk",
            secret=Hidden(secret),
        )
        return self.stack.enter_context(self.place.server.machine(secret))


def sent(client, path, **body):
    """Post and expect it done."""
    answer = client.post(f"{BASE}{path}", json=body, headers=write())
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def refused(client, path, **body):
    """Post and give the code of the refusal."""
    answer = client.post(f"{BASE}{path}", json=body, headers=write())
    assert answer.status_code >= 400, answer.text
    return answer.json()["code"]


def refused_to_read(client, path):
    """Read and give the status of the refusal."""
    return client.get(f"{BASE}{path}").status_code


@pytest.fixture(scope="module")
def bazaar(tmp_path_factory):
    with (
        running(tmp_path_factory.mktemp("market"), story_from=at(BEGIN)) as server,
        ExitStack() as stack,
    ):
        yield Desks(Served(server), stack)


def admitted(bazaar, client, staff, party, *roles):
    signed = {
        one["kind"]: one["digest"] for one in client.get(f"{BASE}/commitments").json()["items"]
    }
    member = new_id(market.MemberId)
    sent(
        client,
        "/members",
        member=member,
        venue=bazaar.venue,
        party=party,
        roles=list(roles),
        material=digest("材料").hex(),
        commitment=signed["member"],
    )
    assert sent(staff, f"/members/{member}/admit", opinion="同意。")["state"] == "admitted"
    return signed["use"]


def test_a_product_goes_from_its_fee_to_a_contract_and_its_end(bazaar):
    people = ("operator", "banker", "staff", "clerk", "implementer", "pricer")
    clients = {name: bazaar.client(getattr(bazaar, name)) for name in people}
    operator, banker, staff, _, implementer, _ = clients.values()
    admitted(bazaar, operator, staff, bazaar.seller, "seller")
    use = admitted(bazaar, banker, staff, bazaar.buyer, "buyer")
    product, code, _ = bazaar.product()
    price = new_id(prices.PriceId)
    fees = {"unit_price_minor": 50, "billed": ["yes", "no"], "free_calls": 10}
    sent(
        operator,
        "/prices/trial",
        price=price,
        product=product,
        seller=bazaar.seller,
        authorizer=bazaar.body,
        operating_since=bazaar.day.isoformat(),
        fees=fees,
    )
    assert refused(operator, f"/prices/{price}/publish", fees=fees) == (
        "trust.procedure.illegal_move"
    )
    sent(implementer, f"/prices/{price}/agree", opinion="同意试行。")
    dearer = fees | {"unit_price_minor": 51}
    assert (
        refused(operator, f"/prices/{price}/publish", fees=dearer) == "market.price.above_ceiling"
    )
    published = sent(operator, f"/prices/{price}/publish", fees=fees)
    assert published["working"][-1]["article"].startswith("《")
    listing = new_id(listings.ListingId)
    sent(
        operator,
        "/listings",
        listing=listing,
        venue=bazaar.venue,
        code=code,
        title="号段归属核验",
        summary="判断移动号段是否属于某市",
        form="verification",
    )
    assert banker.get(f"{BASE}/listings/{listing}").status_code == 404
    sent(staff, f"/listings/{listing}/publicize", opinion="合规。")
    objection = new_id(listings.ObjectionId)
    sent(
        banker,
        f"/listings/{listing}/objections",
        objection=objection,
        party=bazaar.buyer,
        reason="名称不清。",
    )
    bazaar.pass_days(4)
    assert refused(staff, f"/listings/{listing}/certify") == "market.listing.objection_open"
    sent(staff, f"/objections/{objection}/decide", decision="dismissed", answer="已说明。")
    done = sent(staff, f"/listings/{listing}/certify")
    sent(staff, f"/listings/{listing}/put_up")
    with bazaar.place.server.browser() as anyone:
        found = anyone.get(f"{BASE}/catalog", params={"q": "号段"}).json()["items"]
        assert [one["id"] for one in found] == [listing]
        assert anyone.get(f"{BASE}/catalog", params={"q": "税务"}).json()["items"] == []
        looked = anyone.get(f"{BASE}/certificates/{done['certificate']}").json()
        assert looked["id"] == listing
        offered = anyone.get(f"{BASE}/listings/{listing}").json()
        assert offered["fees"]["unit_price_minor"] == 50
        printed = anyone.get(f"{BASE}/listings/{listing}/certificate")
        assert printed.content.startswith(b"%PDF")
        assert anyone.get(f"{BASE}/prices/{price}").json()["ceiling"] == 50
    _contract(bazaar, clients, listing, use)


def _contract(bazaar, clients, listing, use):
    operator, banker, staff, clerk = (
        clients[one] for one in ("operator", "banker", "staff", "clerk")
    )
    contract = new_id(market.ContractId)
    terms = {
        "purposes": ["industry.finance.credit"],
        "quota": 110,
        "starts_at": format_instant(at(bazaar.day)),
        "ends_at": format_instant(at(bazaar.day + timedelta(days=30))),
        "duties": [{"kind": "delete", "days": 30, "starts": "ended", "article": None}],
    }
    proposed = {"contract": contract, "listing": listing, "buyer": bazaar.buyer, "commitment": use}
    wrong = terms | {"purposes": ["research"]}
    assert refused(banker, "/contracts", **proposed, terms=wrong) == (
        "market.contract.purpose_outside"
    )
    made = sent(banker, "/contracts", **proposed, terms=terms)
    assert made["deposit"] == {"currency": "CNY", "minor": 5_000}
    fewer = sent(
        operator, f"/contracts/{contract}/counter", party=bazaar.seller, terms=terms | {"quota": 60}
    )
    path = f"/contracts/{contract}/sign"
    assert refused(banker, path, party=bazaar.buyer, digest=made["digest"]) == (
        "market.contract.digest_differs"
    )
    sent(banker, path, party=bazaar.buyer, digest=fewer["digest"])
    assert refused(operator, path, party=bazaar.seller, digest=fewer["digest"]) == (
        "market.funds.short"
    )
    sent(
        clerk,
        "/deposits",
        deposit=new_id(market.DepositId),
        venue=bazaar.venue,
        party=bazaar.buyer,
        direction="in",
        amount={"currency": "CNY", "minor": 3_000},
        reference="ICBC-20260330-1",
        paid_on=bazaar.day.isoformat(),
    )
    done = sent(operator, path, party=bazaar.seller, digest=fewer["digest"])
    assert (done["status"], done["frozen"]["minor"]) == ("05", 2_500)
    funds = f"{BASE}/venues/{bazaar.venue}/funds/{bazaar.buyer}"
    assert banker.get(funds).json()["available"]["minor"] == 500
    assert len(clerk.get(f"{funds}/deposits").json()["items"]) == 1
    document = banker.get(f"{BASE}/contracts/{contract}/document").json()
    assert document["contractHash"] == fewer["digest"]
    assert len(document["signature"]) == 3 - 1
    paper = banker.get(f"{BASE}/contracts/{contract}/paper", params={"to": "docx"})
    assert paper.content.startswith(b"PK")
    held = bazaar.read(rights.get_grant, rights.GrantId(done["grant"]))
    assert held.holder == bazaar.buyer
    over = sent(banker, f"/contracts/{contract}/end", party=bazaar.buyer, reason="业务调整。")
    assert (over["ending"], over["frozen"]["minor"]) == ("early", 0)
    assert banker.get(funds).json()["available"]["minor"] == 3_000
    mine = staff.get(f"{BASE}/contracts", params={"party": bazaar.venue, "state": "ended"}).json()
    assert [one["id"] for one in mine["items"]] == [contract]
    due = new_id(market.ContractId)
    soon = terms | {"quota": 60, "ends_at": format_instant(at(bazaar.day + timedelta(days=1)))}
    made = sent(banker, "/contracts", **proposed | {"contract": due}, terms=soon)
    for client, party in ((banker, bazaar.buyer), (operator, bazaar.seller)):
        sent(client, f"/contracts/{due}/sign", party=party, digest=made["digest"])
    bazaar.pass_days(2)
    with bazaar.place.database.transaction(trust.PLATFORM) as tx:
        tx.defer("market.contracts.expire")
    began = time.monotonic()
    while banker.get(f"{BASE}/contracts/{due}").json()["status"] != "06":
        assert time.monotonic() < began + 60
        time.sleep(0.05)
    assert banker.get(funds).json()["available"]["minor"] == 3_000


def test_a_fee_of_the_second_year_is_set_by_its_three_authorities(bazaar):
    operator, pricer, implementer = (
        bazaar.client(one) for one in (bazaar.operator, bazaar.pricer, bazaar.implementer)
    )
    price = new_id(prices.PriceId)
    sent(
        operator,
        "/prices/formal",
        price=price,
        product="prd_second",
        seller=bazaar.seller,
        authorizer=bazaar.body,
        authority=bazaar.bureau,
        operating_since=(bazaar.day - timedelta(days=400)).isoformat(),
        costs={
            "platform": 4_000_000,
            "processing": 2_000_000,
            "people": 2_000_000,
            "acquisition": 0,
            "period": 500_000,
            "subsidies": 500_000,
        },
        planned_calls=88_520,
    )
    fixed = {"bond_yield_bp": 190, "margin_bp": 500, "tax_minor": 300_000, "opinion": "核定。"}
    assert sent(pricer, f"/prices/{price}/revenue", **fixed)["permitted"] == 8_852_000
    above = {"ceiling_minor": 101, "opinion": "制定。"}
    path = f"/prices/{price}/ceiling"
    assert refused(implementer, path, **above) == "market.price.ceiling_above_permitted"
    sent(implementer, path, **above | {"ceiling_minor": 100})
    fees = {"unit_price_minor": 100}
    done = sent(operator, f"/prices/{price}/publish", fees=fees)
    assert [one["result"] for one in done["working"]] == [
        8_000_000, 690, 552_000, 8_852_000, 100, 100,
    ]  # fmt: skip
    year = operator.get(f"{BASE}/prices/{price}/review", params={"actual": 9_000_000}).json()
    assert (year["adjusts"], year["excess"]) == ("actual_fees", 148_000)
    assert refused_to_read(operator, f"/prices/{new_id(prices.PriceId)}/review?actual=1") == 404
    listed = operator.get(f"{BASE}/prices", params={"product": "prd_second"}).json()["items"]
    assert [one["id"] for one in listed] == [price]
