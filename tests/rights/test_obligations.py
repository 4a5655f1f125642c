# SPDX-License-Identifier: Apache-2.0
"""What the holder of a grant owes: its clocks by the story clock, and its chart."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from lingqu import rights, trust
from lingqu.kernel import charts
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import obligations
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM

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
    return tree.do(obligations.lapse_obligations, PLATFORM)


def test_the_chart_of_an_obligation_is_sound_for_every_length():
    for days in (1, 3650):
        assert charts.check_chart(obligations.obligation_chart(days)) == ()


def test_a_report_is_due_so_many_days_after_the_grant_and_overdue_at_its_instant(owing):
    root = owing.root(duties=(REPORT,))
    (one,) = owed(owing, root)
    assert one.due_at == START + 30 * DAY
    move(owing, 29)
    assert lapse(owing) == ()
    move(owing, 30)
    assert lapse(owing) == (one.obligation.id,)
    assert lapse(owing) == ()
    done = owing.do(obligations.fulfill_obligation, obligation=one.obligation.id, evidence=PROOF)
    assert done.state is obligations.ObligationState.FULFILLED
    assert owing.place.facts("rights.obligation.fulfilled")[-1]["data"]["late"] is True
    with pytest.raises(obligations.ObligationOver):
        owing.do(obligations.fulfill_obligation, obligation=one.obligation.id, evidence=PROOF)
    assert owing.place.audit() == []


def test_deleting_is_due_after_the_end_by_period_or_by_a_revocation_above(owing):
    bounded = TermsForm(valid=Period(START, START + 100 * DAY))
    root = owing.root()
    middle = owing.child(root, bounded, kind=rights.GrantKind.HOLDING)
    child = owing.child(middle, duties=(DELETE,))
    free = owing.child(root, duties=(DELETE,))
    assert [one.due_at for one in owed(owing, child)] == [START + 110 * DAY]
    assert [one.due_at for one in owed(owing, free)] == [None]
    move(owing, 20)
    owing.revoke(middle)
    assert [one.due_at for one in owed(owing, child)] == [START + 30 * DAY]
    move(owing, 31)
    assert len(lapse(owing)) == 1
    assert (states(owing, child), states(owing, free)) == (["overdue"], ["open"])


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
    assert (one.obligation.kind, one.due_at) == (first.kind, START + 30 * DAY)
    move(owing, 60)
    assert lapse(owing) == (one.obligation.id,)
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
