# SPDX-License-Identifier: Apache-2.0
"""The portal at a real browser: every page at a desk and on a phone, accessible and whole."""

import os

import pytest
from looking import CASES, FULL, look_at, picture
from portal_world import build, build_supply
from web_server import running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.environ.get("NO_BROWSER") == "1", reason="NO_BROWSER=1"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with running(tmp_path_factory.mktemp("portal")) as server:
        made = build(server)
        if FULL:
            build_supply(server, made)
        yield server, made


def pages(world):
    """Every page by the one who works on it: login (None: the public), name, address."""
    case, other = world.cases[0], world.cases[2]
    resource, grant = world.resources[0], world.grants[1]
    return (
        (None, "home", "/"),
        (None, "catalog", "/supply/resources"),
        (None, "catalog-searched", "/supply/resources?q=行政区划&opening=unconditional"),
        (None, "resource", f"/supply/resources/{resource}"),
        (None, "duties-public", "/supply/duties"),
        (None, "rules", "/trust/rules?q=登记"),
        (None, "rule", "/trust/rules/registration.acceptance"),
        (None, "rules-compare", "/trust/rules/compare?before=guangxi&after=guangzhou"),
        (None, "verify", "/trust/verify"),
        (None, "login", "/login"),
        (None, "open-list", "/supply/opening"),
        (None, "open-files", "/supply/open"),
        ("provider", "desk-provider", "/"),
        ("provider", "describe", "/supply/resources/new"),
        ("provider", "revise", f"/supply/resources/{resource}/revise"),
        ("provider", "sources", "/supply/sources"),
        ("provider", "loads", "/supply/loads"),
        ("provider", "load", f"/supply/loads/{world.load}"),
        ("provider", "resource-loaded", f"/supply/resources/{resource}"),
        ("provider", "works", "/trust/works"),
        ("provider", "notices", "/account/notices"),
        ("provider", "findings", "/supply/findings"),
        ("provider", "finding", f"/supply/findings/{world.finding}"),
        ("provider", "opening", "/supply/opening"),
        ("provider", "open-entry", f"/supply/opening/{world.entry}"),
        ("provider", "procedure-new", "/trust/procedures/new"),
        ("provider", "procedure-file", "/trust/procedures/new?chart=complaint"),
        ("administrator", "finding-look", f"/supply/findings/look?resource={resource}"),
        ("administrator", "catalogs-elsewhere", "/supply/catalogs"),
        ("administrator", "catalog-elsewhere", f"/supply/catalogs/{world.elsewhere}"),
        ("provider", "procedures", "/trust/procedures"),
        ("buyer", "procedure-answer", f"/trust/procedures/{other}"),
        ("buyer", "desk-buyer", "/"),
        ("buyer", "listings", "/market/listings"),
        ("buyer", "contracts", "/market/contracts"),
        (None, "registry", "/rights/registry"),
        ("regulator", "flows", "/supervision/flows"),
        ("regulator", "attempts", "/supervision/attempts"),
        ("provider", "duties", "/supply/duties"),
        ("provider", "compare", "/supply/compare"),
        ("officer", "resource-grade", f"/supply/resources/{world.resources[3]}"),
        ("clerk", "desk-clerk", "/"),
        ("clerk", "procedure-review", f"/trust/procedures/{case}"),
        ("operator", "grants", "/rights/grants"),
        ("operator", "grant", f"/rights/grants/{grant}"),
        ("clearing", "accounts", "/ledger/accounts"),
        ("clearing", "statement", f"/ledger/accounts/{world.account}"),
        ("clearing", "trial-balance", "/ledger/trial-balance"),
        ("regulator", "desk-regulator", "/"),
        ("regulator", "facts", "/trust/facts"),
        ("regulator", "refusals", "/trust/refusals"),
        ("regulator", "holds", "/trust/holds"),
        ("administrator", "desk-administrator", "/"),
        ("administrator", "parties", "/trust/parties"),
        ("administrator", "party", f"/trust/parties/{world.parties['civil']}"),
        ("administrator", "identity", f"/trust/parties/{world.parties['civil']}/identity"),
        ("administrator", "jobs", "/trust/jobs"),
        ("administrator", "system", "/system"),
        ("administrator", "account", "/account"),
    )


IN_GUIDES = dict.fromkeys(("describe", "load", "finding"))
SMOKE = {
    "home", "catalog-searched", "desk-provider", "procedure-answer", "procedure-review", "grant",
    "duties", "rule", "statement",
}  # fmt: skip


@pytest.mark.timeout(3000 if FULL else 180)
@pytest.mark.parametrize(("language", "size"), CASES)
def test_every_page_is_whole_accessible_and_fits(world, chromium, language, size):
    server, made = world
    wanted = [one for one in pages(made) if FULL or one[1] in SMOKE]
    if os.environ.get("SCREENSHOTS") and (language, size) == CASES[0]:
        picture(server, chromium, wanted, IN_GUIDES)
    assert look_at(server, chromium, wanted, language, size) == []
