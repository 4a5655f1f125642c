# SPDX-License-Identifier: Apache-2.0
"""Looking at pages in a real browser: in which languages and sizes, whole, accessible, pictured."""

import os
from pathlib import Path

from shrinking import shrink
from trade_people import Clicking
from web_server import PASSWORD

from lingqu.runtime.i18n import translate

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
FULL = bool(os.environ.get("FULL_MATRIX") or os.environ.get("SCREENSHOTS"))
MOST_HIGH = 760
FOLDER = Path(os.environ.get("SCREENSHOTS") or "screenshots")
GUIDES = Path(__file__).parents[2] / "docs" / "guide" / "images"
SIZES = {"desk": (1280, 900), "phone": (390, 844), "guide": (1080, 860)}
LANGUAGES = ("zh-CN", "en")
_RUN = """
async () => {
  const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]});
  return found.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(" | "));
}
"""
_TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
CASES = [(language, size) for language in LANGUAGES for size in ("desk", "phone")] if FULL else [
    ("zh-CN", "desk"), ("en", "phone"),
]  # fmt: skip


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


def look_at(server, browser, found, language, size):
    """Open pages as whoever works on them: pictures where wanted, and what is wrong with each."""
    visit, close = open_pages(server, browser, language, size, script=True)
    trouble = []
    try:
        for login, name, path in found:
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
    return trouble


def _main(page):
    """What a page is about, without the frame around it, as much as a reader takes in at once."""
    box = page.locator("main").bounding_box()
    return page.screenshot(full_page=True, clip={**box, "height": min(box["height"], MOST_HIGH)})


def picture(server, browser, found, wanted):
    """Draw the pages that the guides show, in both languages, as small pictures.

    Where something is typed first, `wanted` has the code of the button and what is typed.
    """
    GUIDES.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        visit, close = open_pages(server, browser, language, "guide", script=True)
        try:
            for login, name, path in found:
                if name not in wanted:
                    continue
                page = visit(login, path)
                if wanted[name] is not None:
                    button, typed = wanted[name]
                    Clicking(page).press(translate(button, language), typed)
                (GUIDES / f"{name}-{language}.png").write_bytes(shrink(_main(page)))
        finally:
            close()
