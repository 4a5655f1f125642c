# SPDX-License-Identifier: Apache-2.0
"""The platform finds what is wrong with real data, names who mends it, and sees it through."""

import datetime as dt
import hashlib
import io
import json

import pytest

from lingqu import supply, trust
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import documents, new_id
from lingqu.supply import FindingKind
from lingqu.trust import Role, procedures

TOWNS = {"name": "name", "parent": "parent", "right_parent": "county"}


@pytest.fixture(scope="module")
def books(world):
    """Both official town code books, loaded as two bodies delivered them."""
    return world.slice("nbs_towns"), world.slice("mca_towns")


def compared(world, books, within=""):
    left, right = (world.table(one) for one in books)
    found = supply.compare_loaded(
        left, right, tables=world.tables, engine=world.engine, within=within, **TOWNS
    )
    return found, supply.observe_comparison(left, right, found, within=within)


def checked(world, resource, kind, column, within=""):
    return supply.check_column(
        world.table(resource),
        kind=kind,
        column=column,
        tables=world.tables,
        engine=world.engine,
        within=within,
    )


def counted(observation):
    return {one.name: one.count for one in observation.figures}


def test_the_loaded_books_of_guangxi_disagree_as_the_story_says(world, books):
    _, seen = compared(world, books)
    assert counted(seen) == {
        "left_rows": 1284, "right_rows": 1257, "shared_keys": 1179, "conflicts": 127,
        "swapped": 123, "left_parents": 111, "right_parents": 111, "shared_parents": 111,
        "derived_matches": 1249, "left_only": 35, "right_only": 8,
    }  # fmt: skip
    assert (seen.faults, len(seen.examples)) == (127, 10)


def test_so_do_those_of_qinzhou_and_lingshan(world, books):
    _, seen = compared(world, books, within="4507")
    figures = counted(seen)
    assert (figures["left_rows"], figures["right_rows"]) == (71, 66)
    assert (figures["shared_keys"], figures["conflicts"]) == (62, 28)
    assert (figures["derived_matches"], figures["left_only"]) == (66, 5)
    _, lingshan = compared(world, books, within="450721")
    assert (counted(lingshan)["shared_keys"], lingshan.faults) == (18, 18)
    villages = world.slice("nbs_villages")
    seen = checked(world, villages, FindingKind.FILLED, "name", within="4507")
    assert (counted(seen), seen.faults) == ({"rows": 1044, "faults": 0}, 0)


def test_five_segments_carry_two_cities(world):
    segments = world.slice("segments")
    seen = checked(world, segments, FindingKind.ONE_VALUE, "city")
    assert seen.faults == 5
    assert seen.examples == ("1676965", "1676967", "1923472", "1923474", "1923482")
    assert checked(world, segments, FindingKind.UNIQUE, "segment").faults == 0
    with pytest.raises(supply.UnknownColumn):
        checked(world, segments, FindingKind.FILLED, "owner")


def opened(world, books, seen, caller=trust.LOCAL_ADMINISTRATOR, **said):
    told = {
        "finding": new_id(supply.FindingId), "observation": seen,
        "title": "两套乡镇编码表同码异名", "responsible": books[1].body,
    }  # fmt: skip
    return world.place.do(supply.open_finding, caller, **(told | said))


def test_a_finding_runs_through_feedback_and_review_until_it_is_closed(world, books):
    place = world.place
    inspector = place.party("〈数据局〉（演示）")
    officer = place.account(inspector, role=Role.IMPLEMENTER)
    clerk = place.account(books[1].body, role=Role.PROVIDER)
    found, seen = compared(world, books)
    made = opened(world, books, seen, officer, inspector=inspector)
    assert json.loads(made.figures)["conflicts"] == 127
    fact = place.facts("supply.finding.opened")[-1]["data"]
    assert (fact["faults"], fact["responsible"]) == (127, books[1].body)
    sheet = io.BytesIO()
    assert supply.write_comparison(sheet, found) == 127
    digest = hashlib.sha256(sheet.getvalue()).hexdigest()
    file = procedures.GivenFile(name="比对.xlsx", sha256=digest, size=len(sheet.getvalue()))

    def move(caller, name, **given):
        with place.database.reading(caller) as tx:
            version = procedures.get_procedure(tx, made.procedure).procedure.version
        return place.do(
            procedures.move_procedure,
            caller,
            procedure=made.procedure,
            move=name,
            version=version,
            **given,
        )

    move(officer, "feed_back", opinion="127 个编码名称不同\n请逐条核对", files=(file,))
    with place.database.reading(clerk) as tx:
        assert supply.get_finding(tx, made.id) == made
        view = procedures.get_procedure(tx, made.procedure)
        assert view.procedure.turn == "responsible"
        assert [clock.name for clock in view.clocks] == ["rectification"]
        paper = procedures.document_data(
            tx, procedure=made.procedure, document="rectification_notice"
        )
    assert paper.data["findings"] == ["127 个编码名称不同", "请逐条核对"]
    assert dt.date.fromisoformat(paper.data["due_on"]) > dt.date.fromisoformat(
        paper.data["found_on"]
    )
    for to, begins in ((documents.Format.DOCX, b"PK"), (documents.Format.PDF, b"%PDF")):
        assert documents.render(paper.template, paper.data, to=to).content.startswith(begins)
    move(clerk, "report", opinion="已更正", files=(file,))
    move(officer, "pass", opinion="复核通过")
    assert move(officer, "share", opinion="按县和名称关联").state == "closed"
    assert place.audit() == []


def test_a_finding_needs_a_fault_a_body_that_answers_and_who_may_find(world, books):
    inspector = world.place.party("〈数据局二〉（演示）")
    _, seen = compared(world, books)
    with pytest.raises(supply.BadFinding):
        opened(world, books, seen, inspector=inspector, responsible=inspector)
    with pytest.raises(supply.BadFinding):
        opened(world, books, seen, inspector=inspector, title="一\0")
    clean = checked(world, books[0], FindingKind.FILLED, "name")
    with pytest.raises(supply.NothingFound):
        opened(world, books, clean, inspector=inspector)
    member = world.place.account(inspector, role=Role.MEMBER)
    with pytest.raises(trust.AccessDenied):
        opened(world, books, seen, member, inspector=inspector)
    with world.place.database.reading(member) as tx, pytest.raises(trust.AccessDenied):
        supply.plan_finding(tx, resource=books[0].id, other=books[1].id)
    made = opened(world, books, seen, inspector=inspector)
    stranger = world.place.account(role=Role.PROVIDER)
    with (
        world.place.database.reading(stranger) as tx,
        pytest.raises(supply.FindingNotFound),
    ):
        supply.get_finding(tx, made.id)
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        listed = supply.find_findings(tx, page=PageRequest(size=1), body=inspector)
        assert [one.id for one in listed.items] == [made.id]
        both = supply.plan_finding(tx, resource=books[0].id, other=books[1].id)
        assert [one.resource for one in both] == [one.id for one in books]


def test_a_table_loaded_anew_is_looked_at_again(world):
    text = world.text
    resource = world.resource(text("code", key=True), text("name"), title="编码")
    world.load(resource, "code,name\n1,甲/乙\n2,丙\n")
    seen = checked(world, resource, FindingKind.ONE_VALUE, "name")
    assert (seen.faults, seen.examples) == (1, ("1",))
    world.load(resource, "code,name\n1,甲\n")
    with pytest.raises(supply.FindingOutdated):
        opened(
            world, (resource, resource), seen, inspector=resource.body, responsible=resource.body
        )
    keyless = world.resource(text("code"), title="无主键")
    world.load(keyless, "code\n1\n")
    with pytest.raises(supply.KeyMissing):
        checked(world, keyless, FindingKind.UNIQUE, "code")
