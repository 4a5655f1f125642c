# SPDX-License-Identifier: Apache-2.0
"""Acts: what is typed is kept, a refusal stands at its field, a preview changes nothing."""

import httpx
import pytest
from trade_people import read
from web_server import token

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.ui.acts import Field, FieldRefused, Given
from lingqu.ui.forms import Form


class Nobody:
    """A desk that only has words."""

    def text(self, code, /, **_):
        return code


@pytest.mark.parametrize(
    ("said", "fen"),
    [("1", 100), ("0.80", 80), (" 1,234.5 ", 123450), ("1.255", None), ("-1", None), ("nan", None),
     ("1e99999", None), ("", None), ("9" * 20, None)],
)  # fmt: skip
def test_an_amount_is_read_to_the_fen_or_refused_by_its_field(said, fen):
    given = Given(Nobody(), Form({"amount": said}, {}), {"amount": Field(name="amount")})
    if fen is not None:
        assert given.money("amount") == fen
        return
    with pytest.raises(FieldRefused) as refused:
        given.money("amount")
    assert refused.value.parameters["field"] == "amount"


def test_what_was_typed_stays_and_the_refusal_stands_at_its_field(server):
    naughty = "<script>alert(1)</script>''\"; 田中さん ﷽ \u202etest"
    with server.browser("member") as browser:
        page = browser.get("/market/prices/trial")
        fields = {"csrf": token(page), "command": new_id(trust.CommandId)}
        fields |= {"product": "prd_" + "0" * 26, "seller": server.party, "unit_price": "1.234",
                   "authorizer": server.party, "operating_since": "2026-01-01",
                   "free_calls": naughty}  # fmt: skip
        answer = browser.post("/market/prices/trial", data=fields)
        assert answer.status_code == 422
        asked = {one.has.get("name"): one for one in read(answer.text).find("input")}
        assert asked["unit_price"].has["aria-invalid"] == "true"
        assert asked["free_calls"].has["value"] == naughty
        assert "<script>alert" not in answer.text


def test_a_preview_is_no_attempt_and_needs_the_token(server):
    with server.browser("member") as browser:
        path = "/market/plans/register"
        with server.browser("administrator") as office:
            page = office.get(path)
            known = _refusals(server)
            fields = {"csrf": token(page), "act": "preview", "rate_0": "nothing"}
            answer = office.post(path, data=fields)
            assert answer.status_code == 200
            assert 'id="preview"' in answer.text
            assert _refusals(server) == known
        stolen = browser.post(path, data={"act": "preview"})
        assert stolen.status_code == 403


_KNOWN = "SELECT count(*) AS many FROM trust.fact WHERE kind = 'trust.command.refused'"


def _refusals(server) -> int:
    with server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        return tx.one(_KNOWN)["many"]


@pytest.mark.parametrize("path", [
    "/rights/grounds/record", "/rights/registrars/name", "/market/venues/open",
    "/ledger/close-day", "/supervision/cases/open", "/rights/operation/schemes/none",
    "/gate/products/none/publish", "/market/payables/none/close",
])  # fmt: skip
def test_who_may_not_do_an_act_is_not_shown_it(server, path):
    with server.browser("member") as browser:
        answer: httpx.Response = browser.get(path)
        assert answer.status_code in {403, 404, 422}, path
        assert "lq-note" not in answer.text or answer.status_code >= 400
