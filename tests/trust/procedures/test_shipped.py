# SPDX-License-Identifier: Apache-2.0
"""Every shipped chart, walked through every state, every move and every clock on a story clock.

The stories of 2026 cross the Spring Festival (15 to 23 February, with 14 and 28 February worked),
the first days of the year (1 to 3 January, with Sunday the 4th worked), Guangxi's own holiday
(壮族三月三, 17 to 20 April) and Labour Day (1 to 5 May, with Saturday the 9th worked).
"""

from datetime import date

import pytest

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.charts import check_chart
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import documents
from lingqu.trust import procedures
from lingqu.trust.procedures import records


class Story:
    """Days, moves and what they lead to, told line by line: `02-11 submit registrant submitted`."""

    def __init__(self, office, chart, opener):
        self.office = office
        self.chart = next(one for one in procedures.SHIPPED if one.code == chart)
        self.opener = opener

    def begin(self, day, **more):
        self.office.go(date.fromisoformat(day))
        self.office.open(self.chart.code, opener=self.opener, **more)

    def tell(self, text, **given):
        for line in text.strip().splitlines():
            day, *words = line.split()
            self.office.go(date.fromisoformat(day))
            if len(words) == 3:
                move, role, state = words
                self.office.move(move, role, **given)
            else:
                (state,) = words
            assert self.office.state == state, line

    def due(self, timer):
        return self.office.clock(timer).due_on.isoformat()

    def check_whole(self):
        """Every state was stood in, every move made, every clock kept and every clock passed."""
        place, code = self.office.place, self.chart.code
        of = "JOIN trust.procedure p ON p.id = x.procedure WHERE p.code = %s"
        steps = place.sql(
            f"SELECT x.move, x.source, x.target FROM trust.procedure_step x {of}", (code,)
        )
        timers = place.sql(f"SELECT x.name, x.standing FROM trust.procedure_timer x {of}", (code,))
        assert {move for move, _, _ in steps} == {one.name for one in self.chart.moves}
        seen = {state for _, source, target in steps for state in (source, target)}
        assert seen == {one.name for one in self.chart.states}
        names = {one.name for one in self.chart.timers}
        assert {name for name, standing in timers if standing == "fired"} == names
        assert {name for name, standing in timers if standing == "ended"} == names
        assert self.papers() == {one.name for one in self.chart.documents}
        assert place.audit() == []

    def papers(self):
        """The documents the procedures produced, each of which can be written from its data."""
        found = set()
        with self.office.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
            page = procedures.find_procedures(tx, page=PageRequest(size=500), code=self.chart.code)
            for one in page.items:
                for known in procedures.find_documents(tx, procedure=one.id):
                    paper = procedures.document_data(tx, procedure=one.id, document=known.name)
                    if known.name not in found:
                        documents.render(paper.template, paper.data, to=documents.Format.DOCX)
                    found.add(known.name)
        return found


@pytest.mark.parametrize("chart", procedures.SHIPPED, ids=lambda chart: chart.code)
def test_a_shipped_chart_is_sound(chart):
    assert check_chart(chart) == ()


def test_approval_is_walked_through(desk):
    story = Story(desk(date(2026, 3, 2)), "approval", "drafter")
    story.begin("2026-03-02")
    story.tell("""
        2026-03-02 present drafter checking
        2026-03-02 give_back reviewer drafting
        2026-03-03 present drafter checking
        2026-03-03 agree reviewer signing
        2026-03-04 send_back signer drafting
        2026-03-05 present drafter checking
        2026-03-05 agree reviewer signing
        2026-03-06 sign signer issued
    """)
    story.begin("2026-03-06")
    story.tell("2026-03-06 withdraw drafter withdrawn")
    story.check_whole()


def test_public_registration_is_walked_through(desk):
    story = Story(desk(date(2026, 2, 10)), "registration.public", "registrant")
    registered_after_an_objection(story)
    renewed_cancelled_and_lapsed(story)
    ways_to_fail(story)
    story.check_whole()


def registered_after_an_objection(story):
    """26号 第十条至第十三条, across the Spring Festival and both of its make-up days."""
    story.begin("2026-02-10")
    assert story.due("first_filing") == "2026-03-16"
    story.tell("2026-02-11 submit registrant submitted")
    assert story.due("acceptance") == "2026-02-14"
    story.tell("""
        2026-02-13 ask_supplement registrar supplementing
        2026-02-25 supplement registrant submitted
    """)
    assert story.due("acceptance") == "2026-02-28"
    with pytest.raises(records.AlreadyGiven):
        story.office.move("ask_supplement", "registrar")
    story.tell("2026-02-28 accept registrar reviewing")
    assert story.due("review") == "2026-03-27"
    story.tell("""
        2026-03-02 draft_decision registrar decision.drafting
        2026-03-02 decision.present registrar decision.checking
        2026-03-02 decision.give_back reviewer decision.drafting
        2026-03-02 decision.withdraw registrar reviewing
        2026-03-02 draft_decision registrar decision.drafting
        2026-03-02 decision.present registrar decision.checking
        2026-03-02 decision.agree reviewer decision.signing
        2026-03-02 decision.send_back signer decision.drafting
        2026-03-03 decision.present registrar decision.checking
        2026-03-03 decision.agree reviewer decision.signing
        2026-03-03 decision.sign signer published
    """)
    assert story.due("publicity") == "2026-03-17"
    story.tell("""
        2026-03-17 object objector rechecking
        2026-03-24 rechecking
        2026-03-24 dismiss registrar published
        2026-03-24 coding
    """)
    last = story.office.view().steps[-1]
    assert (last.move, last.day.isoformat()) == ("end_publicity", "2026-03-24")
    story.tell("2026-03-25 assign_code registrar registered")
    assert story.due("validity") == "2029-03-25"


def renewed_cancelled_and_lapsed(story):
    """26号 第十五条 and 第九条（四）: the window of 60 days, its first day and its last."""
    first = story.office.procedure
    accepted_to_registered(story, ["2026-04-01", "2026-04-02", "2026-05-06"], terms={"validity": 1})
    assert story.due("validity") == "2026-06-06"
    with pytest.raises(records.BadTerm):
        story.office.move("revoke", "registrar", terms={"validity": 37})
    story.tell("2026-06-06 apply_renewal registrant renewing")
    story.tell("""
        2026-06-08 renewing
        2026-06-08 renew registrar registered
    """)
    assert story.due("validity") == "2029-06-06"
    story.office.procedure = first
    story.office.go(date(2029, 1, 23))
    with pytest.raises(records.OutsideWindow) as refused:
        story.office.move("apply_renewal", "registrant")
    assert refused.value.parameters["first"] == "2029-01-24"
    assert refused.value.article
    story.tell("""
        2029-01-24 apply_renewal registrant renewing
        2029-02-01 refuse_renewal registrar registered
        2029-03-25 registered
        2029-03-26 expired
        2029-03-26 strike_off registrar cancelled
    """)
    accepted_to_registered(story, ["2029-04-02", "2029-04-03", "2029-05-02"])
    story.tell("2029-05-03 apply_cancellation registrant cancelling")
    assert story.office.clock("cancellation").is_provisional
    story.tell("2029-05-10 cancel registrar cancelled")
    accepted_to_registered(story, ["2029-06-01", "2029-06-04", "2029-07-02"])
    story.tell("2029-07-03 apply_cancellation registrant cancelling")
    story.office.go(date(2029, 7, 18))
    assert [one.escalated for one in story.office.todos("department")] == [True]
    story.tell("2029-07-18 revoke registrar revoked")


def ways_to_fail(story):
    story.begin("2029-08-01")
    story.tell("2029-09-20 preparing")
    (late,) = story.office.todos("registrant")
    assert late.urgency is procedures.Urgency.RED
    story.tell("""
        2029-09-20 submit registrant submitted
        2029-09-27 submitted
        2029-09-27 refuse registrar refused
    """)
    story.begin("2029-10-08")
    story.tell("""
        2029-10-08 submit registrant submitted
        2029-10-09 accept registrar reviewing
        2029-12-03 reviewing
        2029-12-03 reject registrar rejected
    """)
    story.begin("2029-12-03")
    story.tell("""
        2029-12-03 submit registrant submitted
        2029-12-04 withdraw registrant withdrawn
    """)
    accepted_to_published(story, ["2029-12-05", "2029-12-06"])
    story.tell("""
        2029-12-07 object objector rechecking
        2029-12-10 uphold registrar terminated
    """)


def accepted_to_published(story, days):
    story.begin(days[0])
    story.tell(f"""
        {days[0]} submit registrant submitted
        {days[0]} accept registrar reviewing
        {days[1]} draft_decision registrar decision.drafting
        {days[1]} decision.present registrar decision.checking
        {days[1]} decision.agree reviewer decision.signing
        {days[1]} decision.sign signer published
    """)


def accepted_to_registered(story, days, **given):
    accepted_to_published(story, days)
    story.tell(f"{days[2]} coding")
    story.tell(f"{days[2]} assign_code registrar registered", **given)


def test_property_registration_is_walked_through(desk):
    story = Story(desk(date(2026, 1, 1)), "registration.property", "applicant")
    silence_is_acceptance(story)
    corrected_or_never_filed(story)
    registered_and_renewed(story)
    disputed_after_registration(story)
    ended_in_other_ways(story)
    story.check_whole()


def silence_is_acceptance(story):
    """35号 第十七条: accepted on the first working day after the limit, here a worked Sunday."""
    story.begin("2026-01-01")
    assert story.due("acceptance") == "2026-01-06"
    story.tell("""
        2026-01-06 submitted
        2026-01-07 reviewing
    """)
    step = story.office.view().steps[-1]
    assert (step.move, step.role, step.day.isoformat()) == ("deem_accepted", "clock", "2026-01-07")
    assert story.due("completion") == "2026-01-21"
    story.begin("2026-02-11")
    assert story.due("acceptance") == "2026-02-14"
    story.tell("""
        2026-02-14 submitted
        2026-02-15 submitted
        2026-02-23 submitted
        2026-02-26 reviewing
    """)
    step = story.office.view().steps[-1]
    assert step.day.isoformat() == "2026-02-24"
    assert story.due("completion") == "2026-03-09"
    with pytest.raises(records.WrongActor):
        story.office.move("deem_accepted", "registrar")


def corrected_or_never_filed(story):
    story.begin("2026-02-26")
    story.tell("2026-02-26 ask_correction registrar correcting", terms={"correction": 5})
    assert story.due("correction") == "2026-03-04"
    story.tell("""
        2026-03-04 correct applicant submitted
        2026-03-05 accept registrar reviewing
        2026-03-06 refuse registrar refused
    """)
    story.begin("2026-03-09")
    story.tell("""
        2026-03-09 ask_correction registrar correcting
        2026-03-23 correcting
        2026-03-24 unfiled
    """)


def registered_and_renewed(story):
    """35号 第二十四条至第二十八条, 第三十六条: waits are not counted; the window of six months.

    From 13 April to 13 May the clock crosses Guangxi's own holiday and a worked Saturday.
    """
    story.begin("2026-03-30")
    story.tell("2026-03-30 accept registrar reviewing")
    assert story.due("completion") == "2026-04-14"
    story.tell("2026-04-01 ask_evidence registrar evidencing")
    with pytest.raises(records.IllegalMove):
        story.office.move("extend", "registrar")
    story.tell("2026-04-13 add_evidence applicant reviewing")
    assert story.due("completion") == "2026-04-27"
    story.tell("2026-04-14 extend registrar reviewing")
    assert story.due("completion") == "2026-05-13"
    with pytest.raises(records.AlreadyExtended):
        story.office.move("extend", "registrar")
    story.tell("2026-04-15 publish registrar published")
    assert story.due("publicity") == "2026-04-24"
    story.tell("2026-04-24 object objector investigating")
    assert story.due("investigation") == "2026-05-12"
    story.tell("""
        2026-05-08 dismiss registrar published
        2026-05-08 recording
    """)
    assert story.due("completion") == "2026-05-29"
    story.tell("2026-05-11 record registrar registered", terms={"validity": 12})
    assert story.due("validity") == "2027-05-11"
    story.office.go(date(2026, 11, 10))
    with pytest.raises(records.OutsideWindow):
        story.office.move("apply_renewal", "applicant")
    story.tell("""
        2026-11-11 apply_renewal applicant renewing
        2026-11-12 refuse_renewal registrar registered
        2027-05-10 apply_renewal applicant renewing
        2027-05-20 renewing
        2027-05-20 renew registrar registered
    """)
    assert story.due("validity") == "2032-05-11"
    story.office.go(date(2032, 5, 11))
    with pytest.raises(records.OutsideWindow) as refused:
        story.office.move("apply_renewal", "applicant")
    assert refused.value.parameters["last"] == "2032-05-10"
    story.tell("2032-05-12 lapsed")


def to_registered(story, day):
    story.begin(day)
    story.tell(f"""
        {day} accept registrar reviewing
        {day} pass_unpublished registrar recording
        {day} record registrar registered
    """)


def disputed_after_registration(story):
    """35号 第二十九条."""
    to_registered(story, "2032-06-01")
    story.tell("""
        2032-06-02 dispute objector disputed
        2032-06-03 return_dispute registrar registered
        2032-06-04 dispute objector disputed
        2032-06-14 disputed
        2032-06-14 notify registrar notified
        2032-06-15 concede applicant registered
        2032-06-16 dispute objector disputed
        2032-06-17 notify registrar notified
        2032-06-18 contest applicant examining
        2032-06-21 conclude registrar registered
        2032-06-22 dispute objector disputed
        2032-06-22 notify registrar notified
        2032-06-23 contest applicant examining
        2032-06-24 go_to_court objector litigated
        2032-09-01 follow_judgment registrar registered
        2032-09-02 cancel registrar cancelled
    """)


def ended_in_other_ways(story):
    story.begin("2032-09-06")
    story.tell("""
        2032-09-06 accept registrar reviewing
        2032-09-07 ask_evidence registrar evidencing
        2032-09-20 end_unproven registrar ended
    """)
    story.begin("2032-09-20")
    story.tell("2032-09-20 withdraw applicant ended")
    story.begin("2032-09-21")
    story.tell("""
        2032-09-21 accept registrar reviewing
        2032-10-29 reviewing
        2032-10-29 publish registrar published
        2032-11-01 object objector investigating
        2032-11-30 investigating
        2032-11-30 refuse registrar refused
    """)


def test_rectification_is_walked_through(desk):
    """Across the Spring Festival: fifteen working days after 5 February end on 4 March."""
    story = Story(desk(date(2026, 2, 4)), "rectification", "inspector")
    story.begin("2026-02-04")
    story.tell("2026-02-05 feed_back inspector rectifying")
    assert story.due("rectification") == "2026-03-04"
    story.tell("""
        2026-02-09 dispute responsible disputed
        2026-02-26 insist inspector rectifying
    """)
    assert story.due("rectification") == "2026-03-16"
    with pytest.raises(records.AlreadyGiven):
        story.office.move("dispute", "responsible")
    assert [one.escalated for one in story.office.todos("superior")] == []
    story.office.go(date(2026, 3, 17))
    assert [one.escalated for one in story.office.todos("superior")] == [True]
    (mine,) = story.office.todos("responsible")
    assert (mine.urgency, mine.clock.days_left) == (procedures.Urgency.RED, -1)
    with pytest.raises(errors.Conflict):
        story.office.move("extend", "superior")
    story.tell("""
        2026-03-19 report responsible rechecking
        2026-03-20 ask_again inspector rectifying
        2026-03-23 extend superior rectifying
        2026-03-24 report responsible rechecking
        2026-03-25 pass inspector sharing
        2026-03-26 share inspector closed
    """)
    assert story.office.todos("superior") == ()
    story.begin("2026-03-26")
    story.tell("2026-03-27 drop inspector dropped")
    story.check_whole()


def test_complaints_are_walked_through(desk):
    story = Story(desk(date(2026, 3, 2)), "complaint", "complainant")
    story.begin("2026-03-02")
    story.tell("""
        2026-03-02 ask_supplement handler supplementing
        2026-03-03 supplement complainant filed
        2026-03-04 accept handler investigating
        2026-03-05 answer handler answered
        2026-03-06 appeal complainant appealed
        2026-03-09 send_back superior investigating
        2026-03-10 answer handler answered
        2026-03-11 appeal complainant appealed
        2026-03-12 decide_appeal superior closed
    """)
    story.begin("2026-03-12")
    story.tell("""
        2026-03-20 filed
        2026-03-20 accept handler investigating
        2026-04-30 investigating
        2026-04-30 answer handler answered
    """)
    assert story.due("appeal") == "2026-05-15"
    story.tell("""
        2026-05-15 answered
        2026-05-16 closed
    """)
    story.begin("2026-05-18")
    story.tell("2026-05-18 refuse handler refused")
    story.begin("2026-05-18")
    story.tell("2026-05-18 withdraw complainant withdrawn")
    story.begin("2026-05-18")
    story.tell("""
        2026-05-18 accept handler investigating
        2026-05-18 answer handler answered
        2026-05-18 be_content complainant closed
    """)
    story.check_whole()
