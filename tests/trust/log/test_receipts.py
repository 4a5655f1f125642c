# SPDX-License-Identifier: Apache-2.0
"""What a stranger takes away verifies with the verifier alone, and only as long as it is intact."""

import json
import random
import time

import pytest

from lingqu.trust import log as trust_log
from lingqu.trust.log.receipts import FactNotInLog, SeveralLogs, SizeUnknown, TooManyFacts
from lingqu.trust.log.tiles import TilesDamaged
from lingqu_verify import bundles, merkle, notes
from lingqu_verify.errors import VerificationError
from lingqu_verify.notes import SignerKey


def test_a_receipt_proves_the_place_of_its_fact(world):
    facts = world.add(300)
    world.sequencer().step()
    body = dict(world.sql("SELECT id, body FROM trust.fact"))
    with world.database.reading() as tx:
        for fact in (facts[0], facts[255], facts[299]):
            receipt = trust_log.receipt(tx, world.logs, fact)
            signed = notes.verify_checkpoint(receipt.checkpoint, [world.key.verifier])
            assert (receipt.index, receipt.size) == (facts.index(fact), 300)
            merkle.verify_inclusion(
                merkle.leaf_hash(body[fact].encode()), receipt.index, receipt.size,
                receipt.proof, signed.checkpoint.root,
            )  # fmt: skip


def test_a_fact_without_a_checkpoint_has_no_receipt_yet(world):
    (fact,) = world.add()
    for place in (lambda: None, lambda: world.sequencer().step(publish=False)):
        place()
        with pytest.raises(trust_log.NotYetSequenced), world.database.reading() as tx:
            trust_log.receipt(tx, world.logs, fact)
    with pytest.raises(FactNotInLog), world.database.reading() as tx:
        trust_log.receipt(tx, world.logs, "fct_none")


def test_proofs_are_given_for_stored_checkpoints_only(world):
    sequencer = world.sequencer()
    world.add(4)
    sequencer.step()
    world.add(4)
    sequencer.step()
    with world.database.reading() as tx:
        trust_log.inclusion(tx, world.logs, world.key.name, index=3, size=4)
        trust_log.consistency(tx, world.logs, world.key.name, old=3, new=8)
        for bad in (
            lambda: trust_log.inclusion(tx, world.logs, world.key.name, index=3, size=5),
            lambda: trust_log.inclusion(tx, world.logs, world.key.name, index=4, size=4),
            lambda: trust_log.consistency(tx, world.logs, world.key.name, old=9, new=8),
            lambda: trust_log.consistency(tx, world.logs, world.key.name, old=-1, new=8),
        ):
            with pytest.raises(SizeUnknown):
                bad()


def test_a_bundle_discloses_rows_that_were_not_erased(world):
    facts = world.add(3, rows=2)
    world.sequencer().step()
    world.sql(
        "UPDATE trust.row_version SET salt = NULL, content = NULL WHERE fact = %s AND key LIKE %s",
        (facts[1], "%/0"),
    )
    with world.database.reading() as tx:
        shown = trust_log.bundle(tx, world.logs, facts)
        hidden = trust_log.bundle(tx, world.logs, facts, disclose=False)
    report = bundles.verify_bundle(shown, keys=[world.key.verifier])
    assert len(report.facts) == 3
    assert len(report.disclosures) == 5
    assert "杨" in shown
    assert "杨" not in hidden
    assert not bundles.verify_bundle(hidden, keys=[world.key.verifier]).disclosures


def test_a_bundle_proves_consistency_with_a_checkpoint_the_reader_kept(world):
    sequencer = world.sequencer()
    world.add(5)
    sequencer.step()
    kept = world.folder.published()
    facts = world.add(300)
    sequencer.step()
    with world.database.reading() as tx:
        text = trust_log.bundle(tx, world.logs, facts[:2], older=5)
        with pytest.raises(SizeUnknown):
            trust_log.bundle(tx, world.logs, facts[:2], older=6)
    report = bundles.verify_bundle(text, keys=[world.key.verifier], older=kept)
    assert report.older_size == 5


def test_any_flipped_bit_in_a_bundle_is_detected(world):
    facts = world.add(4, rows=1)
    world.sequencer().step()
    with world.database.reading() as tx:
        data = trust_log.bundle(tx, world.logs, facts[:2]).encode()
    rng = random.Random(7)
    whole = bundles.verify_bundle(data, keys=[world.key.verifier])
    for _ in range(400):
        at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        flipped = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
        try:
            report = bundles.verify_bundle(flipped, keys=[world.key.verifier])
        except (VerificationError, UnicodeError):
            continue
        # The keys a bundle offers are not evidence; everything that is must be the same.
        assert report.facts == whole.facts
        assert report.disclosures == whole.disclosures
        assert b'"keys"' in data[:at]


def test_a_thousand_proofs_come_quickly_and_verify(world):
    world.add(3000)
    world.sequencer().step()
    facts = random.Random(3).sample(world.leaves(), 1000)
    with world.database.reading() as tx:
        began = time.perf_counter()
        text = trust_log.bundle(tx, world.logs, facts)
        took = time.perf_counter() - began
    assert len(bundles.verify_bundle(text, keys=[world.key.verifier]).facts) == 1000
    assert took < 5


def test_a_damaged_tile_yields_a_refusal_and_never_a_wrong_proof(world):
    facts = world.add(300)
    world.sequencer().step()
    place = world.folder.path / "tile/0/000"
    data = bytearray(place.read_bytes())
    data[5] ^= 1
    place.write_bytes(data)
    with pytest.raises(TilesDamaged), world.database.reading() as tx:
        trust_log.receipt(tx, world.logs, facts[0])
    place.unlink()
    with pytest.raises(TilesDamaged), world.database.reading() as tx:
        trust_log.receipt(tx, world.logs, facts[0])


def test_facts_of_two_logs_do_not_fit_one_bundle(world):
    (old,) = world.add()
    world.sequencer().step()
    next_key = SignerKey(name=f"{world.key.name}/2", seed=b"k" * 32)
    world.begin_log(next_key.name, 2, next_key, predecessor=world.key.name)
    (new,) = world.add()
    world.sequencer().step()
    with world.database.reading() as tx:
        assert trust_log.receipt(tx, world.logs, old).origin == world.key.name
        assert trust_log.receipt(tx, world.logs, new).origin == next_key.name
        with pytest.raises(SeveralLogs):
            trust_log.bundle(tx, world.logs, (old, new))
        with pytest.raises(TooManyFacts):
            trust_log.bundle(tx, world.logs, ())


def test_a_bundle_is_canonical_json_with_its_suite(world):
    facts = world.add(1)
    world.sequencer().step()
    with world.database.reading() as tx:
        plain = json.loads(trust_log.bundle(tx, world.logs, facts))
    assert (plain["format"], plain["suite"]) == ("lingqu-bundle/1", "ed25519-sha256")
