# SPDX-License-Identifier: Apache-2.0
"""Nothing is signed that does not continue what was signed before."""

import itertools
import shutil

import pytest

from lingqu.trust import PLATFORM
from lingqu.trust import log as trust_log
from lingqu.trust.log import checkpoints
from lingqu.trust.log.checkpoints import CheckpointUnreadable, LogForked
from lingqu.trust.log.origins import BadLogKey, KeyChainBroken, NoOwnLog, NoSigningKey
from lingqu_verify import bundles, merkle, notes
from lingqu_verify.notes import SignerKey


def published(world):
    return notes.verify_checkpoint(world.folder.published(), world.log.verifiers).checkpoint


def restore_database(world, copy):
    """Put an earlier state of the database back, as from a backup."""
    world.database.close()
    world.cluster.execute(f'DROP DATABASE "{world.name}" WITH (FORCE)')
    world.cluster.execute(f'CREATE DATABASE "{world.name}" TEMPLATE "{copy}"')
    world.cluster.execute(f'DROP DATABASE "{copy}"')
    world.database = world.open()


def back_up_database(world):
    copy = f"{world.name}_copy"
    world.database.close()
    world.cluster.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{world.name}"')
    world.database = world.open()
    return copy


def test_each_published_checkpoint_is_a_prefix_of_the_next(world):
    sequencer, seen = world.sequencer(), []
    for count in (1, 3, 300, 2):
        world.add(count)
        sequencer.step()
        seen.append(published(world))
    with world.database.reading() as tx:
        for old, new in itertools.pairwise(seen):
            proof = trust_log.consistency(
                tx, world.logs, world.log.origin, old=old.size, new=new.size
            )
            merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)


def test_a_step_without_news_signs_nothing(world):
    sequencer = world.sequencer()
    assert not sequencer.step().signed
    world.add()
    assert sequencer.step().signed
    assert not sequencer.step().signed


def test_a_restored_older_database_refuses_to_sign(world):
    world.add(20)
    world.sequencer().step()
    copy = back_up_database(world)
    world.add(5)
    world.sequencer().step()
    before = world.files()
    restore_database(world, copy)
    sequencer = world.sequencer()
    with pytest.raises(LogForked) as caught:
        sequencer.step()
    assert caught.value.parameters == {"place": "published", "known": 25, "size": 20}
    world.add(30)
    for _ in range(2):
        with pytest.raises(LogForked):
            sequencer.step()
    assert world.files() == before
    assert world.leaves() == world.leaves()[:20]


def test_a_restored_database_that_caught_up_with_other_leaves_refuses_to_sign(world):
    world.add(20)
    world.sequencer().step()
    copy = back_up_database(world)
    world.add(5)
    world.sequencer().step()
    restore_database(world, copy)
    world.add(50)
    trust_log.sequence(world.database, world.log)
    with pytest.raises(LogForked):
        world.sequencer().step()


def test_a_restored_older_folder_is_brought_up_to_the_database(world, tmp_path):
    world.add(20)
    world.sequencer().step()
    shutil.copytree(world.logs, tmp_path / "old")
    world.add(300)
    world.sequencer().step()
    after = world.files()
    shutil.rmtree(world.logs)
    shutil.copytree(tmp_path / "old", world.logs)
    assert not world.sequencer().step().signed
    assert published(world).size == 320
    assert {k: v for k, v in world.files().items() if ".p/" not in k} == {
        k: v for k, v in after.items() if ".p/" not in k
    }


def test_a_folder_of_another_history_refuses_to_sign(world, another_world):
    for one in (world, another_world):
        one.add(10)
        one.sequencer().step()
    shutil.rmtree(world.logs)
    shutil.copytree(another_world.logs, world.logs)
    world.add(1)
    with pytest.raises(LogForked):
        world.sequencer().step()


def test_a_checkpoint_file_that_is_not_ours_stops_signing_until_it_is_mended(world):
    world.add(2)
    sequencer = world.sequencer()
    sequencer.step()
    place = world.folder.path / "checkpoint"
    good = place.read_bytes()
    world.add(1)
    for bad in (b"", good[:-20], good.replace(b"\n2\n", b"\n1\n"), b"\xff" * 50):
        place.write_bytes(bad)
        with pytest.raises(CheckpointUnreadable):
            sequencer.step()
    place.write_bytes(good)
    assert sequencer.step().signed


def test_leaves_removed_behind_a_stored_checkpoint_stop_signing(world):
    world.add(9)
    sequencer = world.sequencer()
    sequencer.step()
    shutil.rmtree(world.logs)
    world.sql("DELETE FROM trust.log_leaf WHERE index >= 7")
    with pytest.raises(LogForked) as caught:
        sequencer.step()
    assert caught.value.parameters == {"place": "stored", "known": 9, "size": 7}


def test_no_second_checkpoint_of_a_size_is_stored(world):
    world.add(4)
    world.sequencer().step()
    log = world.log
    with pytest.raises(LogForked):
        checkpoints._sign_and_store(world.database, log, 4, b"\1" * 32, world.signers(log.origin))
    assert world.sql("SELECT count(*) FROM trust.log_checkpoint") == [(1,)]


def test_what_was_stored_before_a_crash_is_published_first(world):
    sequencer = world.sequencer()
    world.add(3)
    sequencer.step()
    old = (world.folder.path / "checkpoint").read_bytes()
    world.add(2)
    sequencer.step()
    new = (world.folder.path / "checkpoint").read_bytes()
    (world.folder.path / "checkpoint").write_bytes(old)
    assert not world.sequencer().step().signed
    assert (world.folder.path / "checkpoint").read_bytes() == new


def test_an_older_note_never_replaces_a_newer_one(world):
    sequencer = world.sequencer()
    world.add(3)
    sequencer.step()
    with world.database.reading() as tx:
        old = trust_log.checkpoint_at(tx, world.log.origin, 3)
    world.add(2)
    sequencer.step()
    checkpoints.publish(world.folder, world.log, old.note)
    assert published(world).size == 5


def test_only_one_of_two_sequencers_works_at_a_time(world):
    world.add(5)
    with world.database.alone("trust.log.sequencer") as held:
        assert held
        assert world.sequencer().step().standby
    assert world.sequencer().step().placed == 5


def test_two_running_sequencers_share_the_work_and_lose_nothing(world, until):
    second, facts = world.open(), []
    with world.running(world.database, second) as runs:
        for _ in range(40):
            facts += world.add(2)
        until(lambda: world.folder.published() and published(world).size == 80)
    assert runs[0].status().pending == 0
    second.close()
    assert sorted(world.leaves()) == sorted(facts)
    assert not world.check()


@pytest.mark.crash
def test_a_running_sequencer_survives_a_crash_of_the_database(world, until):
    with world.running() as sequencer:
        world.add(3)
        until(world.folder.published)
        world.cluster.kill()
        until(lambda: sequencer._trouble == "runtime.database.unavailable")
        world.cluster.start()
        world.add(4)
        until(lambda: published(world).size == 7)
        until(lambda: sequencer._trouble is None)


def test_a_running_sequencer_shows_that_it_refuses(world, until):
    world.add(20)
    world.sequencer().step()
    world.sql("DELETE FROM trust.log_leaf WHERE index >= 10")
    with world.running() as sequencer:
        until(lambda: sequencer.status().forked)
        status = sequencer.status()
    assert status.forked.parameters["known"] == 20
    assert (status.trouble, status.sequenced, status.size) == ("trust.log.forked", 10, 20)


def test_before_there_is_a_log_the_loop_waits(world, until):
    world.sql("DELETE FROM trust.log")
    with pytest.raises(NoOwnLog):
        world.sequencer().step()
    with world.running():
        world.begin_log(world.key.name, 1, world.key)
        world.add(1)
        until(world.folder.published)


def test_a_rotated_key_is_vouched_for_and_both_sign_while_they_overlap(world):
    world.add(1)
    world.sequencer().step()
    new = SignerKey(name=world.key.name, seed=b"n" * 32)
    with world.database.transaction(PLATFORM) as tx:
        trust_log.introduce_key(tx, world.log, new.verifier, world.key)
    world.add(1)
    with pytest.raises(NoSigningKey):
        world.sequencer().step()
    world.signers = lambda _: (world.key, new)
    facts = world.add(1)
    world.sequencer().step()
    signed = notes.verify_checkpoint(world.folder.published(), [world.key.verifier, new.verifier])
    assert set(signed.signed_by) == {world.key.verifier, new.verifier}
    statement = notes.Note.parse((world.folder.path / "keys/2").read_bytes())
    assert statement.text == f"lingqu-key-statement/1\n{world.key.name}\n{new.verifier}\n"

    world.sql("UPDATE trust.log_key SET at = at - interval '8 days'")
    facts = world.add(1)
    world.sequencer().step()
    signed = notes.verify_checkpoint(world.folder.published(), world.log.verifiers)
    assert signed.signed_by == (new.verifier,)
    with world.database.reading() as tx:
        text = trust_log.bundle(tx, world.logs, facts)
    report = bundles.verify_bundle(text, keys=[world.key.verifier])
    assert bundles.KEY_BY_STATEMENT in report.warnings


def test_a_key_that_nobody_vouched_for_is_not_believed(world):
    other = SignerKey(name=world.key.name, seed=b"o" * 32)
    with world.database.transaction(PLATFORM) as tx:
        log = trust_log.own_log(tx)
        for bad in (world.key.verifier, SignerKey(name="other", seed=b"o" * 32).verifier):
            with pytest.raises(BadLogKey):
                trust_log.introduce_key(tx, log, bad, world.key)
        with pytest.raises(BadLogKey):
            trust_log.introduce_key(tx, log, other.verifier, other)
    forged = notes.sign_note(notes.key_statement(world.key.name, other.verifier), [other])
    world.sql(
        "INSERT INTO trust.log_key VALUES (%s, 2, %s, %s, now())",
        (world.key.name, str(other.verifier), str(forged)),
    )
    with pytest.raises(KeyChainBroken):
        world.sequencer().step()
