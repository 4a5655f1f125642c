# SPDX-License-Identifier: Apache-2.0
"""A regulator follows every use from its ground to its money, and finds the cent that differs."""

from datetime import date

import pytest

from lingqu import ledger, rights, supervision, trust
from lingqu.kernel.errors import LingquError
from lingqu.kernel.paging import PageRequest
from lingqu.market.bills import DifferenceKind
from lingqu.runtime import documents, new_id
from lingqu.runtime.calendar import shift_months
from lingqu.supervision.figures import compute_figures
from lingqu.supervision.flows import FlowNotFound
from lingqu.supervision.reconciling import BadPeriod, NotFollowedYet
from lingqu.supervision.reports import COLUMNS, TooEarly
from lingqu.trust import AccessDenied, holds
from lingqu_verify import bundles

ARTICLE = "数据安全法 第四十四条"

PUT_BACK = (
    "INSERT INTO market.charge"
    " SELECT (jsonb_populate_record(NULL::market.charge, %(row)s::jsonb)).*"
)


def differences(made):
    assert made.found == len(supervision.read_differences(made))
    return [(one.kind, one.call, one.expected, one.found) for one in
            supervision.read_differences(made)]  # fmt: skip


def flows(world, **filters):
    return world.read(supervision.find_flows, **({"page": PageRequest()} | filters))


def test_a_use_is_a_flow_from_its_ground_to_its_money_with_every_refusal(world, desk):
    deal = world.contract()
    (asked, _), *_ = world.use(desk, deal, 2)
    (segment,) = asked.subjects
    other = next(one for one in ("桂林", "梧州") if one != segment.value)
    grant = world.read(rights.get_grant, deal.grant_id)
    again = world.request(world.offered, grant, (segment.key, other))
    with pytest.raises(LingquError) as refusal:
        desk.ask(again, world.asker)
    assert refusal.value.code == "gate.call.enumeration"
    world.charge()
    world.look()
    found = flows(world, contract=deal.id)
    assert sum(one.answered for one in found.items) == 2
    assert sum(one.refused for one in found.items) == 1
    assert sum(one.charged for one in found.items) == 2 * 37
    assert [one.refused for one in flows(world, contract=deal.id, is_refused=True).items] == [1]
    seen = world.read(
        supervision.find_refused, page=PageRequest(), party=world.buyer, act="gate.call"
    )
    assert [(one.code, one.subject, one.grant) for one in seen.items] == [
        ("gate.call.enumeration", world.offered.id, deal.grant_id)
    ]
    assert seen.items[0].article == refusal.value.article
    used = next(one for one in reversed(found.items) if one.answered)
    path = world.read(supervision.get_flow, used.batch)
    assert [one.holder for one in path.chain] == [world.operator, world.operator, world.buyer]
    assert path.articles
    assert (path.seller, path.buyer, path.held) == (world.operator, world.buyer, ())
    assert sum(one.amount for one in path.entries) == used.posted
    kinds = {one.kind for one in path.facts}
    assert {"gate.batch.metered", "market.charge.posted"} <= kinds
    with world.place.database.reading(world.banker) as tx, pytest.raises(AccessDenied):
        supervision.find_flows(tx, page=PageRequest())
    with pytest.raises(FlowNotFound):
        world.read(supervision.get_flow, type(used.batch).of(new_id(trust.FactId).uuid))
    page = flows(world, page=PageRequest(size=1))
    rest = flows(world, page=PageRequest(size=500, after=page.next))
    assert page.items[0] not in rest.items


def test_a_contract_held_from_a_case_shows_in_its_flow_and_stops_its_use(world, desk):
    deal = world.contract()
    world.use(desk, deal)
    world.charge()
    world.look()
    batch = flows(world, contract=deal.id).items[0].batch
    case = new_id(supervision.CaseId)
    world.do(
        supervision.open_case,
        world.regulator,
        case=case,
        kind=supervision.CaseKind.INSPECTION,
        subject=deal.grant_id,
        summary="例行检查",
    )
    world.do(
        supervision.hold_from_case,
        world.regulator,
        case=case,
        hold=new_id(holds.HoldId),
        reason=holds.HoldReason.SUPERVISION,
        article=ARTICLE,
    )
    assert world.read(supervision.get_flow, batch).held == (deal.grant_id,)
    grant, subject = world.read(rights.get_grant, deal.grant_id), ("1300000", "南宁")
    world.hears(desk, world.offered, grant, subject, "rights.grant.held")
    with pytest.raises(LingquError) as refusal:
        world.use(desk, deal)
    assert refusal.value.article == ARTICLE
    world.look()
    newest = world.read(supervision.find_refused, page=PageRequest(size=1)).items[0]
    assert (newest.code, newest.article, newest.grant) == (
        refusal.value.code, ARTICLE, deal.grant_id,
    )  # fmt: skip
    world.do(supervision.lift_from_case, world.regulator, case=case)
    assert world.read(supervision.get_flow, batch).held == ()
    world.hears(desk, world.offered, grant, subject, None)
    world.use(desk, deal)


def test_meter_bill_and_ledger_agree_and_one_cent_is_traced_to_its_call(world, desk):
    deal = world.contract()
    (asked, _), *_ = world.use(desk, deal, 3)
    world.charge()
    with pytest.raises(NotFollowedYet):
        world.reconcile(deal)
    world.look()
    good = world.reconcile(deal)
    assert (good.calls, good.metered, good.billed, good.posted) == (3, 111, 111, 111)
    assert good.agrees
    assert good.case_id is None
    world.place.sql("UPDATE market.charge SET amount = amount + 1 WHERE call = %s", (asked.call,))
    bad = world.reconcile(deal)
    assert (DifferenceKind.AMOUNT, asked.call, 37, 38) in differences(bad)
    assert {one[0] for one in differences(bad)} == {DifferenceKind.AMOUNT, DifferenceKind.BATCH}
    fact = world.place.facts("supervision.contract.reconciled")[-1]["data"]
    assert (fact["traced"], fact["found"], fact["case"]) == ([asked.call], 2, bad.case_id)
    case = world.read(supervision.get_case, bad.case_id)
    assert (case.subject, case.kind) == (deal.id, supervision.CaseKind.RECONCILIATION)
    world.place.sql("UPDATE market.charge SET amount = amount - 1 WHERE call = %s", (asked.call,))
    assert world.reconcile(deal).agrees
    kept = world.read(supervision.find_reconciliations, page=PageRequest(), contract=deal.id)
    assert [one.agrees for one in kept.items] == [True, False, True]
    only = world.read(
        supervision.find_reconciliations, page=PageRequest(), contract=deal.id,
        only_different=True,
    )  # fmt: skip
    assert only.items == (world.read(supervision.get_reconciliation, bad.id),)
    with pytest.raises(AccessDenied):
        world.reconcile(deal, caller=world.banker)
    for begins, ends in ((good.ends, good.begins), (date.max, date.max), (date.min, date.max)):
        with pytest.raises(BadPeriod):
            world.do(
                supervision.reconcile_contract,
                world.regulator,
                reconciliation=new_id(supervision.ReconciliationId),
                contract=deal.id,
                begins=begins,
                ends=ends,
            )


@pytest.mark.parametrize(
    ("harm", "mend", "what"),
    [
        (
            "DELETE FROM market.charge WHERE call = %(call)s RETURNING to_jsonb(charge)::text",
            PUT_BACK,
            [DifferenceKind.NOT_CHARGED, DifferenceKind.BATCH],
        ),
        (
            "UPDATE gate.call SET hits = hits + 1 WHERE call = %(call)s",
            "UPDATE gate.call SET hits = hits - 1 WHERE call = %(call)s",
            [DifferenceKind.AMOUNT],
        ),
        (
            "UPDATE market.charge_batch SET amount = amount + 1 WHERE id = %(charge)s",
            "UPDATE market.charge_batch SET amount = amount - 1 WHERE id = %(charge)s",
            [DifferenceKind.BATCH],
        ),
        (
            "UPDATE ledger.transfer SET amount = amount + 1 WHERE id = %(transfer)s",
            "UPDATE ledger.transfer SET amount = amount - 1 WHERE id = %(transfer)s",
            [DifferenceKind.POSTING],
        ),
    ],
)
def test_each_way_in_which_the_three_can_differ_is_named(world, desk, harm, mend, what):
    deal = world.contract()
    ((asked, _),) = world.use(desk, deal)
    world.charge()
    world.look()
    charge, transfer = world.place.sql(
        "SELECT id, transfer FROM market.charge_batch WHERE contract = %s", (deal.id,)
    )[0]
    names = {"call": asked.call, "charge": charge, "transfer": transfer}
    gone = world.place.sql(harm, names)
    row = gone[0][0] if isinstance(gone, list) else None
    made = world.reconcile(deal)
    world.place.sql(mend, names | {"row": row})
    assert [one[0] for one in differences(made)] == what
    assert world.reconcile(deal).agrees


def test_a_day_is_reconciled_contract_by_contract_and_what_was_not_charged_is_found(world, desk):
    deal = world.contract()
    world.use(desk, deal)
    world.look()
    day = ledger.local_day(world.now)
    made = supervision.reconcile_day(world.place.database, world.regulator, day=day)
    mine = next(one for one in made if one.contract == deal.id)
    assert [one[0] for one in differences(mine)] == [DifferenceKind.NOT_CHARGED]
    world.charge()
    made = supervision.reconcile_day(world.place.database, world.regulator, day=day)
    assert all(one.agrees for one in made)
    assert len(made) > 1


def test_the_evidence_of_a_contract_is_its_whole_way_and_verifies_alone(world, desk):
    deal, other = world.contract(), world.contract()
    world.use(desk, deal, 2)
    world.use(desk, other)
    world.charge()
    world.look()
    text = world.read(supervision.bundle_of, world.logs, (deal.id,))
    report = bundles.verify_bundle(text, keys=[world.place.key.verifier])
    kinds = {one.entry.kind for one in report.facts}
    assert {
        "rights.ground.recorded", "rights.grant.issued", "gate.product.defined",
        "gate.batch.metered", "market.charge.posted",
    } <= kinds  # fmt: skip
    assert report.disclosures
    assert other.id not in text
    assert other.grant_id not in text


def test_a_report_gives_the_same_bytes_for_the_same_facts_and_says_where_each_figure_is_from(
    world, desk
):
    deal = world.contract()
    world.use(desk, deal, 2)
    world.charge()
    world.look()
    first = ledger.local_day(world.now).replace(day=1)
    issuer = world.venue

    def made(month):
        return world.do(
            supervision.make_report,
            world.regulator,
            report=new_id(supervision.ReportId),
            month=month,
            issuer=issuer,
        )

    with pytest.raises(TooEarly):
        made(first.replace(year=first.year + 1))
    one = made(shift_months(first, -1))
    assert one.is_whole
    assert one.due_on.day == 10
    assert {each.code: each.month for each in supervision.read_figures(one)}["charged"] == 0
    now = compute_figures_now(world)
    assert now["calls_answered"] == now["calls_answered.verification"] > 0
    assert now["charged"] == now["charged.verification"] == now["posted"] > 0
    assert now["contracts_made"] == now["contracts_in_force"] > 0
    assert now["differing"] > 0
    again = world.read(supervision.get_report, one.id)
    assert world.read(supervision.is_reproduced, again)
    assert supervision.write_report(one) == supervision.write_report(again)
    for form in (documents.Format.DOCX, documents.Format.PDF):
        papers = [world.read(supervision.report_paper, again) for _ in range(2)]
        drawn = [documents.render(one.template, one.data, to=form) for one in papers]
        assert drawn[0].sha256 == drawn[1].sha256
    sheet = documents.read_sheet(supervision.write_report(one), columns=COLUMNS)
    assert sheet.problems == ()
    assert {row["origin"] for row in sheet.rows} >= {"总账", "计量存证", "计费台账"}
    listed = world.read(supervision.find_reports, page=PageRequest(), month=one.month)
    assert [each.id for each in listed.items] == [one.id]
    with world.place.database.reading(world.banker) as tx, pytest.raises(AccessDenied):
        supervision.find_reports(tx, page=PageRequest())


def compute_figures_now(world):
    """The figures of this month with today, which a report leaves to tomorrow."""
    today = ledger.local_day(world.now)
    figures = world.read(
        compute_figures, month=today.replace(day=1), ends=shift_months(today.replace(day=1), 1)
    )
    return {one.code: one.month for one in figures}
