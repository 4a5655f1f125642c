# SPDX-License-Identifier: Apache-2.0
"""Whatever kills the sequencer, whenever: the next one goes on, nothing signed is undone."""

import errno
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from lingqu.runtime.blobs import StorageFull
from lingqu.trust import log as trust_log
from lingqu_verify import history, merkle, notes

# Commits facts and runs a sequencer beside it; says which facts were acknowledged.
PROGRAM = textwrap.dedent("""
    import json, sys, threading, uuid
    from pathlib import Path
    import psycopg
    from lingqu.runtime import Database
    from lingqu.trust import log as trust_log
    from lingqu_verify.entries import Entry
    from lingqu_verify.notes import SignerKey

    given = json.loads(sys.argv[1])
    database = Database(given["app"], size=4)
    signers = lambda origin: (SignerKey(name=origin, seed=b"k" * 32),)
    one = trust_log.Sequencer(database, Path(given["logs"]), signers, interval_ms=50)
    one._interval = one._interval / 10
    threading.Thread(target=one.run, args=(threading.Event(),), daemon=True).start()
    with psycopg.connect(given["app"]) as connection:
        while True:
            command, fact = f"cmd_{uuid.uuid4().hex}", f"fct_{uuid.uuid4().hex}"
            body = Entry(
                fact=fact, kind="tests.thing.done", ordinal=0, at="2026-03-02T08:00:00.000000Z",
                command=command, command_name="tests.do", request="0" * 64, actor="acc",
                rules="0", clock="real", data={}, rows=(),
            ).encode().decode()
            connection.execute(
                "INSERT INTO trust.command VALUES (%s, 'tests.do', 'acc', NULL, '', NULL, now())",
                (command,),
            )
            connection.execute(
                "INSERT INTO trust.fact (id, ordinal, command, kind, at, body)"
                " VALUES (%s, 0, %s, 'tests.thing.done', now(), %s)",
                (fact, command, body),
            )
            connection.commit()
            database.committed.set()
            print(fact, flush=True)
""")


def read_published(world):
    raw = world.folder.published()
    if raw is None:
        return None
    return notes.verify_checkpoint(raw, [world.key.verifier]).checkpoint


@pytest.mark.crash
def test_a_killed_sequencer_is_followed_by_one_that_goes_on(world, until):
    rng, acknowledged, seen = random.Random(20260302), [], []
    given = json.dumps({
        "app": world.cluster.conninfo(world.name, "lingqu_app"),
        "logs": str(world.logs),
    })  # fmt: skip
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, given],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        first = process.stdout.readline()
        assert first, "the program started"
        time.sleep(rng.random() * 0.8)
        process.send_signal(signal.SIGKILL)
        lines = [first, *process.communicate(timeout=20)[0].splitlines(keepends=True)]
        acknowledged += [line.strip() for line in lines if line.endswith("\n")]
        found = read_published(world)
        if found is not None:
            seen.append(found)
    until(lambda: not world.sequencer().step().standby)
    world.sequencer().step()
    seen.append(read_published(world))

    placed = world.leaves()
    assert set(acknowledged) <= set(placed)
    assert len(placed) == len(set(placed)) == seen[-1].size
    assert len(seen) > 3
    for old, new in itertools.pairwise(seen):
        with world.database.reading() as tx:
            proof = trust_log.consistency(
                tx, world.logs, world.key.name, old=old.size, new=new.size
            )
        merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)
    assert not world.check()
    read = history.open_source(str(world.folder.path))
    assert history.verify_log(read, keys=[world.key.verifier]).size == len(placed)


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_step_that_dies_at_any_file_operation_can_be_done_again(world, monkeypatch, call):
    sequencer, real = world.sequencer(), getattr(os, call)
    world.add(254)
    sequencer.step()
    died = 0
    for at in range(200):
        calls = 0

        def failing(*args, at=at, **kwargs):
            nonlocal calls
            calls += 1
            if calls == at + 1:
                raise Crash
            return real(*args, **kwargs)

        world.add(1 if at else 3)
        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing)
            try:
                sequencer.step()
            except Crash:
                died += 1
        if calls <= at:
            break
        # Some of the rounds go on from a state left by several crashes in a row.
        if at % 3 == 0:
            world.sequencer().step()
            assert not world.check()
    assert died > 3
    world.sequencer().step()
    assert not world.check()
    assert read_published(world).size == len(world.leaves())


def test_a_full_disk_is_a_clear_refusal_and_nothing_is_lost(world, monkeypatch):
    sequencer = world.sequencer()
    world.add(3)
    sequencer.step()
    before = world.files()
    world.add(2)

    def full(*_args):
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageFull):
            sequencer.step()
    assert world.files() == before
    assert sequencer.step().signed
    assert not world.check()
