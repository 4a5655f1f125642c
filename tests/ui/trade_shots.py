# SPDX-License-Identifier: Apache-2.0
"""Every page of the story by the one who works on it, as it stands when the story is over."""

from __future__ import annotations

from trade_story import VERIFICATION
from trade_world import SEGMENTS

IN_GUIDES = {
    "grant-issue": ("ui.act.preview", {"calls": "1000", "purposes-industry.finance.credit": "yes"}),
    "product-define": ("ui.act.preview", VERIFICATION),
    "listing": None,
    "contract": None,
    "console": ("ui.console.explain", {"subjects": ",".join(SEGMENTS[5][:2])}),
    "settlement": None,
    "comparison": None,
    "flow": None,
}
"""What the guides show of these, and what is typed there first."""


def pages(story):
    """Login, name and address of each page."""
    seen, about = story.seen, {}
    for key in ("scheme", "agreement", "p2", "count", "contract", "listing_p2"):
        about[key] = seen[key].rpartition("/")[2]
    operator, regulator = story("operator"), story("regulator")
    price = _first(operator, "/market/prices", "/market/prices/ppl_")
    member = _first(operator, "/market/members", "/market/members/mbr_")
    day = _first(story("venue"), "/market/settlements", "/market/settlements/stl_")
    due = _first(story("treasury"), "/market/payables", "/market/payables/pyb_")
    case = _first(regulator, "/supervision/cases", "/supervision/cases/cas_")
    compared = _first(
        regulator, "/supervision/reconciliations", "/supervision/reconciliations/rcl_"
    )
    report = _first(regulator, "/supervision/reports", "/supervision/reports/rpt_")
    # The newest flow is of a call that was refused; the oldest was answered and paid.
    regulator.go("/supervision/flows")
    flow = "/supervision/flows/mtb_" + regulator.text.rpartition('href="/supervision/flows/mtb_')[2]
    flow = flow.partition('"')[0]
    grant, contract, listing = seen["grant_p2"], seen["contract"], seen["listing_p2"]
    return (
        ("implementer", "operation", "/rights/operation"),
        ("implementer", "scheme", seen["scheme"]),
        ("implementer", "scheme-draft", "/rights/operation/draft"),
        ("operator", "agreements", "/rights/operation/agreements"),
        ("operator", "agreement", seen["agreement"]),
        ("operator", "grant-tree", grant),
        ("operator", "grant-issue", f"{grant}/issue"),
        ("operator", "registrations", "/rights/registrations"),
        ("operator", "registration", seen["registration_p2"]),
        ("operator", "products", "/gate/products"),
        ("operator", "product", seen["p2"]),
        ("operator", "product-define", f"/gate/define/{grant.rpartition('/')[2]}"),
        ("operator", "product-publish", f"{seen['p2']}/publish"),
        ("operator", "prices", "/market/prices"),
        ("operator", "price", price),
        ("operator", "price-formal", "/market/prices/formal"),
        ("venue", "offers", "/market/offers"),
        ("bank", "listing", listing),
        ("bank", "sample", f"{listing}/sample"),
        ("bank", "samples", f"{listing}/samples"),
        ("venue", "members", "/market/members"),
        ("operator", "member", member),
        ("cashier", "funds", "/market/funds"),
        ("cashier", "deposit", "/market/funds/record"),
        ("bank", "contract", contract),
        ("bank", "console", f"{contract}/console"),
        ("bank", "editions", f"{contract}/editions"),
        ("bank", "contest", f"{contract}/contest"),
        ("venue", "settlements", "/market/settlements"),
        ("venue", "settlement", day),
        ("venue", "plan", "/market/plans/register"),
        ("treasury", "payables", "/market/payables"),
        ("treasury", "payable", due),
        ("venue", "contributions", "/market/contributions?begins=2026-09-01"),
        ("regulator", "flow", flow),
        ("regulator", "cases", "/supervision/cases"),
        ("regulator", "case", case),
        ("regulator", "case-open", "/supervision/cases/open"),
        ("regulator", "compared", "/supervision/reconciliations"),
        ("regulator", "comparison", compared),
        ("regulator", "reports", "/supervision/reports"),
        ("regulator", "report", report),
    )


def _first(person, place: str, begins: str) -> str:
    """The first link of a list that leads to one of its things."""
    person.go(place)
    return begins + person.text.partition(f'href="{begins}')[2].partition('"')[0]
