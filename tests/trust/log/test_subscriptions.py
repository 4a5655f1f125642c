# SPDX-License-Identifier: Apache-2.0
"""Subscribers see every fact of their kinds once, in the log's order, and never skip one."""

import random
import threading

import pytest

from lingqu.kernel import errors
from lingqu.trust import log as trust_log
from lingqu.trust.subscriptions import (
    Subscription,
    SubscriptionUnfounded,
    deliver,
    subscriptions,
)
from lingqu_verify.notes import SignerKey


class Refused(errors.Conflict):
    code = "tests.subscription.refused"


@pytest.fixture
def seen(world):
    """A table as a subscriber's own state, and a subscription that writes it."""
    with world.owner() as owner:
        owner.execute("CREATE TABLE public.seen (at serial PRIMARY KEY, fact text, origin text)")
        owner.execute("GRANT ALL ON public.seen TO lingqu_app")
        owner.execute("GRANT ALL ON SEQUENCE public.seen_at_seq TO lingqu_app")
    world.seen = lambda: [row[0] for row in world.sql("SELECT fact FROM public.seen ORDER BY at")]

    def handler(tx, fact):
        tx.execute("INSERT INTO public.seen (fact, origin) VALUES (%s, %s)", (fact.id, fact.origin))

    return Subscription(name="tests.seen", handler=handler)


def drain(world, subscription, **options):
    total = 0
    while count := deliver(world.database, subscription, **options):
        total += count
    return total


def status(world, name="tests.seen"):
    with world.database.reading() as tx:
        return next(one for one in subscriptions(tx) if one.name == name)


def test_facts_are_delivered_once_in_the_order_of_the_log(world, seen):
    world.add(5)
    world.add(3)
    trust_log.sequence(world.database, world.log)
    assert deliver(world.database, seen, limit=4) == 4
    assert drain(world, seen) == 4
    world.add(2)
    assert drain(world, seen) == 0
    trust_log.sequence(world.database, world.log)
    assert drain(world, seen) == 2
    assert world.seen() == world.leaves()
    assert status(world).behind == 0


def test_only_the_kinds_asked_for_are_delivered(world, seen):
    world.add(3)
    wanted = world.add(2, kind="tests.other.done")
    world.add(1)
    trust_log.sequence(world.database, world.log)
    chosen = Subscription(
        name="tests.chosen", handler=seen.handler, kinds=frozenset({"tests.other.done"})
    )
    assert drain(world, chosen, limit=1) == 2
    assert world.seen() == wanted
    assert status(world, "tests.chosen").next == 6


def test_a_failing_handler_stops_its_own_queue_at_that_fact_and_is_tried_again(world, seen):
    facts = world.add(6)
    trust_log.sequence(world.database, world.log)
    broken = [True]

    def handler(tx, fact):
        seen.handler(tx, fact)
        if fact.id == facts[3] and broken[0]:
            raise Refused

    fragile = Subscription(name="tests.seen", handler=handler)
    assert deliver(world.database, fragile) == 3
    for _ in range(3):
        assert deliver(world.database, fragile) == 0
    assert world.seen() == facts[:3]
    held = status(world)
    assert (held.next, held.failure, held.behind) == (
        3,
        f"{facts[3]} tests.subscription.refused",
        3,
    )
    assert held.failed_at is not None
    other = Subscription(name="tests.other", handler=lambda _tx, _fact: None)
    assert drain(world, other) == 6

    broken[0] = False
    assert drain(world, fragile) == 3
    assert world.seen() == facts
    assert status(world).failure is None


def test_a_handler_with_a_mistake_says_only_which_kind(world):
    (fact,) = world.add()
    trust_log.sequence(world.database, world.log)

    def handler(_tx, _fact):
        raise ValueError("杨 13800000000")

    assert deliver(world.database, Subscription(name="tests.seen", handler=handler)) == 0
    assert status(world).failure == f"{fact} ValueError"


def test_a_handler_whose_statement_fails_leaves_nothing_behind(world, seen):
    facts = world.add(2)
    trust_log.sequence(world.database, world.log)

    def handler(tx, fact):
        seen.handler(tx, fact)
        if fact.id == facts[1]:
            tx.execute("SELECT 1 / 0")

    fragile = Subscription(name="tests.seen", handler=handler)
    assert drain(world, fragile) == 1
    assert world.seen() == facts[:1]
    assert status(world).failure.startswith(facts[1])


def test_out_of_order_commits_reach_subscribers_once_each(world, seen):
    rng, open_ones, committed = random.Random(5), [], []
    for _ in range(80):
        act = rng.random()
        if act < 0.4 and len(open_ones) < 5:
            connection = world.owner()
            open_ones.append((connection, world.add(2, connection=connection)))
        elif act < 0.7 and open_ones:
            connection, facts = open_ones.pop(rng.randrange(len(open_ones)))
            connection.commit()
            connection.close()
            committed += facts
        elif act < 0.85:
            trust_log.sequence(world.database, world.log, limit=rng.choice((1, 3, 100)))
        else:
            deliver(world.database, seen, limit=rng.choice((1, 2, 50)))
    for connection, facts in open_ones:
        connection.commit()
        connection.close()
        committed += facts
    while trust_log.sequence(world.database, world.log):
        pass
    drain(world, seen)
    assert world.seen() == world.leaves()
    assert sorted(world.seen()) == sorted(committed)


def test_two_deliverers_at_once_deliver_each_fact_once(world, seen):
    world.add(150)
    trust_log.sequence(world.database, world.log)
    second = world.open()

    deliver(world.database, seen, limit=1)

    def work(database):
        while status(world).behind:
            deliver(database, seen, limit=5)

    threads = [threading.Thread(target=work, args=(d,)) for d in (world.database, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    second.close()
    assert world.seen() == world.leaves()


def test_a_subscriber_goes_over_to_the_successor_log(world, seen):
    world.add(3)
    trust_log.sequence(world.database, world.log)
    assert deliver(world.database, seen, limit=2) == 2
    second = SignerKey(name=f"{world.key.name}/2", seed=b"k" * 32)
    world.begin_log(second.name, 2, second, predecessor=world.key.name)
    world.add(2)
    trust_log.sequence(world.database, world.log)
    total = sum(deliver(world.database, seen) for _ in range(5))
    assert total == 3
    assert world.seen() == world.leaves() + world.leaves(second.name)
    assert status(world).origin == second.name


def test_an_idle_delivery_writes_nothing(world, seen):
    world.add()
    trust_log.sequence(world.database, world.log)
    drain(world, seen)
    world.database.committed.clear()
    assert deliver(world.database, seen) == 0
    assert not world.database.committed.is_set()


def test_without_a_log_there_is_nothing_to_follow(world, seen):
    world.sql("DELETE FROM trust.log")
    with pytest.raises(SubscriptionUnfounded):
        deliver(world.database, seen)
