# SPDX-License-Identifier: Apache-2.0
"""Accounts and their limits, statements, the trial balance, closed days, and their audit."""

from datetime import UTC, date, datetime

import pytest

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import parse_instant
from lingqu.ledger import Phase
from lingqu.runtime import new_id


@pytest.fixture
def story(trust_server, place_type, till_type):
    """A till whose clock shows the second of March 2026, 08:00 in the region."""
    place = place_type(trust_server)
    place.found(story_from=parse_instant("2026-03-02T00:00:00Z"))
    place.database.use_story_clock(story=True)
    yield till_type(place)
    place.close()


def later(till, text):
    till.place.do(trust.move_story_clock, to=parse_instant(text))


def close(till, day):
    return till.place.do(ledger.close_day, till.clerk, day=date.fromisoformat(day))


def lines(till, account, caller=None, **page):
    with till.place.database.reading(caller or till.clerk) as tx:
        return ledger.find_transfers(tx, account=account, page=PageRequest(**page))


def test_limits_are_changed_only_where_they_hold(till, mover):
    bank, buyer = till.open(), till.open(floor=0, ceiling=100)
    till.submit(mover(bank, buyer, 60), mover(bank, buyer, 30, phase=Phase.PENDING))
    for floor, ceiling in ((61, None), (0, 89), (5, 4), (None, 2**53)):
        with pytest.raises(errors.LingquError):
            till.place.do(
                ledger.change_limits, till.clerk, account=buyer, floor=floor, ceiling=ceiling
            )
    changed = till.place.do(ledger.change_limits, till.clerk, account=buyer, floor=50, ceiling=90)
    assert (changed.floor, changed.ceiling, changed.version) == (50, 90, 2)
    assert till.outcomes(mover(buyer, bank, 11), mover(buyer, bank, 10)) == [
        "floor_crossed",
        "accepted",
    ]
    assert till.place.audit() == []


def test_an_account_is_closed_when_it_is_empty(till, mover):
    bank, buyer = till.open(), till.open(floor=0)
    till.submit(mover(bank, buyer, 5))
    with pytest.raises(ledger.AccountNotEmpty):
        till.place.do(ledger.close_account, till.clerk, account=buyer)
    held = mover(buyer, bank, 5, phase=Phase.PENDING)
    till.submit(held, ledger.post_pending(held, by=new_id(ledger.TransferId)))
    till.place.do(ledger.close_account, till.clerk, account=buyer)
    assert till.outcomes(mover(bank, buyer, 1)) == ["account_not_open"]
    with pytest.raises(ledger.AccountNotOpen):
        till.place.do(ledger.close_account, till.clerk, account=buyer)
    assert till.place.audit() == []


def test_an_account_is_opened_for_anything_that_has_an_id(till):
    grant = new_id(trust.CommandId)
    account = till.open(owner=grant)
    with till.place.database.reading(till.clerk) as tx:
        page = ledger.find_accounts(tx, page=PageRequest(), owner=grant)
    assert [one.id for one, _ in page.items] == [account]
    for wrong in ("zzz_x", "pty_x", "somebody"):
        with pytest.raises(errors.Rejected):
            till.open(owner=wrong)
    for more in ({"floor": 1}, {"ceiling": -1}, {"kind": "Für"}):
        with pytest.raises(ledger.BadAccount):
            till.open(**more)
    with pytest.raises(ledger.CurrencyUnknown):
        till.open(currency="rows")
    with pytest.raises(ledger.AccountTaken):
        till.open_many([(account, 0, None, "CNY")])


def test_many_accounts_are_opened_at_once(till, mover):
    wanted = [(new_id(ledger.LedgerAccountId), None, None, "CNY") for _ in range(250)]
    assert till.open_many(wanted) == 250
    facts = till.place.facts("ledger.account.opened")
    assert [len(fact["data"]["accounts"]) for fact in facts] == [100, 100, 50]
    assert till.outcomes(mover(wanted[0][0], wanted[249][0], 1)) == ["accepted"]
    assert till.place.audit() == []


def test_a_unit_is_registered_once(till):
    words = {"scale": 0, "name_zh": "行数", "name_en": "rows"}
    till.place.do(ledger.register_currency, till.clerk, currency="rows", **words)
    for code in ("rows", "CNY"):
        with pytest.raises(ledger.CurrencyTaken):
            till.place.do(ledger.register_currency, till.clerk, currency=code, **words)
    for change in ({"currency": "1x"}, {"scale": 13}, {"scale": -1}, {"name_zh": " "}):
        with pytest.raises(ledger.BadCurrency):
            till.place.do(
                ledger.register_currency, till.clerk, **{"currency": "x", **words, **change}
            )
    with till.place.database.reading() as tx:
        assert [one.id for one in ledger.find_currencies(tx)] == ["CNY", "rows"]
        assert ledger.get_currency(tx, "CNY").scale == 2
        assert ledger.get_currency(tx, "rows").name_en == "rows"
        with pytest.raises(ledger.CurrencyUnknown):
            ledger.get_currency(tx, "calls")


def test_a_statement_shows_every_step_with_the_balance_after_it(till, mover):
    bank, buyer = till.open(), till.open(floor=0)
    held = mover(buyer, bank, 40, phase=Phase.PENDING, reference="合同 1")
    post = ledger.post_pending(held, by=new_id(ledger.TransferId), amount=30)
    other = mover(buyer, bank, 5, phase=Phase.PENDING)
    void = ledger.void_pending(other, by=new_id(ledger.TransferId))
    till.submit(mover(bank, buyer, 100), held, mover(buyer, bank, 61), other)
    till.queue(post, void, mover(buyer, bank, 7))
    till.post()
    whole = lines(till, buyer)
    assert [(one.phase.value, one.moved, one.balance) for one in whole.items] == [
        ("posted", 100, 100),
        ("pending", 0, 100),
        ("pending", 0, 100),
        ("post", -30, 70),
        ("void", 0, 70),
        ("posted", -7, 63),
    ]
    assert whole.items[1].reference == "合同 1"
    assert {one.other for one in whole.items} == {bank}
    walked, after = [], None
    while True:
        page = lines(till, buyer, size=2, after=after)
        walked += page.items
        after = page.next
        if after is None:
            break
    assert walked == list(whole.items)
    assert [one.balance for one in lines(till, bank).items][-1] == -63
    with pytest.raises(errors.Rejected):
        lines(till, buyer, after="bm90IGEgbnVtYmVy")


def test_an_owner_reads_its_own_accounts_and_nobody_elses(till, mover):
    bank, buyer = till.open(), till.open(floor=0)
    till.submit(mover(bank, buyer, 1))
    owner = till.place.account(till.owner, role=trust.Role.MEMBER)
    other = till.place.account(role=trust.Role.MEMBER)
    assert len(lines(till, buyer, owner).items) == 1
    with till.place.database.reading(owner) as tx:
        assert len(ledger.find_accounts(tx, page=PageRequest()).items) == 2
        with pytest.raises(trust.AccessDenied):
            ledger.trial_balance(tx)
        with pytest.raises(ledger.DayNotFound):
            ledger.find_closes(tx)
    with pytest.raises(ledger.AccountUnknown):
        lines(till, buyer, other)
    with till.place.database.reading(other) as tx:
        assert ledger.find_accounts(tx, page=PageRequest()).items == ()
        assert ledger.find_accounts(tx, page=PageRequest(), owner=till.owner).items == ()
        with pytest.raises(ledger.AccountUnknown):
            ledger.get_account(tx, buyer)
    admin = trust.LOCAL_ADMINISTRATOR
    with pytest.raises(trust.AccessDenied):
        till.place.do(ledger.change_limits, admin, account=buyer, floor=None, ceiling=None)
    with pytest.raises(trust.AccessDenied):
        till.place.do(ledger.close_day, owner, day=date(2020, 1, 1))


def test_the_trial_balance_adds_up_to_zero_in_every_unit(till, mover):
    words = {"scale": 0, "name_zh": "调用次数", "name_en": "calls"}
    till.place.do(ledger.register_currency, till.clerk, currency="calls", **words)
    bank, buyer = till.open(kind="bank"), till.open(kind="funds", floor=0)
    pool, grant = till.open(kind="pool", currency="calls"), till.open(currency="calls", floor=0)
    till.submit(mover(bank, buyer, 100), mover(pool, grant, 9))
    till.submit(mover(buyer, bank, 4, phase=Phase.PENDING))
    with till.place.database.reading(till.clerk) as tx:
        found = ledger.trial_balance(tx)
    shown = {
        (one.currency, one.kind): (one.holding, one.owing, one.pending_out, one.pending_in)
        for one in found.lines
    }
    assert shown == {
        ("CNY", "bank"): (0, -100, 0, 4),
        ("CNY", "funds"): (100, 0, 4, 0),
        ("calls", "pool"): (0, -9, 0, 0),
        ("calls", "test"): (9, 0, 0, 0),
    }
    assert (found.total("CNY"), found.total("calls")) == (0, 0)


def test_a_closed_day_admits_nothing_and_can_be_proven_again(story, mover):
    bank, buyer = story.open(), story.open(floor=0)
    held = mover(bank, buyer, 30, phase=Phase.PENDING)
    story.submit(mover(bank, buyer, 100), held)
    with pytest.raises(ledger.DayNotOver):
        close(story, "2026-03-02")
    later(story, "2026-03-02T15:59:59.999999Z")
    with pytest.raises(ledger.DayNotOver):
        close(story, "2026-03-02")
    later(story, "2026-03-02T16:00:00Z")  # midnight in the region
    yesterday, today = date(2026, 3, 2), date(2026, 3, 3)
    post = ledger.post_pending(held, by=new_id(ledger.TransferId), amount=20)
    story.submit(post, mover(buyer, bank, 5), mover(buyer, bank, 1, on=yesterday))
    (closed,) = close(story, "2026-03-02")
    assert (closed.transfers, closed.turnover, closed.accounts) == (3, "101", 2)
    (fact,) = story.place.facts("ledger.day.closed")
    assert fact["data"]["digests"] == [closed.digest]
    assert story.outcomes(mover(buyer, bank, 1, on=yesterday)) == ["day_closed"]
    assert story.outcomes(mover(buyer, bank, 1, on=date(2026, 3, 4))) == ["day_ahead"]
    assert story.outcomes(mover(buyer, bank, 1, on=today)) == ["accepted"]
    late = mover(buyer, bank, 1, on=yesterday)
    story.queue(late)
    story.post()
    assert story.verdicts(late) == ["day_closed"]
    for again in ("2026-03-02", "2026-03-01"):
        with pytest.raises(ledger.DayAlreadyClosed):
            close(story, again)
    assert story.place.audit() == []
    story.place.sql("UPDATE ledger.day_close SET digest = repeat('0', 64)")
    assert {one.what.value for one in story.place.audit()} == {"figure_wrong", "row_changed"}
    later(story, "2026-03-05T00:00:00Z")
    (next_one,) = close(story, "2026-03-04")
    assert (next_one.transfers, next_one.turnover) == (3, "26")
    with story.place.database.reading(story.clerk) as tx:
        assert ledger.find_closes(tx)[0].day == date(2026, 3, 4)
        assert ledger.find_closes(tx, day=yesterday)[0].transfers == 3
        with pytest.raises(ledger.DayNotFound):
            ledger.find_closes(tx, day=today)


def test_a_settlement_is_not_booked_before_its_reservation(story, mover):
    bank, buyer = story.open(), story.open(floor=0)
    later(story, "2026-03-03T01:00:00Z")
    held = mover(bank, buyer, 30, phase=Phase.PENDING)
    step = ledger.post_pending(held, by=new_id(ledger.TransferId))
    early = ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=step.debit,
        credit=step.credit,
        amount=30,
        kind="t",
        phase=Phase.POST,
        pending=held.id,
        on=date(2026, 3, 2),
    )
    assert story.outcomes(held, early, step) == ["accepted", "pending_differs", "accepted"]


def test_days_begin_and_end_in_the_region():
    assert ledger.local_day(datetime(2026, 3, 2, 15, 59, tzinfo=UTC)) == date(2026, 3, 2)
    assert ledger.local_day(datetime(2026, 3, 2, 16, 0, tzinfo=UTC)) == date(2026, 3, 3)
    assert ledger.parse_day("2026-03-02") == date(2026, 3, 2)
    with pytest.raises(ledger.BadDay):
        ledger.parse_day("2. März")


TAMPERED = {
    "a balance": "UPDATE ledger.balance SET posted = posted + 1 WHERE posted > 0",
    "a reservation": "UPDATE ledger.balance SET pending_in = 3 WHERE posted > 0",
    "a limit": "UPDATE ledger.balance SET floor = -5 WHERE posted > 0",
    "a unit": "UPDATE ledger.balance SET currency = 'calls' WHERE posted > 0",
    "a missing balance": "DELETE FROM ledger.balance WHERE posted > 0",
    "a running balance": "UPDATE ledger.transfer SET debit_after = debit_after + 1",
    "two balances": "UPDATE ledger.balance SET posted = posted + sign(posted)",
    "a transfer": "UPDATE ledger.transfer SET amount = amount + 1",
    "a missing transfer": "DELETE FROM ledger.transfer",
    "a line of a statement": "UPDATE ledger.statement SET places = places[2:]",
    "a missing line": "DELETE FROM ledger.statement",
    "a line more": "INSERT INTO ledger.statement SELECT account, 77, '{3}' FROM ledger.account",
    "a limit of record": "UPDATE ledger.account SET ceiling = 5 WHERE floor = 0",
}


@pytest.mark.parametrize("damage", TAMPERED)
def test_tampering_with_the_books_is_found(till, mover, damage):
    bank, buyer = till.open(), till.open(floor=0)
    till.submit(mover(bank, buyer, 100))
    assert till.place.audit() == []
    till.place.sql(TAMPERED[damage])
    found = till.place.audit()
    assert "figure_wrong" in {one.what.value for one in found}
    assert all(one.expected != one.found for one in found)
