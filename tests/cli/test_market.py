# SPDX-License-Identifier: Apache-2.0
"""What staff at a venue type: open it, record payments, search, and look at fees."""

from lingqu import market, trust
from lingqu.market import listings, prices
from lingqu.runtime import new_id


def test_a_venue_is_opened_and_a_payment_recorded_once(founded):
    party = founded.json("party", "register", "〈交易场所〉（演示）")["party"]["id"]
    bank = founded.json("party", "register", "〈漓江银行〉（演示）")["party"]["id"]
    command = new_id(trust.CommandId)
    opened = founded.json("market", "open", party, "--id", command)
    assert opened == founded.json("market", "open", party, "--id", command)
    assert "〈交易场所〉（演示）" in founded("market", "venues").out
    words = ("deposit", bank, "12345", "--venue", party, "--on", "2025-03-31")
    paid = founded("market", *words, "--reference", "ICBC-1")
    assert paid.code == 0, paid.err
    assert "123.45" in paid.out
    again = founded("market", *words, "--reference", "ICBC-1", "--json")
    assert again.refusal == "market.deposit.taken"
    more = ("deposit", bank, "99999", "--venue", party, "--on", "2025-03-31", "--direction", "out")
    assert (
        founded("market", *more, "--reference", "OUT-1", "--json").refusal == "market.funds.short"
    )


def test_what_is_not_there_is_said_so(founded):
    assert founded.json("market", "search", "号段") == {"items": [], "next": None}
    for words in (("members",), ("prices",), ("contracts",)):
        assert founded.json("market", *words)["items"] == []
    for kind, words, code in (
        (listings.ListingId, ("listing",), "market.listing.not_found"),
        (listings.ListingId, ("certificate",), "market.listing.not_found"),
        (prices.PriceId, ("price",), "market.price.not_found"),
        (market.ContractId, ("contract",), "market.contract.not_found"),
        (market.ContractId, ("paper",), "market.contract.not_found"),
    ):
        assert founded("market", *words, new_id(kind), "--json").refusal == code
