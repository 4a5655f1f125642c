# SPDX-License-Identifier: Apache-2.0
"""Bundles: what they prove, whose key counts, and that every bit of them matters."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu_verify import bundles, canon, entries, merkle, notes
from lingqu_verify.errors import Malformed, Refuted, VerificationError

LEAVES = (0, 7, 256, 299)


@pytest.fixture(scope="module")
def note(world, witness_key):
    made = world.checkpoint()
    return made.adding(notes.cosign(made, witness_key, 1_700_000_000))


@pytest.fixture(scope="module")
def bundle(world, note) -> bytes:
    return bundles.build_bundle(
        checkpoint=note,
        leaves=[world.leaf(at) for at in reversed(LEAVES)],
        disclosures=[world.disclosure(7)],
        keys=[bundles.OfferedKey(key=world.key)],
        consistency=world.consistency(100),
        statements=[notes.sign_note("closing statement\n", [world.signer])],
    )


def changed(bundle: bytes, **changes: object) -> bytes:
    return canon.encode(json.loads(bundle) | changes)


def test_a_bundle_proves_its_facts_and_disclosures(world, bundle, witness_key):
    report = bundles.verify_bundle(
        bundle,
        keys=[world.key.fingerprint],
        older=world.checkpoint(100),
        witnesses=[witness_key.verifier],
        quorum=1,
        now=1_700_000_000,
    )
    assert (report.origin, report.size, report.root) == (world.key.name, 300, world.tree.root())
    assert report.signed_by == (world.key,)
    assert [(one.name, one.timestamp) for one in report.witnessed_by] == [
        ("witness.example/w1", 1_700_000_000)
    ]
    assert [one.index for one in report.facts] == list(LEAVES)
    assert report.facts[1].entry.kind == "trust.party.registered"
    assert report.facts[1].entry.encode() == world.entries[7]
    assert report.disclosures[0].content["row"] == {"name": "甲方7"}
    assert report.statements == ("closing statement\n",)
    assert (report.older_size, report.warnings) == (100, ())
    assert bundles.verify_bundle(bundle.decode() + "\n", keys=[str(world.key)]).size == 300


def test_a_bundle_has_the_published_fields_and_is_canonical(bundle):
    plain = json.loads(bundle)
    assert set(plain) == {
        *("format", "suite", "origin", "checkpoint", "leaves", "disclosures", "keys"),
        *("consistency", "statements"),
    }
    assert plain["format"] == "lingqu-bundle/1"
    assert plain["suite"] == "ed25519-sha256"
    assert set(plain["leaves"][0]) == {"index", "entry", "proof"}
    assert set(plain["disclosures"][0]) == {"leaf", "row", "salt", "content"}
    assert canon.encode(plain) == bundle


@given(data=st.data())
def test_any_flipped_bit_in_a_bundle_is_detected(world, bundle, witness_key, data):
    bit = data.draw(st.integers(0, len(bundle) * 8 - 1))
    raw = bytearray(bundle)
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VerificationError):
        bundles.verify_bundle(
            bytes(raw),
            keys=[world.key.fingerprint],
            older=world.checkpoint(100),
            witnesses=[witness_key.verifier],
            quorum=1,
        )


def test_every_bit_of_an_entry_a_proof_a_checkpoint_and_a_disclosure_matters(world, bundle):
    plain = json.loads(bundle)
    leaf, shown = plain["leaves"][1], plain["disclosures"][0]
    places = [(leaf, "entry"), (leaf["proof"], 3), (shown, "content"), (shown, "salt")]
    places += [(plain, "checkpoint"), (plain["consistency"], "root")]
    for holder, name in places:
        kept = holder[name]
        own = kept.index("— witness") if name == "checkpoint" else len(kept)
        for at in range(0, own, 1 if own < 80 else 7):
            for bit in (1, 2, 4, 16, 32):
                holder[name] = kept[:at] + chr(ord(kept[at]) ^ bit) + kept[at + 1 :]
                with pytest.raises(VerificationError):
                    bundles.verify_bundle(
                        canon.encode(plain), keys=[world.key], older=world.checkpoint(100)
                    )
        holder[name] = kept
    assert bundles.verify_bundle(canon.encode(plain), keys=[world.key])


def test_a_key_must_come_from_outside(world, bundle):
    stranger = notes.SignerKey(name=world.key.name, seed=bytes(32)).verifier
    other_log = notes.SignerKey(name="log.example/other", seed=world.signer.seed).verifier
    for keys in ([], [other_log], [stranger.fingerprint]):
        with pytest.raises(bundles.NoTrustedKey):
            bundles.verify_bundle(bundle, keys=keys)
    with pytest.raises(notes.NotSigned):
        bundles.verify_bundle(bundle, keys=[stranger])
    with pytest.raises(notes.BadFingerprint):
        bundles.verify_bundle(bundle, keys=["nonsense"])
    with pytest.raises(notes.BadKey):
        bundles.verify_bundle(bundle, keys=["non+sense"])


def test_an_inner_key_without_a_trusted_statement_is_not_trusted(world, bundle):
    forger = notes.SignerKey(name=world.key.name, seed=bytes(32))
    forged = notes.sign_checkpoint(notes.Checkpoint.parse(world.checkpoint().text), [forger])
    own_word = notes.sign_note(notes.key_statement(world.key.name, forger.verifier), [forger])
    offered = [{"vkey": str(forger.verifier), "statement": str(own_word)}]
    data = changed(bundle, checkpoint=str(forged), keys=offered, statements=[])
    with pytest.raises(notes.NotSigned):
        bundles.verify_bundle(data, keys=[world.key])


def test_a_rotated_key_is_trusted_through_a_chain_of_statements(world):
    signers = [world.signer]
    signers += [notes.SignerKey(name=world.key.name, seed=bytes([n]) * 32) for n in (1, 2)]
    checkpoint = notes.Checkpoint.parse(world.checkpoint().text)
    offered = [
        bundles.OfferedKey(
            key=new.verifier,
            statement=notes.sign_note(notes.key_statement(world.key.name, new.verifier), [old]),
        )
        for old, new in itertools.pairwise(signers)
    ]
    assert offered[0].statement.text == (
        f"lingqu-key-statement/1\n{world.key.name}\n{signers[1].verifier}\n"
    )
    data = bundles.build_bundle(
        checkpoint=notes.sign_checkpoint(checkpoint, signers[2:]),
        leaves=[world.leaf(3)],
        keys=reversed(offered),
        consistency=world.consistency(100),
    )
    for keys in ([world.key], [signers[1].verifier.fingerprint]):
        report = bundles.verify_bundle(data, keys=keys)
        assert report.signed_by == (signers[2].verifier,)
        assert bundles.KEY_BY_STATEMENT in report.warnings
    older = world.checkpoint(100)  # signed by the first key
    assert bundles.verify_bundle(data, keys=[world.key], older=older).older_size == 100
    plain = json.loads(data)
    plain["keys"] = plain["keys"][:1]
    with pytest.raises(notes.NotSigned):
        bundles.verify_bundle(canon.encode(plain), keys=[world.key])


@pytest.mark.parametrize("name", ["origin", "key", "text"])
def test_a_statement_that_says_something_else_is_refused(world, bundle, name):
    new = notes.SignerKey(name=world.key.name, seed=bytes(32)).verifier
    text = {
        "origin": notes.key_statement("log.example/other", new),
        "key": notes.key_statement(world.key.name, world.key),
        "text": notes.key_statement(world.key.name, new) + "more\n",
    }[name]
    statement = str(notes.sign_note(text, [world.signer]))
    data = changed(bundle, keys=[{"vkey": str(new), "statement": statement}])
    with pytest.raises(bundles.BadBundle):
        bundles.verify_bundle(data, keys=[world.key])


def test_an_older_checkpoint_must_be_a_prefix(world, bundle, worlds):
    verify = bundles.verify_bundle
    assert verify(bundle, keys=[world.key], older=world.checkpoint(0)).older_size == 0
    assert verify(bundle, keys=[world.key], older=str(world.checkpoint())).older_size == 300
    with pytest.raises(bundles.OlderUnproven):
        verify(bundle, keys=[world.key], older=world.checkpoint(99))
    bare = changed(bundle, consistency=None)
    with pytest.raises(bundles.OlderUnproven):
        verify(bare, keys=[world.key], older=world.checkpoint(100))
    fork = worlds(400, salt="fork")
    for size in (100, 300):
        with pytest.raises(merkle.NotConsistent):
            verify(bundle, keys=[world.key], older=fork.checkpoint(size))
    with pytest.raises(bundles.OlderIsNewer):
        verify(bundle, keys=[world.key], older=fork.checkpoint(400))
    other = notes.SignerKey(name="log.example/other", seed=bytes(32))
    checkpoint = notes.Checkpoint(origin=other.name, size=1, root=world.tree.root(1))
    foreign = notes.sign_checkpoint(checkpoint, [other])
    with pytest.raises(bundles.OriginDiffers):
        verify(bundle, keys=[world.key, other.verifier], older=foreign)


def test_witnesses_count_only_when_known_and_not_from_the_future(world, bundle, witness_key):
    known = [witness_key.verifier]
    report = bundles.verify_bundle(bundle, keys=[world.key])
    assert (report.witnessed_by, report.warnings) == ((), (bundles.NO_WITNESS,))
    late = bundles.verify_bundle(bundle, keys=[world.key], witnesses=known, now=1_600_000_000)
    assert late.warnings == (bundles.FUTURE_COSIGNATURE, bundles.NO_WITNESS)
    for now, quorum in ((1_600_000_000, 1), (None, 2)):
        with pytest.raises(bundles.TooFewWitnesses):
            bundles.verify_bundle(bundle, keys=[world.key], witnesses=known, quorum=quorum, now=now)


def test_a_story_clock_is_told(worlds):
    story = worlds(3, clock="story")
    data = bundles.build_bundle(checkpoint=story.checkpoint(), leaves=[story.leaf(1)])
    report = bundles.verify_bundle(data, keys=[story.key])
    assert bundles.STORY_CLOCK in report.warnings


def test_a_statement_by_a_stranger_is_refused(world, bundle):
    other = notes.SignerKey(name="somebody", seed=bytes(32))
    data = changed(bundle, statements=[str(notes.sign_note("trust me\n", [other]))])
    with pytest.raises(notes.NotSigned):
        bundles.verify_bundle(data, keys=[world.key])


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "lingqu-bundle/2"},
        {"suite": "sm2-sm3"},
        {"origin": "log.example/other"},
        {"origin": 5},
        {"checkpoint": None},
        {"checkpoint": ""},
        {"leaves": {}},
        {"leaves": [1]},
        {"leaves": [{}]},
        {"disclosures": [{"leaf": 9, "row": 0, "salt": "00" * 32, "content": "{}"}]},
        {"disclosures": [{"leaf": 0, "row": 9, "salt": "00" * 32, "content": "{}"}]},
        {"disclosures": [{"leaf": 0, "row": 0, "salt": "00" * 15, "content": "{}"}]},
        {"disclosures": [{"leaf": 0, "row": 0, "salt": "00" * 65, "content": "{}"}]},
        {"disclosures": [{"leaf": 0, "row": 0, "salt": "0G" * 32, "content": "{}"}]},
        {"disclosures": [{"leaf": True, "row": 0, "salt": "00" * 32, "content": "{}"}]},
        {"disclosures": [{"leaf": -1, "row": 0, "salt": "00" * 32, "content": "{}"}]},
        {"keys": [{"vkey": "a", "statement": None}]},
        {"keys": [{"vkey": "a"}]},
        {"keys": None},
        {"consistency": {"size": 1, "root": "00", "proof": []}},
        {"consistency": {"size": 301, "root": "00" * 32, "proof": []}},
        {"consistency": {"size": 1, "root": "00" * 32, "proof": ["x"]}},
        {"consistency": {"size": 1, "root": "00" * 32, "proof": ["00" * 32] * 64}},
        {"consistency": 5},
        {"statements": [5]},
        {"statements": ["x"]},
        {"extra": 1},
    ],
)
def test_a_malformed_bundle_is_refused(world, bundle, changes):
    with pytest.raises((Malformed, bundles.NoTrustedKey)):
        bundles.verify_bundle(changed(bundle, **changes), keys=[world.key.fingerprint, world.key])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"1", b"\xff", "{", b"[" * 100_000, "\ud800"])
def test_what_is_not_a_bundle_is_refused(world, data):
    with pytest.raises(Malformed):
        bundles.verify_bundle(data, keys=[world.key])


def test_a_leaf_may_not_come_twice_or_out_of_order(world, bundle):
    leaves = json.loads(bundle)["leaves"]
    for wrong in ([leaves[0], leaves[0]], leaves[::-1]):
        with pytest.raises(bundles.BadBundle):
            bundles.verify_bundle(changed(bundle, leaves=wrong), keys=[world.key])


def test_a_disclosure_of_a_leaf_that_is_not_there_cannot_be_built(world):
    with pytest.raises(bundles.BadBundle):
        bundles.build_bundle(
            checkpoint=world.checkpoint(),
            leaves=[world.leaf(1)],
            disclosures=[world.disclosure(2)],
        )


@given(data=st.data())
def test_hostile_values_in_any_field_give_a_refusal_and_nothing_else(world, bundle, data):
    plain = json.loads(bundle)
    holder: object = plain
    while True:
        name = data.draw(
            st.sampled_from(sorted(holder))
            if isinstance(holder, dict)
            else st.integers(0, len(holder) - 1)
        )
        if not isinstance(holder[name], dict | list) or not holder[name]:
            break
        if data.draw(st.booleans()):
            break
        holder = holder[name]
    kept = holder[name]
    holder[name] = data.draw(
        st.sampled_from([None, True, 0, -1, 2**53 - 1, "", "x", [], {}, [[]], "é" * 300, [None]])
    )
    if holder[name] != kept or type(holder[name]) is not type(kept):
        try:
            bundles.verify_bundle(canon.encode(plain), keys=[world.key])
        except VerificationError:
            return
        assert name in {"consistency", "disclosures", "keys", "statements", "statement", "leaves"}


def test_a_bundle_of_a_thousand_proofs_verifies(worlds):
    big = worlds(5000)
    data = bundles.build_bundle(
        checkpoint=big.checkpoint(), leaves=[big.leaf(at) for at in range(0, 5000, 5)]
    )
    assert len(bundles.verify_bundle(data, keys=[big.key]).facts) == 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True},
        {"fact": ""},
        {"kind": "party"},
        {"kind": "Trust.party"},
        {"ordinal": -1},
        {"ordinal": True},
        {"at": "2026-13-21T04:00:00.000000Z"},
        {"at": "2026-11-21T04:00:00Z"},
        {"at": "2026-11-21T04:00:00.000000+08:00"},
        {"actor": 5},
        {"clock": "fast"},
        {"clock": []},
        {"data": []},
        {"rows": {}},
        {"rows": [{}]},
        {"command": {"id": "a", "name": "b", "request": "zz"}},
        {"command": {"id": "a", "name": "b", "request": "0" * 64, "result": None}},
        {"command": {"id": "a", "name": "b", "request": "0" * 64, "result": "zz"}},
        {"command": {"id": "a", "name": "b", "request": "0" * 64, "answer": "0" * 64}},
        {"more": 1},
    ],
)
def test_a_malformed_entry_is_refused(world, changes):
    with pytest.raises(entries.BadEntry):
        entries.Entry.parse(canon.encode(json.loads(world.entries[0]) | changes))


def test_entries_name_the_result_of_a_command_or_are_older_than_that(world):
    older = entries.Entry.parse(world.entries[0])
    assert older.result is None
    assert older.encode() == world.entries[0]
    newer = dataclasses.replace(older, result="ab" * 32)
    assert json.loads(newer.encode())["command"]["result"] == "ab" * 32
    assert entries.Entry.parse(newer.encode()) == newer


def test_a_disclosure_must_name_the_row_that_the_entry_names(world):
    row = entries.Entry.parse(world.entries[7]).rows[0]
    salt, content = world.contents[7]
    assert entries.disclose(row, salt, content)["key"] == "pty_7"
    for wrong in (world.contents[8], (salt, world.contents[8][1]), (bytes(32), content)):
        with pytest.raises(entries.NotDisclosed):
            entries.disclose(row, *wrong)
    other = json.loads(content) | {"key": "pty_8"}
    lied = canon.encode(other)
    digest = entries.digest(salt, lied)
    said = entries.Row(table=row.table, key=row.key, version=1, shape=1, digest=digest)
    with pytest.raises(Refuted):
        entries.disclose(said, salt, lied)
    with pytest.raises(entries.BadContent):
        entries.encode_content(table="", key="k", version=1, shape=1, row={})
