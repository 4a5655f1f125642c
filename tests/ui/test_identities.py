# SPDX-License-Identifier: Apache-2.0
"""The pages of organisations, mandates, certificates and holds, without script."""

from datetime import timedelta

import pytest
from web_server import token

from lingqu import trust
from lingqu.runtime import REAL_TIME, new_id
from lingqu.trust import holds, identity
from lingqu.trust.identity.organizations import demonstration_code

DIGEST = "ef" * 32


@pytest.fixture
def party(server):
    made = new_id(trust.PartyId)
    kind = trust.PartyKind.ORGANIZATION
    server.execute(trust.register_party, party=made, kind=kind, name="〈甲公司〉（演示）")
    return made


def send(browser, page, path, **fields):
    data = {"csrf": token(browser.get(page)), "command": new_id(trust.CommandId), **fields}
    return browser.post(path, data=data)


def test_an_organization_is_described_and_marked_as_a_demonstration(server, party):
    base = f"/trust/parties/{party}"
    code = demonstration_code(42)
    given = {"kind": "enterprise", "code": code, "region": "450702", "level": ""}
    with server.browser("administrator") as browser:
        assert f"{base}/identity" in browser.get(base).text
        assert send(browser, base, f"{base}/organization", **given).status_code == 303
        shown = browser.get(f"{base}/identity").text
        for text in (code, "演示", "广西壮族自治区钦州市钦南区", "企业"):
            assert text in shown
        refused = send(browser, base, f"{base}/organization", **(given | {"code": "123"}))
        assert (refused.status_code, "统一社会信用代码不正确" in refused.text) == (422, True)
        unknown = send(browser, base, f"{base}/organization", **(given | {"region": "99"}))
        assert unknown.status_code == 404
        english = browser.get(f"{base}/identity", headers={"accept-language": "en"}).text
        assert "Organization and mandates" in english
    with server.browser("member") as other:
        assert other.get(f"{base}/identity").status_code == 404


def test_a_mandate_is_given_and_ended_on_the_page(server, party):
    base = f"/trust/parties/{party}"
    given = {
        "mandate": new_id(identity.MandateId),
        "account": server.accounts["member"],
        "role": "merchant",
        "from": "2026-01-01",
        "until": "2099-01-01",
        "document": DIGEST,
    }
    with server.browser("administrator") as browser:
        assert send(browser, base, f"{base}/mandates", **given).status_code == 303
        assert "数据商" in browser.get(f"{base}/identity").text
        with server.browser("member") as member:
            assert member.get(f"{base}/identity").status_code == 200
        ended = send(browser, base, f"{base}/mandates/end", mandate=given["mandate"])
        assert ended.status_code == 303
        bad = given | {"mandate": new_id(identity.MandateId), "until": "soon"}
        assert send(browser, base, f"{base}/mandates", **bad).status_code == 400
    with server.browser("member") as member:
        assert member.get(f"{base}/identity").status_code == 404


def test_a_certificate_is_revoked_and_an_account_unlocked_on_the_page(server, party):
    base, account = f"/trust/parties/{party}", new_id(trust.AccountId)
    kind = trust.AccountKind.MACHINE
    server.execute(trust.open_account, account=account, party=party, kind=kind)
    certificate = new_id(identity.CertificateId)
    server.execute(
        identity.register_certificate,
        certificate=certificate,
        account=account,
        fingerprint=trust.secret_hash(certificate).hex(),
        expires_at=REAL_TIME.now() + timedelta(days=3),
        label="同步程序",
    )
    with server.browser("administrator") as browser:
        assert "同步程序" in browser.get(f"{base}/identity").text
        path = f"{base}/certificates/revoke"
        assert send(browser, base, path, certificate=certificate).status_code == 303
        assert send(browser, base, path, certificate=certificate).status_code == 409
        assert send(browser, base, f"{base}/accounts/unlock", account=account).status_code == 303


def test_a_supervisor_holds_and_frees_a_thing_on_the_page(server, party):
    hold = new_id(holds.HoldId)
    given = {"hold": hold, "subject": party, "reason": "quality", "article": "数据安全法第三十条"}
    with server.browser("regulator") as browser:
        assert send(browser, "/trust/holds", "/trust/holds", **given).status_code == 303
        shown = browser.get("/trust/holds").text
        assert "数据安全法第三十条" in shown
        refused = send(browser, "/trust/holds", "/trust/holds", **(given | {"subject": "<script>"}))
        assert (refused.status_code, "&lt;script&gt;" in refused.text) == (422, True)
        assert send(browser, "/trust/holds", "/trust/holds/lift", hold=hold).status_code == 303
        assert send(browser, "/trust/holds", "/trust/holds/lift", hold=hold).status_code == 409
    with server.browser("member") as member:
        assert member.get("/trust/holds").status_code == 403
