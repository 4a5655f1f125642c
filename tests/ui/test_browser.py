# SPDX-License-Identifier: Apache-2.0
"""A person at a real browser: sign in, register, look at the fact, verify the bundle."""

import os

import pytest
from playwright.sync_api import expect
from web_server import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.environ.get("NO_BROWSER") == "1", reason="NO_BROWSER=1"),
]
WORDS = {
    "zh-CN": ("登录", "登记", "通过核验", "被拒操作"),
    "en": ("Sign in", "Register", "Verified", "Refusals"),
}


@pytest.mark.parametrize(
    ("language", "script", "width"),
    [("zh-CN", True, 1280), ("en", True, 390), ("zh-CN", False, 390)],
    ids=["Chinese at a desk", "English on a phone", "without script"],
)
def test_a_person_registers_a_party_and_verifies_its_evidence(
    server, chromium, tmp_path, language, script, width
):
    sign_in, register, verified, refusals = WORDS[language]
    context = chromium.new_context(
        base_url=server.url,
        locale=language,
        java_script_enabled=script,
        viewport={"width": width, "height": 850},
        accept_downloads=True,
    )
    page = context.new_page()
    trouble = []
    page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))

    page.goto("/login")
    page.fill("#login", "administrator")
    page.fill("#password", PASSWORD)
    page.locator("main").get_by_role("button", name=sign_in).click()
    expect(page.locator('.lq-sidenav a[href="/trust/refusals"]')).to_have_text(refusals)

    page.goto("/trust/parties")
    page.fill("#name", f"灵山县数据局 {language} {width}")
    page.locator("main").get_by_role("button", name=register, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("灵山县数据局")
    party = page.url.partition("?")[0].rpartition("/")[2]

    page.goto(f"/trust/facts?subject={party}")
    page.locator("#facts tbody a").first.click()
    for _ in range(100):
        if page.locator("svg.lq-ladder").count():
            break
        page.wait_for_timeout(100)
        page.reload()
    key = page.locator("#verify-command").inner_text().split("'")[1]
    with page.expect_download() as download:
        page.locator(".lq-actions a[download]").click()
    bundle = tmp_path / "bundle.json"
    download.value.save_as(bundle)

    page.goto("/trust/verify")
    page.set_input_files("#bundle", bundle)
    page.fill("#key", key)
    page.locator("main form button.btn-primary").click()
    expect(page.get_by_role("status")).to_contain_text(verified)

    own = f"/trust/parties/{party}"
    for path in ("/", "/public", "/trust/parties", own, "/account", "/system"):
        page.goto(path)
        wide = page.locator("html").evaluate("e => e.scrollWidth") if script else width
        assert wide <= width, f"{path} scrolls sideways"
    assert trouble == []
    context.close()


def test_the_keyboard_alone_reaches_content_and_signs_in(server, chromium):
    context = chromium.new_context(base_url=server.url, locale="en")
    page = context.new_page()
    page.goto("/login")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "lq-skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "login"
    page.keyboard.type("member")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("To-do")
    context.close()
