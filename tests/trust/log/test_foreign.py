# SPDX-License-Identifier: Apache-2.0
"""Logs of gates are held to their history; a log that refuses to sign can be succeeded."""

import pytest

from lingqu.trust import PLATFORM
from lingqu.trust import log as trust_log
from lingqu.trust.log.foreign import (
    BadForeignCheckpoint,
    BadForeignLog,
    ForeignForked,
    NothingToSucceed,
)
from lingqu.trust.log.leaves import LogEnded
from lingqu_verify import merkle, notes
from lingqu_verify.notes import SignerKey

GATE = SignerKey(name="gate.test/log", seed=b"g" * 32)


class Gate:
    """Another log, in memory."""

    def __init__(self, salt=b""):
        self.tree = merkle.Tree()
        self.salt = salt

    def grow(self, count):
        for _ in range(count):
            self.tree.append(merkle.leaf_hash(self.salt + str(self.tree.size).encode()))

    def note(self, *, size=None, key=GATE):
        size = self.tree.size if size is None else size
        checkpoint = notes.Checkpoint(origin=GATE.name, size=size, root=self.tree.root(size))
        return str(notes.sign_note(str(checkpoint), [key]))

    def proof(self, old):
        return merkle.consistency_proof(old, self.tree.size, self.tree.nodes)


@pytest.fixture
def gate(world):
    world.begin_log(GATE.name, 7, GATE, kind="foreign")
    return Gate()


def store(world, note, proof=()):
    with world.database.transaction(PLATFORM) as tx:
        key = trust_log.foreign_key(tx, GATE.name)
        return trust_log.store_foreign(tx, note, key, proof)


def test_a_gates_checkpoints_are_recorded_while_they_continue_each_other(world, gate):
    gate.grow(3)
    assert not store(world, gate.note()).known
    gate.grow(10)
    assert store(world, gate.note(), gate.proof(3)).checkpoint.size == 13
    assert store(world, gate.note()).known
    with world.database.reading() as tx:
        assert trust_log.latest_checkpoint(tx, GATE.name).size == 13


def test_a_gate_that_shows_another_history_is_refused(world, gate):
    gate.grow(8)
    store(world, gate.note())
    other = Gate(b"other")
    other.grow(8)
    with pytest.raises(ForeignForked):
        store(world, other.note())
    other.grow(2)
    with pytest.raises(ForeignForked):
        store(world, other.note(), other.proof(8))
    gate.grow(2)
    with pytest.raises(ForeignForked):
        store(world, gate.note(size=7))
    with pytest.raises(ForeignForked):
        store(world, gate.note(), gate.proof(7))


def test_a_checkpoint_of_another_key_or_form_is_refused(world, gate):
    gate.grow(2)
    for bad in (
        gate.note(key=SignerKey(name=GATE.name, seed=b"x" * 32)),
        gate.note().replace(GATE.name, "other.test/log"),
        gate.note()[:-9],
        "",
    ):
        with pytest.raises(BadForeignCheckpoint):
            store(world, bad)


def test_a_foreign_key_bears_its_origin():
    vkey = str(GATE.verifier)
    assert trust_log.check_foreign_key(GATE.name, vkey) == GATE.verifier
    for origin, text in ((GATE.name, "nonsense"), ("else", vkey)):
        with pytest.raises(BadForeignLog):
            trust_log.check_foreign_key(origin, text)


def test_a_log_that_is_well_needs_no_successor(world):
    world.add(3)
    world.sequencer().step()
    with pytest.raises(NothingToSucceed), world.database.transaction(PLATFORM) as tx:
        trust_log.plan_succession(tx, world.folder, world.log)


def test_a_forked_log_is_succeeded_and_nothing_is_lost(world):
    world.add(20)
    world.sequencer().step()
    world.sql("DELETE FROM trust.log_leaf WHERE index >= 12")
    world.add(3)
    with pytest.raises(trust_log.LogForked):
        world.sequencer().step()
    old_log = world.log
    with world.database.transaction(PLATFORM) as tx:
        plan = trust_log.plan_succession(tx, world.folder, old_log)
    assert (plan.origin, plan.number, plan.predecessor) == (
        f"{world.key.name}/2", 2, world.key.name,
    )  # fmt: skip
    assert (plan.old_size, plan.kept) == (20, 12)
    world.begin_log(
        plan.origin, plan.number, SignerKey(name=plan.origin, seed=b"k" * 32),
        predecessor=plan.predecessor,
    )  # fmt: skip
    said = world.add(1, kind="tests.log.succeeded")
    with pytest.raises(LogEnded):
        trust_log.sequence(world.database, old_log)
    progress = world.sequencer().step()
    assert (progress.placed, progress.signed) == (8 + 3 + 1, True)
    assert said[0] in world.leaves(plan.origin)
    assert world.log.number == 2
    assert (world.logs / "1" / "checkpoint").exists()
    assert (world.logs / "2" / "checkpoint").exists()


def test_a_successor_of_a_successor_counts_on(world):
    second = SignerKey(name=f"{world.key.name}/2", seed=b"k" * 32)
    world.begin_log(second.name, 2, second, predecessor=world.key.name)
    with world.database.transaction(PLATFORM) as tx:
        plan = trust_log.plan_succession(tx, world.folder, world.log, forked=True)
    assert plan.origin == f"{world.key.name}/3"
