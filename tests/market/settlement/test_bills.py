# SPDX-License-Identifier: Apache-2.0
"""Bills beside the meter, the ledger and the buyer's own log: each difference by its name."""

import io
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import openpyxl
import pytest

from lingqu import ledger, market, trust
from lingqu.kernel import canon, errors
from lingqu.kernel.time import parse_instant
from lingqu.market import bills, distribution, settlement
from lingqu.market.bills import DifferenceKind, LogDifferenceKind, MeteredBatch
from lingqu.runtime import documents, new_id
from lingqu.trust import procedures

MARCH = {"begins": date(2026, 3, 1), "ends": date(2026, 4, 1)}


@pytest.fixture(scope="module")
def used(world, metered):
    """A contract whose five calls came in three batches, and what the meter says of them."""
    contract = world.contract(frozen=1_000, unit_price_minor=30, free_calls=1)
    batches = (
        MeteredBatch(batch="mtb_a", calls=(metered(), metered(no=1))),
        MeteredBatch(batch="mtb_b", calls=(metered(), metered(refusal="gate.quota"), metered())),
        MeteredBatch(batch="mtb_c", calls=(metered(yes=0, unknown=4),)),
    )
    for one in batches:
        world.charge(contract, *one.calls, batch=one.batch)
    return contract, batches


def differences(world, contract, metered, **span):
    return world.read(
        bills.find_differences, contract=contract.id, metered=metered, **(span or MARCH)
    )


def inject(world, sql, *values):
    """Change a row behind everybody's back; give what changes it back."""
    world.place.sql(sql.format("+"), values)
    return lambda: world.place.sql(sql.format("-"), values)


def test_meter_charges_and_postings_agree(world, used):
    contract, batches = used
    assert differences(world, contract, batches) == ()
    metered = sum(one.refusal is None for batch in batches for one in batch.calls)
    bill = world.read(bills.get_bill, contract=contract.id, **MARCH, caller=world.buyer)
    assert (bill.calls, bill.units, bill.charged, bill.posted) == (metered, 5, 120, 120)
    assert world.balance(contract.charged) == (bill.charged, 0)
    assert bill.net == sum(one.amount for one in bill.rows)


def test_one_fen_in_a_charge_is_traced_to_its_call(world, used):
    contract, batches = used
    call = batches[1].calls[2].call
    undo = inject(world, "UPDATE market.charge SET amount = amount {} 1 WHERE call = %s", call)
    amount, batch = differences(world, contract, batches)
    assert (amount.kind, amount.call, amount.expected, amount.found) == (
        DifferenceKind.AMOUNT,
        call,
        30,
        31,
    )
    assert (batch.kind, batch.batch, batch.expected, batch.found) == (
        DifferenceKind.BATCH,
        "mtb_b",
        61,
        60,
    )
    undo()
    assert differences(world, contract, batches) == ()


def test_one_fen_in_a_posting_is_traced_to_its_transfer_and_its_call(world, used, metered):
    contract, batches = used
    single = MeteredBatch(batch="mtb_single", calls=(metered(),))
    charged = world.charge(contract, *single.calls, batch=single.batch)
    batches = (*batches, single)
    sql = "UPDATE ledger.transfer SET amount = amount {} 1 WHERE id = %s"
    undo = inject(world, sql, charged.transfer)
    (found,) = differences(world, contract, batches)
    assert (found.kind, found.call, found.transfer, found.expected, found.found) == (
        DifferenceKind.POSTING,
        single.calls[0].call,
        charged.transfer,
        30,
        31,
    )
    undo()
    first, _, last = batches[1].calls  # each of 30; the one between was refused
    many = world.read(settlement.find_charge_batch, "mtb_b")
    for off, call in ((1, last), (-1, last), (-30, last), (-31, first)):
        undo = inject(world, f"UPDATE ledger.transfer SET amount = amount {{}} {off} WHERE id = %s",
                      many.transfer)  # fmt: skip
        (found,) = differences(world, contract, batches)
        assert (found.kind, found.batch) == (DifferenceKind.POSTING, "mtb_b")
        assert (found.call, found.found - found.expected) == (call.call, off)
        undo()


def test_a_posting_that_differs_with_a_charge_is_traced_to_that_charge(world, used):
    """Somebody adds a fen to a call and to the sums above it, and cannot reach the ledger."""
    contract, batches = used
    call = batches[1].calls[0].call
    whole = (
        "WITH line AS (UPDATE market.charge SET amount = amount {0} 1 WHERE call = %s"
        " RETURNING batch) UPDATE market.charge_batch"
        " SET amount = amount {0} 1, posted = posted {0} 1 WHERE id = (SELECT batch FROM line)"
    )
    undo = inject(world, whole, call)
    found = differences(world, contract, batches)
    undo()
    assert [(one.kind, one.call) for one in found if one.batch == "mtb_b"] == [
        (DifferenceKind.AMOUNT, call),
        (DifferenceKind.POSTING, call),
    ]


def test_a_call_before_midnight_is_billed_on_its_day_though_it_is_charged_after(world, metered):
    contract = world.contract(frozen=1_000, unit_price_minor=30)
    late = parse_instant("2026-03-06T15:59:59.999Z")  # a millisecond before midnight at the venue
    batches = [
        MeteredBatch(batch=f"mtb_late_{number}", calls=(replace(metered(), at=late),))
        for number in (1, 2)
    ]
    day, after = date(2026, 3, 6), date(2026, 3, 7)
    for batch in batches:
        charged = world.charge(contract, *batch.calls, batch=batch.batch)
        assert (charged.day, charged.posted) == (day, 30)
        (posted,) = world.read(ledger.find_entries, transfers=[charged.transfer])
        assert posted.day == world.bazaar.day > day
    bills_of = [
        world.read(bills.get_bill, contract=contract.id, begins=begins, ends=ends)
        for begins, ends in ((day, after), (after, date(2026, 3, 8)))
    ]
    assert [(one.calls, one.charged, one.posted) for one in bills_of] == [(2, 60, 60), (0, 0, 0)]
    assert bills_of[0].rows[0].day == day
    assert differences(world, contract, batches, begins=day, ends=after) == ()


def test_what_only_one_side_has_is_named(world, used, metered):
    contract, batches = used
    single = world.read(settlement.find_charge_batch, "mtb_single")
    known = [one.batch for one in batches] + ([] if single is None else ["mtb_single"])
    extra = metered()
    lacking = MeteredBatch(batch="mtb_a", calls=(*batches[0].calls, extra))
    never = MeteredBatch(batch="mtb_never", calls=(metered(),))
    found = differences(world, contract, (lacking, never))
    kinds = {(one.kind, one.batch, one.call) for one in found}
    assert kinds == {
        (DifferenceKind.NOT_CHARGED, "mtb_a", extra.call),
        (DifferenceKind.NOT_CHARGED, "mtb_never", None),
        *((DifferenceKind.NOT_METERED, one, None) for one in known[1:]),
    }
    unread = MeteredBatch(batch="mtb_a", calls=batches[0].calls[:1])
    outside = {"begins": date(2026, 1, 1), "ends": date(2026, 1, 2)}
    (gone,) = differences(world, contract, (unread,), **outside)
    assert (gone.kind, gone.call) == (DifferenceKind.NOT_METERED, batches[0].calls[1].call)
    stranger = world.place.account(role=trust.Role.BUYER)
    with pytest.raises(market.ContractNotFound):
        world.read(
            bills.find_differences, contract=contract.id, metered=(), **MARCH, caller=stranger
        )


def test_a_bill_is_drawn_and_listed(world, used):
    contract, batches = used
    paper = world.read(bills.bill_paper, contract=contract.id, **MARCH, caller=world.buyer)
    assert (paper.subject, paper.sealers) == (contract.id, (world.venue,))
    for form in documents.Format:
        assert len(documents.render(paper.template, paper.data, to=form).content) > 5_000
    book = world.read(bills.write_calls, contract=contract.id, **MARCH, caller=world.buyer)
    rows = list(openpyxl.load_workbook(io.BytesIO(book)).active.values)
    assert rows[0][0] == "调用编号"
    assert [row[0] for row in rows[1:3]] == [one.call for one in batches[0].calls]
    assert rows[2][5:] == ("按单价", 0.6)
    with pytest.raises(bills.BadSpan):
        world.read(bills.get_bill, contract=contract.id, begins=MARCH["ends"], ends=MARCH["begins"])


def log_of(rows):
    target = io.BytesIO()
    columns = (
        documents.SheetColumn(name="call", zh="调用编号"),
        documents.SheetColumn(name="at", zh="调用时间", optional=True),
        documents.SheetColumn(name="amount", zh="金额（元）"),
    )
    documents.write_sheet(target, title="调用日志", columns=columns, rows=rows)
    return target.getvalue()


def test_the_buyers_own_log_is_compared_call_by_call(world, used):
    contract, _ = used
    lines = world.read(settlement.find_lines, contract=contract.id, **MARCH)
    rows = [{"call": one.call, "amount": str(Decimal(one.amount).scaleb(-2))} for one in lines]
    missing, wrong = rows.pop(1), rows[2]
    wrong["amount"] = "0.31"
    rows += [
        {"call": "mine", "at": "2026-03-02 12:00:00", "amount": "1.00"},
        dict(rows[0]),
        {"call": "bad", "amount": "一元"},
        {"call": "worse", "amount": "0.001"},
    ]
    found = world.read(
        bills.reconcile_log,
        contract=contract.id,
        content=log_of(rows),
        **MARCH,
        caller=world.buyer,
    )
    assert [(one.kind, one.call, one.ours, one.theirs) for one in found.differences] == [
        (LogDifferenceKind.TWICE, rows[0]["call"], None, 0),
        (LogDifferenceKind.ONLY_OURS, missing["call"], 60, None),
        (LogDifferenceKind.AMOUNT, wrong["call"], lines[3].amount, 31),
        (LogDifferenceKind.ONLY_THEIRS, "mine", None, 100),
    ]
    assert found.agreeing == len(lines) - 2
    assert [one.parameters["row"] for one in found.problems] == [len(rows), len(rows) + 1]
    book = openpyxl.load_workbook(io.BytesIO(bills.write_differences(found))).active
    assert [row[1] for row in book.values] == [
        "差异",
        "贵方重复",
        "仅平台有",
        "金额不一致",
        "仅贵方有",
    ]
    with pytest.raises(documents.NotASheet):
        bills.read_log(b"PK not a workbook")


def test_a_difference_can_be_contested(world, used):
    contract, batches = used
    call = batches[0].calls[1].call

    def contest(claimed, caller=world.buyer, call=call):
        return world.do(
            bills.contest_charge,
            caller,
            procedure=new_id(procedures.ProcedureId),
            contract=contract.id,
            call=call,
            claimed=claimed,
        )

    opened = contest(30)
    assert (opened.code, opened.subject) == ("complaint", contract.id)
    with pytest.raises(bills.NothingToContest):
        contest(60)
    with pytest.raises(settlement.ChargeNotFound):
        contest(30, call="nothing")
    with pytest.raises(errors.LingquError):
        contest(30, caller=world.officer)


@pytest.mark.usefixtures("used")
def test_contributions_are_shares_of_answers_by_columns(world):
    bodies = [world.place.party(name) for name in ("〈统计局〉", "〈通信管理局〉")]
    resources = [
        world.resource(body, name) for body, name in zip(bodies, ("区划", "号段"), strict=True)
    ]
    fields = [f"{resources[0]}.code", f"{resources[0]}.name", f"{resources[1]}.segment"]
    terms = canon.encode({"fields": sorted(fields)}).decode()
    world.place.sql("UPDATE market.listing SET terms = %s", (terms,))
    span = {"venue": world.venue, **MARCH}
    found = world.read(distribution.get_contribution, **span, caller=world.staff)
    assert [(one.resource, one.columns, one.share) for one in found.lines] == [
        (resources[0], 2, 6_667),
        (resources[1], 1, 3_333),
    ]
    answered = sum(one.answers for one in found.lines)
    assert answered == 2 * found.answers, "both tables were part of every answer"
    assert found.answers >= 9, "unbilled answers count as well"
    paper = world.read(distribution.contribution_paper, **span)
    for form in documents.Format:
        assert len(documents.render(paper.template, paper.data, to=form).content) > 5_000
    book = world.read(distribution.write_contribution, **span)
    rows = list(openpyxl.load_workbook(io.BytesIO(book)).active.values)
    assert rows[1][0] == "〈统计局〉"
    assert rows[1][-1] == 66.67
    with pytest.raises(trust.AccessDenied):
        world.read(distribution.get_contribution, **span, caller=world.buyer)
    with pytest.raises(distribution.BadReport):
        world.read(
            distribution.get_contribution,
            venue=world.venue,
            begins=date(2026, 1, 1),
            ends=date(2026, 1, 1) + timedelta(days=401),
        )
    world.place.sql("UPDATE market.listing SET terms = %s", (world.product.terms,))
