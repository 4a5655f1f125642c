# SPDX-License-Identifier: Apache-2.0
"""Every committed fact gets exactly one leaf, whatever the order in which transactions end."""

import json
import random
import threading

import psycopg
import pytest

from lingqu.trust import log as trust_log
from lingqu.trust.log import leaves
from lingqu.trust.log.leaves import sequence
from lingqu_verify import merkle


def test_facts_are_placed_in_the_order_of_transaction_and_ordinal(world):
    first, second = world.add(3), world.add(2)
    assert sequence(world.database, world.log) == 5
    assert world.leaves() == first + second
    assert sequence(world.database, world.log) == 0


def test_a_leaf_hash_is_that_of_the_entry_as_the_verifier_computes_it(world):
    world.add(3, rows=1)
    sequence(world.database, world.log)
    rows = world.sql("SELECT l.hash, f.body FROM trust.log_leaf l JOIN trust.fact f ON f.id=l.fact")
    assert [merkle.leaf_hash(body.encode()) for _, body in rows] == [bytes(h) for h, _ in rows]


def test_transactions_that_commit_out_of_order_lose_nothing(world):
    with world.owner() as early, world.owner() as late:
        slow = world.add(2, connection=early)
        quick = world.add(1, connection=late)
        late.commit()
        assert sequence(world.database, world.log) == 1
        early.commit()
        assert sequence(world.database, world.log) == 2
    assert world.leaves() == quick + slow


def test_a_long_transaction_beside_many_short_ones_is_placed_when_it_ends(world):
    quick = []
    with world.owner() as long:
        slow = world.add(3, connection=long)
        for _ in range(20):
            quick += world.add()
            assert sequence(world.database, world.log) == 1
        assert world.leaves() == quick
    assert sequence(world.database, world.log) == 3
    assert world.leaves() == quick + slow


def test_a_transaction_that_rolls_back_leaves_no_trace_and_no_hole(world):
    with world.owner() as doomed:
        world.add(2, connection=doomed)
        kept = world.add()
        sequence(world.database, world.log)
        doomed.rollback()
    kept += world.add()
    sequence(world.database, world.log)
    assert world.leaves() == kept


def test_a_batch_cut_inside_a_transaction_goes_on_where_it_stopped(world):
    with world.owner() as long:
        slow = world.add(4, connection=long)
        facts = world.add(7) + world.add(1) + world.add(5)
        placed = []
        while taken := sequence(world.database, world.log, limit=3):
            placed.append(taken)
            if sum(placed) == 6:
                long.commit()
    assert sum(placed) == 17
    assert set(world.leaves()) == set(facts + slow)


def test_seeded_schedules_of_overlapping_transactions_place_each_fact_once(world):
    rng = random.Random(20260302)
    open_ones, committed = [], []
    for _ in range(120):
        act = rng.random()
        if act < 0.45 and len(open_ones) < 6:
            connection = world.owner()
            open_ones.append((connection, world.add(rng.randint(1, 4), connection=connection)))
        elif act < 0.75 and open_ones:
            connection, facts = open_ones.pop(rng.randrange(len(open_ones)))
            if rng.random() < 0.2:
                connection.rollback()
            else:
                connection.commit()
                committed += facts
            connection.close()
        else:
            sequence(world.database, world.log, limit=rng.choice((1, 2, 3, 1000)))
    for connection, facts in open_ones:
        connection.commit()
        connection.close()
        committed += facts
    while sequence(world.database, world.log, limit=5):
        pass
    placed = world.leaves()
    assert len(placed) == len(committed)
    assert set(placed) == set(committed)


def test_two_sequencers_at_once_place_each_fact_once(world):
    facts, stop = [], threading.Event()
    second = world.open()
    log = world.log

    def work(database):
        while not stop.is_set():
            sequence(database, log, limit=7)

    threads = [threading.Thread(target=work, args=(d,)) for d in (world.database, second)]
    for thread in threads:
        thread.start()
    for _ in range(60):
        facts += world.add(3)
    stop.set()
    for thread in threads:
        thread.join()
    second.close()
    while sequence(world.database, log):
        pass
    assert sorted(world.leaves()) == sorted(facts)


def test_a_dump_from_a_cluster_with_other_transaction_ids_loses_nothing(world):
    """As after a restore: facts with numbers from elsewhere, a cursor of another system."""
    old = world.add(3)
    sequence(world.database, world.log)
    waiting, ahead = world.add(2), world.add(2)
    world.sql("UPDATE trust.fact SET txid = '5' WHERE id = ANY(%s)", (waiting,))
    far = str(2**50 + 5)
    world.sql("UPDATE trust.fact SET txid = %s::xid8 WHERE id = ANY(%s)", (far, ahead))
    world.sql(
        "UPDATE trust.log_cursor SET system = '7/1', seen = %s::pg_snapshot",
        (f"{far}:{far}:",),
    )
    taken = 0
    while placed := sequence(world.database, world.log, limit=3):
        taken += placed
    assert taken == 4
    new = world.add(2)
    assert sequence(world.database, world.log) == 2
    assert world.leaves() == old + waiting + ahead + new


def test_all_facts_are_looked_at_once_and_not_in_every_round(world):
    world.add(6)
    for expected in (3, 3, 0):
        assert sequence(world.database, world.log, limit=3) == expected
    ((seen,),) = world.sql("SELECT seen::text FROM trust.log_cursor")
    ((newest,),) = world.sql("SELECT max(txid)::text FROM trust.fact")
    assert int(seen.split(":")[1]) > int(newest)


def test_a_cursor_from_the_future_of_the_same_system_is_not_believed(world):
    world.add()
    sequence(world.database, world.log)
    far = str(2**50 + 5)
    world.sql("UPDATE trust.log_cursor SET seen = %s::pg_snapshot", (f"{far}:{far}:",))
    world.add(2)
    assert sequence(world.database, world.log) == 2


def test_pending_facts_are_counted_without_those_of_open_transactions(world):
    def pending():
        with world.database.reading() as tx:
            return leaves.pending_count(tx, world.log)

    world.add(3)
    with world.owner() as open_one:
        world.add(2, connection=open_one)
        assert pending() == 3
        sequence(world.database, world.log)
        assert pending() == 0
    assert pending() == 2
    sequence(world.database, world.log)
    assert pending() == 0


def test_one_notification_is_sent_for_each_batch(world):
    with world.owner(autocommit=True) as listener:
        listener.execute(f"LISTEN {trust_log.CHANNEL}")
        world.add(5)
        sequence(world.database, world.log)
        notices = list(listener.notifies(timeout=5, stop_after=1))
        assert [json.loads(n.payload) for n in notices] == [{"origin": world.log.origin, "size": 5}]
        assert not list(listener.notifies(timeout=0.05))


def test_an_idle_round_writes_nothing(world):
    world.add()
    sequence(world.database, world.log)
    before = world.sql("SELECT pg_current_wal_insert_lsn()")
    world.database.committed.clear()
    assert sequence(world.database, world.log) == 0
    assert world.sql("SELECT pg_current_wal_insert_lsn()") == before
    assert not world.database.committed.is_set()


def test_leaves_can_be_neither_changed_nor_removed_by_the_application(world):
    world.add()
    sequence(world.database, world.log)
    with psycopg.connect(world.cluster.conninfo(world.name, "lingqu_app")) as app:
        for sql in (
            "UPDATE trust.log_leaf SET index = 9",
            "DELETE FROM trust.log_leaf",
            "UPDATE trust.fact SET kind = 'x.y'",
            "DELETE FROM trust.log_checkpoint",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(sql)
            app.rollback()
