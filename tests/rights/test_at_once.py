# SPDX-License-Identifier: Apache-2.0
"""What happens at the same time, on real connections: children beside revocations, and checkers."""

import threading
import time
from datetime import UTC, datetime

import pytest

from lingqu import rights
from lingqu.kernel.errors import LingquError
from lingqu.kernel.lattice import TermsForm
from lingqu.runtime import new_id

WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


class Queue:
    """Acts that wait for the lock of one tree, in the order in which they came."""

    def __init__(self, tree, root):
        self.tree = tree
        self.blocker = tree.place.superuser()
        self.blocker.execute("SELECT 1 FROM rights.tree WHERE root = %s FOR UPDATE", (root.root,))
        self.outcomes = {}
        self.threads = []

    def add(self, name, act):
        def run():
            try:
                self.outcomes[name] = act()
            except LingquError as refusal:
                self.outcomes[name] = refusal

        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)
        expected = len(self.threads)
        until(lambda: self.tree.place.sql(WAITING)[0][0] >= expected, "it waits for the lock")

    def release(self):
        self.blocker.rollback()
        self.blocker.close()
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        return self.outcomes


@pytest.mark.parametrize("revoked_first", [True, False])
@pytest.mark.parametrize("depth", [0, 2])
def test_a_child_issued_beside_a_revocation_never_survives(tree, revoked_first, depth):
    root = tree.root()
    parent = root
    for _ in range(depth):
        parent = tree.child(parent, kind=rights.GrantKind.HOLDING)
    child = new_id(rights.GrantId)
    queue = Queue(tree, root)
    acts = [
        ("revoke", lambda: tree.revoke(root)),
        ("issue", lambda: tree.child(parent, grant=child)),
    ]
    for name, act in acts if revoked_first else acts[::-1]:
        queue.add(name, act)
    outcomes = queue.release()
    assert outcomes["revoke"].kind is rights.EndingKind.REVOKED
    if revoked_first:
        assert isinstance(outcomes["issue"], rights.GrantRevoked)
        assert tree.place.sql("SELECT count(*) FROM rights.grant WHERE id = %s", (child,)) == [(0,)]
    else:
        assert outcomes["issue"].id == child
        assert tree.life(child).standing is rights.Standing.REVOKED


@pytest.mark.parametrize("narrowed_first", [True, False])
def test_a_child_issued_beside_a_narrowing_is_narrowed_or_refused(tree, narrowed_first):
    root = tree.root()
    middle = tree.child(root, kind=rights.GrantKind.HOLDING)
    child = new_id(rights.GrantId)
    narrow = {"grant": middle.id, "terms": TermsForm(level_max=1)}
    queue = Queue(tree, root)
    acts = [
        ("narrow", lambda: tree.do(rights.narrow_grant, **narrow)),
        ("issue", lambda: tree.child(middle, grant=child)),
    ]
    for name, act in acts if narrowed_first else acts[::-1]:
        queue.add(name, act)
    outcomes = queue.release()
    if narrowed_first:
        assert isinstance(outcomes["issue"], rights.GrantSucceeded)
    else:
        assert outcomes["narrow"].old == (middle.id, child)
        assert not tree.life(child).alive
        successor = tree.get(outcomes["narrow"].new[1])
        assert rights.read_form(successor.effective).level_max == 1


@pytest.fixture
def watched(tree):
    grants = rights.EffectiveGrants()
    with rights.watching(tree.place.database, grants):
        yield grants


def code(grants, grant, use):
    try:
        return grants.judge(grant.id, use, datetime.now(UTC)).code
    except LingquError as refusal:
        return refusal.code


def test_a_checker_hears_of_grants_revocations_and_holds(tree, watched):
    use = tree.use()
    root = tree.root()
    child = tree.child(root)
    until(lambda: code(watched, child, use) is None, "a new grant is known")
    hold = tree.hold(root)
    until(lambda: code(watched, child, use) == "rights.grant.held", "the hold is heard")
    # Whoever is refused in the very moment is told the article as well.
    told = watched.judge(child.id, use, datetime.now(UTC)).article
    assert told == hold.article
    second = tree.hold(root)
    tree.lift(hold)
    assert code(watched, child, use) == "rights.grant.held"
    tree.lift(second)
    until(lambda: code(watched, child, use) is None, "both holds are lifted")
    succession = tree.do(rights.narrow_grant, grant=child.id, terms=TermsForm(level_max=1))
    until(lambda: code(watched, child, use) == "rights.grant.succeeded", "the old one ended")
    new = tree.get(succession.new[0])
    until(lambda: code(watched, new, use) == "rights.use.outside", "the new one is narrower")
    tree.revoke(root)
    until(lambda: code(watched, new, use) == "rights.grant.revoked", "the revocation is heard")


def test_a_checker_that_lost_its_connection_permits_nothing_until_it_read_again(tree, watched):
    use = tree.use()
    root = tree.root()
    until(lambda: code(watched, root, use) is None, "a new grant is known")
    tree.place.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'lingqu-listening'"
    )
    until(lambda: code(watched, root, use) == "rights.check.not_listening", "it knows it is deaf")
    tree.revoke(root)
    until(lambda: code(watched, root, use) == "rights.grant.revoked", "it read everything again")


def test_a_checker_that_is_asked_for_more_than_it_knows_reads_again(tree, watched):
    root = tree.root()
    until(lambda: code(watched, root, tree.use()) is None, "a new grant is known")
    tree.place.sql("UPDATE rights.tree SET epoch = epoch + 1 WHERE root = %s", (root.id,))
    fresh = rights.Freshness(epoch=2)
    with pytest.raises(rights.NotFresh):
        watched.check(root.id, tree.use(), datetime.now(UTC), at_least=fresh)
    until(lambda: watched.freshness(root.id).epoch == 2, "it read again")
    watched.check(root.id, tree.use(), datetime.now(UTC), at_least=fresh)


def test_what_is_not_ours_on_the_channel_changes_nothing(tree, watched):
    root = tree.root()
    until(lambda: code(watched, root, tree.use()) is None, "a new grant is known")
    tree.place.sql("SELECT pg_notify('lingqu_grants', 'no notice')")
    tree.place.sql("SELECT pg_notify('lingqu_grants', '{\"root\": 7}')")
    child = tree.child(root)
    until(lambda: code(watched, child, tree.use()) is None, "it still listens")
