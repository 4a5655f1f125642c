# SPDX-License-Identifier: Apache-2.0
"""The audit of the log names whatever was touched: facts, leaves, checkpoints, files."""

import random

import pytest

from lingqu.trust import PLATFORM
from lingqu.trust.log import LogFault, check_log, take_published
from lingqu_verify import notes
from lingqu_verify.notes import SignerKey


@pytest.fixture
def grown(world):
    sequencer = world.sequencer()
    for count in (3, 260, 40, 7):
        world.add(count)
        sequencer.step()
    assert not world.check()
    return world


def faults(world, **options):
    return {finding.fault for finding in world.check(**options)}


def test_facts_that_wait_for_the_sequencer_are_no_fault(grown):
    grown.add(3)
    with grown.owner() as open_one:
        grown.add(2, connection=open_one)
        assert not grown.check()
        grown.sequencer().step(publish=False)
        assert not grown.check()


def test_what_is_published_while_the_check_goes_on_is_no_fault(grown):
    published = take_published(grown.logs)
    with grown.database.auditing(PLATFORM) as tx:
        assert tx.one("SELECT count(*) AS facts FROM trust.fact")["facts"] == 310
        grown.add(5)
        grown.sequencer().step()
        assert not list(check_log(tx, grown.logs, published=published))
        assert [one.fault for one in check_log(tx, grown.logs)] != []
    assert not grown.check()


def test_an_altered_fact_is_named_with_both_digests(grown):
    fact = grown.leaves()[100]
    grown.sql("UPDATE trust.fact SET body = replace(body, 'real', 'xeal') WHERE id = %s", (fact,))
    findings = grown.check()
    named = [f for f in findings if f.fault is LogFault.FACT_ALTERED]
    assert [(f.fact, f.index) for f in named] == [(fact, 100)]
    assert len(named[0].expected) == len(named[0].found) == 64
    assert {f.fault for f in findings} == {LogFault.FACT_ALTERED, LogFault.FILE_DIFFERS}


def test_an_altered_fact_with_a_leaf_made_to_fit_is_found_by_the_signed_root(grown):
    fact = grown.leaves()[100]
    grown.sql("UPDATE trust.fact SET body = replace(body, 'real', 'xeal') WHERE id = %s", (fact,))
    grown.sql(
        "UPDATE trust.log_leaf l SET hash = sha256('\\x00'::bytea || convert_to(f.body, 'UTF8'))"
        " FROM trust.fact f WHERE f.id = l.fact"
    )
    found = faults(grown)
    assert LogFault.ROOT_DIFFERS in found
    assert LogFault.PUBLISHED_FORKED in found
    assert LogFault.FILE_DIFFERS in found


def test_a_removed_fact_is_named(grown):
    fact = grown.leaves()[5]
    grown.sql("ALTER TABLE trust.log_leaf DROP CONSTRAINT log_leaf_fact_fkey")
    grown.sql("DELETE FROM trust.fact WHERE id = %s", (fact,))
    missing = [f for f in grown.check() if f.fault is LogFault.FACT_MISSING]
    assert [(f.fact, f.index) for f in missing] == [(fact, 5)]


def test_removed_leaves_are_named_and_their_facts_too(grown):
    facts = grown.leaves()
    grown.sql("DELETE FROM trust.log_leaf WHERE index = 50")
    findings = grown.check()
    assert 50 in {f.index for f in findings if f.fault is LogFault.LEAF_MISSING}
    assert [f.fact for f in findings if f.fault is LogFault.FACT_UNSEQUENCED] == [facts[50]]


def test_a_tail_cut_off_is_found(grown):
    grown.sql("DELETE FROM trust.log_leaf WHERE index >= 300")
    found = grown.check()
    assert {LogFault.LEAF_MISSING, LogFault.PUBLISHED_FORKED} <= {f.fault for f in found}
    assert sum(f.fault is LogFault.FACT_UNSEQUENCED for f in found) == 10


def test_a_fact_slipped_in_with_an_old_transaction_number_is_found(grown):
    (fact,) = grown.add()
    grown.sql("UPDATE trust.fact SET txid = '7' WHERE id = %s", (fact,))
    grown.sequencer().step()
    assert [(f.fault, f.fact) for f in grown.check()] == [(LogFault.FACT_UNSEQUENCED, fact)]


def test_leaves_that_changed_places_are_found(grown):
    grown.sql("ALTER TABLE trust.log_leaf DROP CONSTRAINT log_leaf_index_check")
    grown.sql("UPDATE trust.log_leaf SET index = -index WHERE index IN (1, 2)")
    grown.sql("UPDATE trust.log_leaf SET index = 3 + index WHERE index < 0")
    assert {LogFault.ROOT_DIFFERS, LogFault.FILE_DIFFERS} <= faults(grown)


@pytest.mark.parametrize("column", ["root", "note"])
def test_an_altered_checkpoint_row_is_found(grown, column):
    change = {
        "root": "root = set_byte(root, 3, get_byte(root, 3) # 1)",
        "note": "note = overlay(note placing 'B' from length(note) - 20 for 1)",
    }[column]
    grown.sql(f"UPDATE trust.log_checkpoint SET {change} WHERE size = 263")
    assert {f.index for f in grown.check() if f.fault is LogFault.CHECKPOINT_BAD} == {263}


def test_a_checkpoint_signed_by_a_stranger_is_found(grown):
    other = SignerKey(name=grown.key.name, seed=b"x" * 32)
    text = notes.Note.parse(grown.folder.published()).text
    forged = str(notes.sign_note(text, [other]))
    grown.sql("UPDATE trust.log_checkpoint SET note = %s WHERE size = 310", (forged,))
    assert LogFault.CHECKPOINT_BAD in faults(grown)
    (grown.folder.path / "checkpoint").write_text(forged, encoding="utf-8")
    assert LogFault.PUBLISHED_BAD in faults(grown)


def test_any_flipped_bit_in_any_file_is_found_and_the_file_named(grown):
    rng = random.Random(11)
    files = [p for p in grown.folder.path.rglob("*") if p.is_file()]
    assert len(files) >= 10
    for place in files * 2:
        good = place.read_bytes()
        bad = bytearray(good)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        place.write_bytes(bad)
        name = str(place.relative_to(grown.folder.path))
        assert name in {finding.path for finding in grown.check()}, name
        place.write_bytes(good)
    assert not grown.check()


def test_any_flipped_bit_in_any_leaf_hash_is_found(grown):
    rng = random.Random(12)
    for _ in range(12):
        index, bit = rng.randrange(310), rng.randrange(256)
        flip = "UPDATE trust.log_leaf SET hash = set_bit(hash, %s, 1 - get_bit(hash, %s))"
        grown.sql(f"{flip} WHERE index = %s", (bit, bit, index))
        findings = grown.check()
        assert index in {f.index for f in findings if f.fault is LogFault.FACT_ALTERED}
        assert LogFault.ROOT_DIFFERS in {f.fault for f in findings}
        grown.sql(f"{flip} WHERE index = %s", (bit, bit, index))
    assert not grown.check()


def test_missing_files_are_named(grown):
    for name in ("tile/0/000", "tile/entries/001.p/54", "tile/1/000.p/1", "checkpoint"):
        place = grown.folder.path / name
        good = place.read_bytes()
        place.unlink()
        missing = [f.path for f in grown.check() if f.fault is LogFault.FILE_MISSING]
        assert missing == [name]
        place.write_bytes(good)


def test_a_forged_cosignature_is_found(grown):
    witness = SignerKey(name="w.test", seed=b"w" * 32, algorithm=notes.COSIGNATURE)
    other = notes.Note(text=f"{grown.key.name}\n1\n{'A' * 43}=\n", signatures=())
    line = str(notes.cosign(other, witness, 1_700_000_000))
    grown.sql(
        "INSERT INTO trust.log_cosignature VALUES (%s, 310, 'w.test', %s, now())",
        (grown.key.name, line),
    )
    assert faults(grown, witnesses=[witness.verifier]) == {LogFault.COSIGNATURE_BAD}
    grown.sql("UPDATE trust.log_cosignature SET line = 'nonsense'")
    assert faults(grown) == {LogFault.COSIGNATURE_BAD}
