# SPDX-License-Identifier: Apache-2.0
"""What a transfer does to the books, and what the ledger refuses, at once and in batches."""

import dataclasses
from datetime import date

import psycopg
import pytest

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.ledger import Phase
from lingqu.ledger.posting import _SELECT_KNOWN
from lingqu.runtime import Caller, new_id


@trust.command("tests.ledger.reserve", internal=True)
def reserve(tx, *, transfers: tuple[ledger.Transfer, ...]) -> int:
    """A command of another package that posts inside itself."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_TRANSFER)
    verdicts = ledger.post_transfers(tx, transfers=transfers)
    trust.record(tx, ledger.TransfersQueued(count=0))
    return len(verdicts)


def test_a_transfer_moves_its_amount_and_nothing_else(till, mover):
    a, b = till.open(), till.open(floor=0)
    assert till.outcomes(mover(a, b, 100)) == ["accepted"]
    assert till.figures(a, b) == [(-100, 0, 0), (100, 0, 0)]
    assert till.place.audit() == []


def test_a_reservation_counts_as_gone_and_as_there(till, mover):
    bank, buyer, seller = till.open(), till.open(floor=0), till.open(floor=0, ceiling=150)
    till.submit(mover(bank, buyer, 200))
    held = mover(buyer, seller, 100, phase=Phase.PENDING)
    assert till.outcomes(held, mover(buyer, bank, 101)) == ["accepted", "floor_crossed"]
    assert till.outcomes(mover(bank, seller, 51)) == ["ceiling_crossed"]
    assert till.balance(buyer).available == 100
    assert till.balance(seller).room == 50
    less = ledger.post_pending(held, by=new_id(ledger.TransferId), amount=60)
    assert till.outcomes(less) == ["accepted"]
    assert till.figures(buyer, seller) == [(140, 0, 0), (60, 0, 0)]
    other = mover(buyer, seller, 90, phase=Phase.PENDING)
    void = ledger.void_pending(other, by=new_id(ledger.TransferId))
    assert till.outcomes(other, void) == ["accepted", "accepted"]
    assert till.figures(buyer, seller) == [(140, 0, 0), (60, 0, 0)]
    assert till.place.audit() == []


@pytest.mark.parametrize("path", ["at once", "batch"])
def test_a_reservation_is_settled_once(till, mover, path):
    a, b = till.open(), till.open(floor=0)
    held = mover(a, b, 100, phase=Phase.PENDING)
    till.submit(held)
    by = [new_id(ledger.TransferId) for _ in range(6)]
    steps = (
        ledger.post_pending(dataclasses.replace(held, amount=101), by=by[0]),
        dataclasses.replace(ledger.void_pending(held, by=by[1]), amount=99),
        dataclasses.replace(ledger.post_pending(held, by=by[2]), debit=b, credit=a),
        ledger.post_pending(held, by=by[3]),
        ledger.post_pending(held, by=by[4]),
        ledger.void_pending(held, by=by[5]),
        mover(a, b, 5, phase=Phase.VOID, pending=new_id(ledger.TransferId)),
    )
    if path == "batch":
        till.queue(*steps)
        till.post()
    else:
        till.submit(*steps)
    assert till.verdicts(*steps) == [
        "pending_differs",
        "pending_differs",
        "pending_differs",
        "accepted",
        "pending_settled",
        "pending_settled",
        "pending_unknown",
    ]
    assert till.figures(a, b) == [(-100, 0, 0), (100, 0, 0)]


def test_the_database_itself_refuses_a_second_settlement(till, mover):
    a, b = till.open(), till.open(floor=0)
    held = mover(a, b, 100, phase=Phase.PENDING)
    post = ledger.post_pending(held, by=new_id(ledger.TransferId))
    till.submit(held, post)
    copied = (
        "INSERT INTO ledger.transfer SELECT number + 100, batch, position + 100, id || 'x', debit,"
        " credit, amount, kind, phase, pending, linked, reference, day, at, verdict, debit_after,"
        " credit_after FROM ledger.transfer WHERE id = %s"
    )
    with pytest.raises(psycopg.errors.UniqueViolation, match="transfer_settled_once"):
        till.place.sql(copied, (post.id,))


@pytest.mark.parametrize("path", ["at once", "batch"])
def test_sending_a_transfer_again_gives_the_same_verdict(till, mover, path):
    bank, buyer = till.open(), till.open(floor=0)
    good, bad = mover(bank, buyer, 10), mover(buyer, bank, 11)
    assert till.outcomes(good, bad) == ["accepted", "floor_crossed"]
    till.submit(mover(bank, buyer, 1000))
    facts = len(till.place.facts())
    if path == "at once":
        assert till.outcomes(bad, good) == ["floor_crossed", "accepted"]
    else:
        till.queue(bad, good, bad)
        result = till.post()
        assert (result.accepted, result.refused, result.repeated) == (0, 0, 3)
        assert till.verdicts(bad, good) == ["floor_crossed", "accepted"]
    assert till.figures(buyer) == [(1010, 0, 0)]
    assert till.place.count("ledger.transfer") == 3
    assert len(till.place.facts()) > facts
    assert till.place.audit() == []


def test_an_id_stands_for_one_transfer(till, mover):
    a, b = till.open(), till.open()
    first = mover(a, b, 10)
    other = dataclasses.replace(first, amount=11)
    assert till.outcomes(first, other) == ["accepted", "id_reused"]
    assert till.outcomes(other) == ["id_reused"]
    till.queue(other)
    assert till.post().reused == 1
    assert till.verdicts(other, first, mover(a, b, 1)) == ["id_reused", "accepted", None]
    with pytest.raises(ledger.TransferIdReused):
        till.place.do(reserve, till.clerk, transfers=(other,))
    grouped = [mover(a, b, 1, group="g"), dataclasses.replace(first, group="g")]
    assert till.outcomes(*grouped) == ["id_reused", "id_reused"]
    assert till.figures(a) == [(-10, 0, 0)]


@pytest.mark.parametrize("path", ["at once", "batch"])
def test_linked_transfers_stand_or_fall_together(till, mover, path):
    bank, buyer = till.open(), till.open(floor=0)
    pot, seller = till.open(floor=0), till.open(floor=0, ceiling=95)
    till.submit(mover(bank, buyer, 100))
    sale = (
        mover(pot, seller, 90, group="sale"),  # the pot is empty until the end of the group
        mover(pot, bank, 10, group="sale"),
        mover(buyer, pot, 100, group="sale"),
    )
    again = (mover(buyer, pot, 1, group="again"), mover(bank, seller, 1, group="again"))
    unknown = (mover(bank, seller, 1, group="x"), mover(bank, new_id(ledger.LedgerAccountId), 1))
    unknown = (unknown[0], dataclasses.replace(unknown[1], group="x"))
    full = mover(bank, seller, 6)
    everything = (*sale, *again, *unknown, full)
    if path == "batch":
        till.queue(*everything)
        result = till.post()
        assert (result.accepted, result.refused) == (3, 5)
    else:
        till.submit(*everything)
    assert till.verdicts(*everything) == [
        *["accepted"] * 3,
        "floor_crossed",
        "linked_refused",
        "linked_refused",
        "account_unknown",
        "ceiling_crossed",
    ]
    assert till.figures(buyer, pot, seller) == [(0, 0, 0), (0, 0, 0), (90, 0, 0)]
    assert till.place.audit() == []


def test_a_refused_group_leaves_its_room_to_those_behind_it(till, mover):
    bank, buyer = till.open(), till.open(floor=0)
    blocked = till.open(ceiling=5)
    till.submit(mover(bank, buyer, 10))
    refused = (mover(buyer, bank, 10, group="a"), mover(bank, blocked, 6, group="a"))
    after = mover(buyer, bank, 10)
    too_late = mover(buyer, bank, 1)
    held = mover(bank, buyer, 4, phase=Phase.PENDING)
    till.queue(*refused, after, too_late, held)
    till.queue(ledger.post_pending(held, by=new_id(ledger.TransferId)), mover(buyer, bank, 4))
    result = till.post()
    assert (result.accepted, result.refused) == (4, 3)
    assert till.verdicts(*refused, after, too_late) == [
        "linked_refused",
        "ceiling_crossed",
        "accepted",
        "floor_crossed",
    ]
    assert till.figures(buyer) == [(0, 0, 0)]


def test_posting_inside_a_command_raises_and_leaves_nothing(till, mover):
    bank, buyer, closed = till.open(), till.open(floor=0), till.open()
    till.place.do(ledger.close_account, till.clerk, account=closed)
    calls = till.place.do(
        ledger.register_currency,
        till.clerk,
        currency="calls",
        scale=0,
        name_zh="调用次数",
        name_en="calls",
    )
    other = till.open(currency=calls.id)
    pending = mover(buyer, bank, 1, phase=Phase.VOID, pending=new_id(ledger.TransferId))
    refused = (
        (ledger.FloorCrossed, mover(buyer, bank, 6)),
        (ledger.AccountUnknown, mover(bank, new_id(ledger.LedgerAccountId), 1)),
        (ledger.AccountNotOpen, mover(bank, closed, 1)),
        (ledger.CurrencyDiffers, mover(bank, other, 1)),
        (ledger.PendingUnknown, pending),
        (ledger.DayAhead, mover(bank, buyer, 1, on=date(9999, 1, 1))),
    )
    for kind, transfer in refused:
        good = mover(bank, buyer, 5)
        with pytest.raises(kind):
            till.place.do(reserve, till.clerk, transfers=(good, transfer))
        assert till.verdicts(good, transfer) == [None, None]
    assert till.figures(bank, buyer) == [(0, 0, 0), (0, 0, 0)]
    group = (mover(bank, buyer, 5, group="g"), mover(buyer, bank, 6, group="g"))
    with pytest.raises(ledger.FloorCrossed):
        till.place.do(reserve, till.clerk, transfers=group)
    assert till.place.do(reserve, till.clerk, transfers=(mover(bank, buyer, 5),)) == 1
    assert till.place.audit() == []


def test_a_hot_account_is_posted_in_batches_only(till, mover):
    treasury, buyer = till.open(hot=True), till.open()
    charge = mover(buyer, treasury, 7)
    with pytest.raises(ledger.HotAccount):
        till.submit(charge)
    with pytest.raises(ledger.HotAccount):
        till.place.do(reserve, till.clerk, transfers=(charge,))
    till.queue(charge)
    assert till.post().accepted == 1
    assert till.figures(treasury) == [(7, 0, 0)]


def test_a_batch_takes_whole_submissions_up_to_its_size(till, mover):
    a, b = till.open(), till.open()
    for count in (8000, 190, 1):
        till.queue(*[mover(a, b, 1) for _ in range(count)])
    with till.place.database.reading() as tx:
        assert ledger.count_queued(tx) == 8191
    assert [till.post().accepted for _ in range(3)] == [8190, 1, 0]
    assert till.figures(b) == [(8191, 0, 0)]
    assert till.place.audit() == []


def test_what_is_no_transfer_is_refused(till, mover):
    a, b = till.open(), till.open()
    bad = (
        {"amount": 0},
        {"amount": -1},
        {"amount": 2**53},
        {"amount": True},
        {"credit": a},
        {"kind": ""},
        {"reference": "x" * 101},
        {"reference": "a\nb"},
        {"group": ""},
        {"phase": Phase.POST},
        {"pending": new_id(ledger.TransferId)},
    )
    for change in bad:
        with pytest.raises(ledger.BadTransfer):
            dataclasses.replace(mover(a, b, 1), **change)
    one = mover(a, b, 1, group="g")
    for submission in ((), (one, mover(a, b, 1), mover(a, b, 1, group="g")), (one, one)):
        with pytest.raises(ledger.BadSubmission):
            till.submit(*submission)
    assert till.place.count("ledger.transfer") == 0


def test_texts_of_any_kind_are_kept_and_proven(till, mover):
    a, b = till.open(), till.open()
    texts = ('"quoted"', "back\\slash", "],[", "合同 甲", "null", "", "a,b;'c'", "\\N")
    transfers = [mover(a, b, 1, reference=text) for text in texts]
    till.submit(*transfers[:4])
    till.submit(*transfers[4:7])
    till.submit(transfers[7])
    with till.place.database.reading(till.clerk) as tx:
        rows = tx.all(_SELECT_KNOWN, ([one.id for one in transfers],))
    assert {row["id"]: row["reference"] for row in rows} == {
        one.id: one.reference for one in transfers
    }
    assert till.outcomes(*transfers) == ["accepted"] * 8
    assert till.place.audit() == []


def test_the_fact_of_a_batch_carries_its_root(till, mover):
    a, b = till.open(), till.open()
    till.queue(mover(a, b, 1), mover(a, b, 2))
    done = till.post()
    (fact,) = till.place.facts("ledger.transfer.posted")
    assert fact["data"]["batch"]["id"] == done.batch
    assert (fact["data"]["accepted"], fact["data"]["batch"]["count"]) == (2, 2)
    till.place.sql("UPDATE ledger.transfer SET reference = 'other'")
    assert "batch_altered" in {one.what.value for one in till.place.audit()}


def test_only_the_clearing_office_moves_amounts(till, mover):
    a, b = till.open(), till.open()
    member = till.place.account(role=trust.Role.MEMBER)
    owner = till.place.account(till.owner, role=trust.Role.MEMBER)
    regulator = till.place.account(role=trust.Role.REGULATOR)
    for caller in (member, owner, regulator, trust.LOCAL_ADMINISTRATOR):
        with pytest.raises(trust.AccessDenied):
            till.place.do(ledger.submit_transfers, caller, transfers=(mover(a, b, 1),))
        with pytest.raises(trust.AccessDenied):
            till.place.do(ledger.hand_in_transfers, caller, transfers=(mover(a, b, 1),))
    one = mover(a, b, 1)
    till.submit(one)
    for caller in (owner, regulator, trust.LOCAL_ADMINISTRATOR):
        with till.place.database.reading(caller) as tx:
            assert ledger.get_verdict(tx, one.id).accepted
            assert ledger.get_balance(tx, a).posted == -1
    with till.place.database.reading(member) as tx:
        with pytest.raises(ledger.TransferUnknown):
            ledger.get_verdict(tx, one.id)
        with pytest.raises(ledger.AccountUnknown):
            ledger.get_balance(tx, a)


def test_a_command_sent_again_posts_once(till, mover):
    a, b = till.open(), till.open()
    command, one = new_id(trust.CommandId), mover(a, b, 3)
    first = till.submit(one, command_id=command)
    assert till.submit(one, command_id=command) == first
    with pytest.raises(errors.Conflict):
        till.submit(mover(a, b, 4), command_id=command)
    assert till.figures(b) == [(3, 0, 0)]


def test_the_application_cannot_change_the_books(till, mover):
    a, b = till.open(), till.open(floor=0)
    till.submit(mover(a, b, 5))
    forbidden = (
        "UPDATE ledger.transfer SET amount = 6",
        "DELETE FROM ledger.transfer",
        "TRUNCATE ledger.transfer",
        "DELETE FROM ledger.balance",
        "DELETE FROM ledger.account",
        "UPDATE ledger.balance SET currency = 'x'",
        "INSERT INTO ledger.balance (account, currency, posted) VALUES ('lac_x', 'CNY', 5)",
        "UPDATE ledger.day_close SET digest = ''",
        "DELETE FROM ledger.currency",
        "DELETE FROM trust.fact",
        "UPDATE trust.fact SET body = ''",
    )
    for sql in forbidden:
        with (
            psycopg.connect(till.place.database.conninfo) as app,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            app.execute(sql)
    for sql in (
        "UPDATE ledger.balance SET posted = posted + 1",
        "UPDATE ledger.balance SET posted = posted - 1",
        f"UPDATE ledger.balance SET posted = posted - 1 WHERE account = '{b}'",
        "UPDATE ledger.balance SET pending_out = pending_out + 1 WHERE posted < 0",
        f"UPDATE ledger.balance SET posted = posted - 6 * sign(posted) WHERE '{b}' <> ''",
    ):
        with (
            psycopg.connect(till.place.database.conninfo) as app,
            pytest.raises(psycopg.errors.CheckViolation),
        ):
            app.execute(sql)


def test_somebody_unknown_is_refused(till):
    stranger = Caller(account=new_id(trust.AccountId), channel="api")
    with pytest.raises(errors.Forbidden):
        till.place.do(ledger.post_batch, stranger)
