# SPDX-License-Identifier: Apache-2.0
"""The portal at a real browser: every page at a desk and on a phone, accessible and whole."""

import os
from pathlib import Path

import pytest
from portal_world import build, build_supply
from web_server import PASSWORD, running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.environ.get("NO_BROWSER") == "1", reason="NO_BROWSER=1"),
]
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
FULL = bool(os.environ.get("FULL_MATRIX") or os.environ.get("SCREENSHOTS"))
FOLDER = Path(os.environ.get("SCREENSHOTS") or "screenshots")
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
LANGUAGES = ("zh-CN", "en")
_RUN = """
async () => {
  const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]});
  return found.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(" | "));
}
"""
_TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


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


SMOKE = {
    "home", "catalog-searched", "desk-provider", "procedure-answer", "procedure-review", "grant",
    "duties", "rule", "statement",
}  # fmt: skip


def open_pages(server, browser, language, size, *, script):
    """Give a function that opens a page as somebody, in one context for each login."""
    width, height = SIZES[size]
    contexts = {}

    def visit(login, path):
        if login not in contexts:
            context = browser.new_context(
                base_url=server.url,
                locale=language,
                java_script_enabled=script,
                viewport={"width": width, "height": height},
                reduced_motion="reduce",
            )
            page = contexts[login] = context.new_page()
            if login is not None:
                page.goto("/login")
                page.fill("#login", login)
                page.fill("#password", PASSWORD)
                page.locator("main form button.btn-primary").first.click()
        page = contexts[login]
        answer = page.goto(path)
        assert answer.status == 200, (path, answer.status)
        return page

    def close():
        for page in contexts.values():
            page.context.close()

    return visit, close


CASES = [(language, size) for language in LANGUAGES for size in SIZES] if FULL else [
    ("zh-CN", "desk"), ("en", "phone"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "size"), CASES)
def test_every_page_is_whole_accessible_and_fits(world, chromium, language, size):
    server, made = world
    visit, close = open_pages(server, chromium, language, size, script=True)
    trouble = []
    try:
        for login, name, path in pages(made):
            if not FULL and name not in SMOKE:
                continue
            page = visit(login, path)
            if os.environ.get("SCREENSHOTS"):
                FOLDER.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=FOLDER / f"{name}-{size}-{language}.png", full_page=True)
            if page.evaluate(_TOO_WIDE) > 1:
                trouble.append(f"{name}: wider than the screen")
            page.evaluate(AXE)
            trouble += [f"{name}: {one}" for one in page.evaluate(_RUN)]
    finally:
        close()
    assert trouble == []
