# SPDX-License-Identifier: Apache-2.0
"""What staff type at the end of a day, and what a treasury and a buyer type after it."""

import pytest

from lingqu import market, trust
from lingqu.market import distribution
from lingqu.market.listings import ListingId
from lingqu.runtime import new_id

DAYS = ("--begins", "2025-03-01", "--ends", "2025-04-01")


@pytest.mark.slow
def test_what_is_not_there_is_said_so(founded, tmp_path):
    venue = founded.json("party", "register", "〈交易场所〉（演示）")["party"]["id"]
    founded.json("market", "open", venue)
    assert founded.json("market", "settlements", venue) == {"items": [], "next": None}
    assert founded.json("market", "payables", "--party", venue, "--open")["items"] == []
    contract = new_id(market.ContractId)
    for words in (
        ("tally", contract),
        ("freeze", contract, "100"),
        ("bill", contract, *DAYS),
        ("correct", contract, "call", "1", "--reason", "a", "--reference", "b"),
    ):
        refused = founded("market", *words, "--json").refusal
        assert refused == "market.contract.not_found", words
    for words in (("notice",), ("payable", "--receipt", "A1", "--on", "2025-03-03")):
        name, *more = words
        refused = founded("market", name, new_id(distribution.PayableId), *more, "--json").refusal
        assert refused == "market.payable.not_found"
    settle = founded("market", "settle", "2025-03-31", "--venue", venue, "--json")
    assert settle.refusal == "market.settlement.day_open"
    log = tmp_path / "log.xlsx"
    log.write_bytes(b"no workbook")
    compared = founded("market", "reconcile", contract, str(log), *DAYS, "--json")
    assert compared.refusal == "market.contract.not_found"


def test_a_plan_is_read_from_a_file_and_a_report_is_written(founded, tmp_path):
    venue = founded.json("party", "register", "〈交易场所〉（演示）")["party"]["id"]
    founded.json("market", "open", venue, "--id", new_id(trust.CommandId))
    plan = tmp_path / "plan.json"
    plan.write_text(
        f'{{"steps": [{{"share": "venue_fee", "party": "{venue}", "rate": 10000}}],'
        ' "source": "〈交易服务费标准〉"}',
        encoding="utf-8",
    )
    planned = founded("market", "plan", str(plan), "--listing", new_id(ListingId), "--json")
    assert planned.refusal == "market.plan.not_found"
    file = tmp_path / "report.xlsx"
    words = ("contribution", venue, *DAYS)
    assert founded.json("market", *words)["contribution"]["lines"] == []
    written = founded.json("market", *words, "--format", "xlsx", "--output", str(file))
    assert written == {"file": str(file)}
    assert file.read_bytes().startswith(b"PK")
    again = founded("market", *words, "--format", "pdf", "--output", str(file), "--json")
    assert again.code != 0, "a file that is there is not written over"
