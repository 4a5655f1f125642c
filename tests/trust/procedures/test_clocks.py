# SPDX-License-Identifier: Apache-2.0
"""The clocks: each acts once whoever scans, deadlines are counted again, and a desk shows them."""

import threading
from datetime import date, datetime

import pytest

from lingqu import trust
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.runtime.calendar import Calendar, DayTable, SpecialDay, national_table
from lingqu.trust import PLATFORM, procedures
from lingqu.trust.procedures import Part, deadlines, firing, records

TUESDAY = date(2026, 9, 8)


def _at(text):
    return datetime.fromisoformat(f"{text}T10:00:00+08:00")


def filed(office, count):
    """Many filings of one applicant, waiting at one registrar."""
    office.person("applicant")
    office.person("registrar")
    parties = office.parties
    found = [new_id(procedures.ProcedureId) for _ in range(count)]
    for procedure in found:
        office.place.do(
            office.opening,
            office.person("applicant"),
            procedure=procedure,
            chart="registration.property",
            subject="res_1",
            title="数据",
            owner=parties["applicant"],
            parts=tuple(Part(role=r, party=parties[r]) for r in ("applicant", "registrar")),
        )
    office.procedure = found[-1]
    return found


def scan(office, limit=500):
    return office.place.do(procedures.fire_timers, PLATFORM, limit=limit)


def test_each_clock_acts_once_and_a_second_scan_does_nothing(desk):
    office = desk(TUESDAY)
    filed(office, 5)
    assert scan(office).timers == 0
    office.place.do(trust.move_story_clock, to=_at("2026-09-15"))
    assert scan(office, limit=3) == firing.Fired(timers=3, procedures=3)
    assert scan(office) == firing.Fired(timers=2, procedures=2)
    assert scan(office).timers == 0
    moved = office.place.facts("trust.procedure.moved")
    assert [one["data"]["move"] for one in moved] == ["deem_accepted"] * 5
    assert len({one["data"]["procedure"] for one in moved}) == 5
    assert [len(one["rows"]) for one in moved] == [4] * 5
    assert office.place.audit() == []


def test_two_scanners_at_once_fire_each_clock_once(desk):
    office = desk(TUESDAY)
    filed(office, 24)
    office.place.do(trust.move_story_clock, to=_at("2026-09-15"))
    ready, done = threading.Barrier(4), []

    def run():
        ready.wait()
        done.append(procedures.fire_due_timers(office.place.database, PLATFORM))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 24
    moved = office.place.facts("trust.procedure.moved")
    assert len(moved) == len({one["data"]["procedure"] for one in moved}) == 24
    assert office.place.audit() == []


def test_a_late_scan_acts_as_of_the_day_it_fell_due_and_what_follows_too(desk):
    office = desk(TUESDAY)
    filed(office, 1)
    office.place.do(trust.move_story_clock, to=_at("2026-11-20"))
    assert scan(office) == firing.Fired(timers=2, procedures=1)
    assert [step.day.isoformat() for step in office.view().steps] == ["2026-09-14"]
    assert office.clock("completion").due_on.isoformat() == "2026-09-28"
    (passed,) = office.place.facts("trust.procedure.timer_passed")
    assert passed["data"]["due_on"] == "2026-09-28"
    assert passed["data"]["rule"] == "property.finish"


def test_nobody_moves_what_a_clock_has_already_decided(desk):
    office = desk(TUESDAY)
    filed(office, 1)
    office.place.do(trust.move_story_clock, to=_at("2026-09-14"))
    with pytest.raises(records.ClockMovesFirst) as refused:
        office.move("ask_correction", "registrar")
    assert "2026" in refused.value.article
    scan(office)
    with pytest.raises(records.IllegalMove):
        office.move("ask_correction", "registrar")


def test_only_the_platform_and_administrators_let_clocks_act(desk):
    office = desk(TUESDAY)
    filed(office, 1)
    for command in (procedures.fire_timers, procedures.recount_deadlines):
        with pytest.raises(trust.AccessDenied):
            office.place.do(command, office.person("registrar"))


def test_the_desk_shows_days_left_urgency_and_article(desk):
    office = desk(TUESDAY)
    filed(office, 1)
    (mine,) = office.todos("registrar")
    assert (mine.clock.days_left, mine.urgency.value) == (3, "green")
    assert "35号" in mine.clock.article
    assert (mine.role.zh, mine.state.zh) == ("登记机构", "待受理")
    assert office.todos("applicant") == ()
    office.go(date(2026, 9, 10))
    assert office.todos("registrar")[0].urgency is procedures.Urgency.AMBER
    office.go(date(2026, 9, 11))
    assert office.todos("registrar")[0].clock.days_left == 0
    office.move("ask_correction", "registrar")
    assert office.todos("registrar") == ()
    assert office.todos("applicant")[0].clock.name == "correction"
    office.move("correct", "applicant")
    office.move("accept", "registrar")
    office.move("ask_evidence", "registrar")
    (waiting,) = office.todos("applicant")
    assert waiting.clock is None
    paused = office.clock("completion")
    assert (paused.days_left, paused.standing.value) == (None, "paused")


def test_the_most_urgent_thing_stands_first(desk):
    office = desk(TUESDAY)
    early, late = filed(office, 2)
    office.procedure = early
    office.move("accept", "registrar")
    assert [one.procedure.id for one in office.todos("registrar")] == [late, early]
    office.go(date(2026, 9, 11))
    assert [one.urgency.value for one in office.todos("registrar")] == ["amber", "green"]


def test_lists_show_only_what_is_ones_own(desk):
    office = desk(TUESDAY)
    known = sorted(filed(office, 3))
    stranger = office.place.account(role=trust.Role.MEMBER)
    page = PageRequest(size=2)

    def listed(caller, **more):
        with office.place.database.reading(caller) as tx:
            return procedures.find_procedures(tx, page=page, **more)

    assert listed(stranger).items == ()
    first = listed(office.person("applicant"))
    assert [one.id for one in first.items] == known[:2]
    assert first.next is not None
    assert len(listed(trust.LOCAL_ADMINISTRATOR, subject="res_1").items) == 2
    assert listed(office.person("registrar"), code="approval").items == ()
    assert listed(office.person("registrar"), only_running=True).next is not None


NEXT_YEAR = DayTable(
    years=frozenset({2027}),
    days=tuple(
        SpecialDay(day=date(2027, 1, day), is_working=False, title_zh="元旦", title_en="New year")
        for day in (1, 4)
    ),
)


def test_a_deadline_over_an_unpublished_year_is_provisional_until_it_is_counted_again():
    chart = next(one for one in procedures.SHIPPED if one.code == "registration.property")
    timer = next(one for one in chart.timers if one.name == "completion")
    known = national_table()
    before = Calendar(tables=(known,))
    after = Calendar(
        tables=(DayTable(years=known.years | NEXT_YEAR.years, days=known.days + NEXT_YEAR.days),)
    )
    procedure = new_id(procedures.ProcedureId)
    row = deadlines.start_timer(before, timer, procedure, date(2026, 12, 30), 10)
    assert (row.due_on, row.is_provisional) == (date(2027, 1, 13), True)
    again = deadlines.recount_timer(after, timer, row)
    assert (again.due_on, again.is_provisional, again.version) == (date(2027, 1, 15), False, 2)
    assert deadlines.recount_timer(after, timer, again) is again
    assert deadlines.recount_timer(before, timer, row) is row


def test_recounting_leaves_what_did_not_change_and_says_how_far_it_came(desk):
    office = desk(date(2026, 12, 30))
    filed(office, 3)
    assert office.clock("acceptance").is_provisional
    first = office.place.do(procedures.recount_deadlines, PLATFORM, limit=2)
    assert (first.looked_at, first.changed) == (2, 0)
    second = office.place.do(procedures.recount_deadlines, PLATFORM, after=first.after, limit=2)
    assert (second.looked_at, second.changed) == (1, 0)
    assert procedures.recount_all_deadlines(office.place.database, PLATFORM) == 0
    assert office.place.audit() == []


def test_deadlines_are_counted_again_once_the_year_is_published(desk):
    """The row as an earlier release left it, before the arrangement of 2026 was published."""
    office = desk(TUESDAY)
    filed(office, 2)
    office.place.sql(
        "UPDATE trust.procedure_timer SET is_provisional = true, due_on = due_on - 1,"
        " fires_at = fires_at - interval '1 day'"
    )
    assert procedures.recount_all_deadlines(office.place.database, PLATFORM) == 2
    assert office.clock("acceptance").due_on.isoformat() == "2026-09-11"
    assert not office.clock("acceptance").is_provisional
    (fact, _) = office.place.facts("trust.procedure.deadlines_recounted")
    assert len(fact["data"]["procedures"]) == 2
    assert len(fact["rows"]) == 2
