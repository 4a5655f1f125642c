# SPDX-License-Identifier: Apache-2.0
"""What the holder of a grant owes: its clocks by the story clock, and its chart."""

import dataclasses
import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest

from lingqu import rights, trust
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import obligations
from lingqu.runtime import new_id
from lingqu.runtime.calendar import local_day
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM, procedures

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
PROOF = hashlib.sha256(b"deletion report").digest()
DELETE = rights.Duty(
    kind=rights.ObligationKind.DELETE,
    days=10,
    starts=rights.ClockStart.ENDED,
    article="授权运营协议 第十二条",
)
REPORT = rights.Duty(kind=rights.ObligationKind.REPORT, days=30, starts=rights.ClockStart.ISSUED)


@pytest.fixture
def owing(bare_place, tree_type):
    bare_place.found(story_from=START)
    bare_place.database.use_story_clock(story=True)
    return tree_type(bare_place)


def move(tree, days):
    tree.do(trust.move_story_clock, to=START + days * DAY)


def owed(tree, grant):
    with tree.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        return obligations.find_obligations(tx, grant=getattr(grant, "id", grant))


def states(tree, grant):
    return [one.obligation.state.value for one in owed(tree, grant)]


def lapse(tree):
    """Start what waits for an end, and let the clocks act that ran out; gives what began."""
    begun = tree.do(obligations.begin_obligations, PLATFORM)
    procedures.fire_due_timers(tree.place.database, PLATFORM)
    return begun


def day(owed):
    """The last local day in time."""
    return None if owed.due_at is None else local_day(owed.due_at) - DAY


def test_a_report_is_due_so_many_days_after_the_grant_and_then_overdue(owing):
    """民法典 第二百零一条、第二百零三条: the first day does not count, a free last day moves on."""
    root = owing.root(duties=(REPORT, dataclasses.replace(REPORT, days=33)))
    one, other = owed(owing, root)
    assert day(one) == date(2026, 4, 1)
    assert day(other) == date(2026, 4, 7)  # 4 April is Qingming, to the 6th
    move(owing, 30)
    lapse(owing)
    assert states(owing, root) == ["open", "open"]
    move(owing, 31)
    lapse(owing)
    assert states(owing, root) == ["overdue", "open"]
    done = owing.do(obligations.fulfill_obligation, obligation=one.obligation.id, evidence=PROOF)
    assert done.state is obligations.ObligationState.FULFILLED
    assert owing.place.facts("rights.obligation.fulfilled")[-1]["data"]["late"] is True
    with pytest.raises(obligations.ObligationOver):
        owing.do(obligations.fulfill_obligation, obligation=one.obligation.id, evidence=PROOF)
    assert owing.place.audit() == []


def test_deleting_is_due_after_the_end_by_period_or_by_a_revocation_above(owing):
    bounded = TermsForm(valid=Period(START, START + 15 * DAY))
    root = owing.root()
    middle = owing.child(root, kind=rights.GrantKind.HOLDING)
    child = owing.child(middle, duties=(DELETE,))
    short = owing.child(root, bounded, duties=(DELETE,))
    free = owing.child(root, duties=(DELETE,))
    assert [one.due_at for one in owed(owing, child)] == [None]
    move(owing, 16)
    assert lapse(owing) == (owed(owing, short)[0].obligation.id,)
    assert day(owed(owing, short)[0]) == date(2026, 3, 27)
    move(owing, 20)
    owing.revoke(middle)
    move(owing, 22)
    assert len(lapse(owing)) == 1
    assert lapse(owing) == ()
    assert day(owed(owing, child)[0]) == date(2026, 4, 1)
    move(owing, 31)
    lapse(owing)
    assert (states(owing, child), states(owing, free)) == (["overdue"], ["open"])
    assert owing.place.audit() == []


def test_the_holder_has_a_to_do_with_the_days_that_are_left(owing):
    party = owing.place.party("平台公司")
    acting = owing.place.account(party, role=trust.Role.MEMBER)
    owing.root(holder=party, duties=(REPORT,))
    with owing.place.database.reading(acting) as tx:
        (todo,) = procedures.find_todos(tx)
    assert todo.clock.days_left == 30


def test_what_was_owed_before_procedures_gets_one(owing):
    root = owing.root(duties=(REPORT,))
    (one,) = owed(owing, root)
    owing.place.sql("UPDATE rights.obligation SET procedure = NULL")
    move(owing, 10)
    assert lapse(owing) == (one.obligation.id,)
    assert day(owed(owing, root)[0]) == date(2026, 4, 1)


def test_a_successor_takes_over_what_is_owed_with_the_clock_it_has(owing):
    root = owing.root(duties=(REPORT, DELETE))
    by_kind = {one.obligation.kind: one.obligation for one in owed(owing, root)}
    first = by_kind[rights.ObligationKind.REPORT]
    deleting = by_kind[rights.ObligationKind.DELETE].id
    owing.do(obligations.fulfill_obligation, obligation=deleting, evidence=PROOF)
    move(owing, 10)
    done = owing.do(rights.narrow_grant, grant=root.id, terms=TermsForm(level_max=1))
    assert sorted(states(owing, root)) == ["fulfilled", "succeeded"]
    (one,) = owed(owing, done.new[0])
    assert (one.obligation.kind, day(one)) == (first.kind, date(2026, 4, 1))
    move(owing, 60)
    lapse(owing)
    assert states(owing, done.new[0]) == ["overdue"]
    with pytest.raises(obligations.ObligationOver):
        owing.do(obligations.fulfill_obligation, obligation=first.id, evidence=PROOF)
    assert owing.place.audit() == []


def test_only_the_holder_fulfills_and_duties_that_are_none_are_refused(tree, member):
    party, acting = member()
    _, stranger = member("别的公司")
    root = tree.root(holder=party, duties=(REPORT,))
    (one,) = owed(tree, root)
    named = {"obligation": one.obligation.id, "evidence": PROOF}
    with pytest.raises(trust.AccessDenied):
        tree.do(obligations.fulfill_obligation, stranger, **named)
    with pytest.raises(obligations.BadObligation):
        tree.do(obligations.fulfill_obligation, acting, **named | {"evidence": b"x"})
    tree.do(obligations.fulfill_obligation, acting, **named)
    never = rights.Duty(kind=rights.ObligationKind.PAY, days=0, starts=rights.ClockStart.ISSUED)
    with pytest.raises(obligations.BadObligation):
        tree.root(duties=(never,))
    with pytest.raises(obligations.ObligationNotFound):
        tree.do(
            obligations.fulfill_obligation,
            obligation=new_id(obligations.ObligationId),
            evidence=PROOF,
        )
