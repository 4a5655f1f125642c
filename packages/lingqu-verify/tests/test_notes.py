# SPDX-License-Identifier: Apache-2.0
"""Notes, checkpoints and cosignatures: the specifications' samples, other parsers, every damage."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigstore._internal.rekor.checkpoint import LogCheckpoint, SignedNote

from lingqu_verify import merkle, notes

# From C2SP signed-note ("Example").
SAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SAMPLE_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ON"
    "ncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
ROOT = merkle.leaf_hash(b"one")
LOG = notes.SignerKey(name="log.example/a", seed=bytes(range(32)))
WITNESS = notes.SignerKey(name="witness.example/w1", seed=bytes(32), algorithm=notes.COSIGNATURE)


def signed(size: int = 1, **changes: object) -> notes.Note:
    values = {"origin": LOG.name, "size": size, "root": ROOT} | changes
    return notes.sign_checkpoint(notes.Checkpoint(**values), [LOG])


def test_the_sample_of_the_specification_verifies():
    key = notes.VerifierKey.parse(SAMPLE_KEY)
    assert str(key) == SAMPLE_KEY
    assert key.fingerprint.startswith("530d903a")
    note = notes.Note.parse(SAMPLE_NOTE)
    assert str(note) == SAMPLE_NOTE
    assert [one.key for one in notes.open_note(note, [key])] == [key]


def test_sigstore_reads_our_checkpoints_and_agrees_on_the_signed_bytes():
    note = signed(20852163)
    note = note.adding(notes.cosign(note, WITNESS, 1_700_000_000))
    theirs = SignedNote.from_text(str(note))
    checkpoint = LogCheckpoint.from_text(theirs.note)
    assert (checkpoint.origin, checkpoint.log_size) == (LOG.name, 20852163)
    assert checkpoint.log_hash == ROOT.hex()
    assert checkpoint.other_content == ["suite ed25519-sha256"]
    assert theirs.note == note.text
    assert [one.name for one in theirs.signatures] == [LOG.name, WITNESS.name]
    assert [one.sig_hash for one in theirs.signatures] == [
        LOG.verifier.key_id,
        WITNESS.verifier.key_id,
    ]
    first = base64.b64decode(theirs.signatures[0].signature)
    assert LOG.verifier.verify(theirs.note, first) is None


def test_a_checkpoint_has_the_lines_of_the_specification():
    text = signed(7).text
    root = base64.b64encode(ROOT).decode()
    assert text == f"log.example/a\n7\n{root}\nsuite ed25519-sha256\n"
    assert notes.Checkpoint.parse(text).size == 7
    plain = notes.Checkpoint(origin="o", size=0, root=merkle.EMPTY_ROOT, extensions=())
    assert str(plain) == "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert notes.Checkpoint.parse(str(plain)) == plain


def test_a_cosignature_signs_the_message_of_the_specification():
    text = signed(7).text
    message = notes.cosigned_message(text, 1679315147)
    assert message == b"cosignature/v1\ntime 1679315147\n" + text.encode()
    signature = notes.cosign(signed(7), WITNESS, 1679315147)
    assert int.from_bytes(signature.value[:8]) == 1679315147
    assert len(signature.value) == 72
    (found,) = notes.verify_cosignatures(signed(7).adding(signature), [WITNESS.verifier])
    assert (found.key, found.timestamp) == (WITNESS.verifier, 1679315147)


def test_private_keys_read_back_and_their_kind_is_part_of_the_key_id():
    assert notes.SignerKey.parse(WITNESS.private_text()) == WITNESS
    plain = notes.SignerKey(name=WITNESS.name, seed=WITNESS.seed)
    assert plain.verifier.key_id != WITNESS.verifier.key_id
    assert "seed" not in repr(WITNESS)
    for text in ("", "PRIVATE+KEY", "PRIVATE+KEY+a+00000000+AQ==", WITNESS.private_text()[:-4]):
        with pytest.raises(notes.BadKey):
            notes.SignerKey.parse(text)


def test_a_signer_kept_elsewhere_signs_like_one_in_memory():
    remote = notes.RemoteSigner(LOG.verifier, LOG.sign)
    checkpoint = notes.Checkpoint.parse(signed().text)
    assert notes.sign_checkpoint(checkpoint, [remote]) == signed()


def test_a_text_with_blank_lines_ends_at_the_last_one():
    note = notes.sign_note("Ognuno sta solo\n\ned è subito sera.\n", [LOG])
    assert notes.Note.parse(str(note)) == note
    assert notes.Note.parse(str(note).encode()) == note


def test_signatures_of_unknown_keys_are_passed_over_and_known_wrong_ones_refused():
    other = notes.SignerKey(name=LOG.name, seed=bytes(32))
    note = signed().adding(*notes.sign_note(signed().text, [other]).signatures)
    assert [one.key for one in notes.open_note(note, [LOG.verifier])] == [LOG.verifier]
    wrong = notes.Signature(name=LOG.name, key_id=LOG.verifier.key_id, value=bytes(64))
    with pytest.raises(notes.BadSignature):
        notes.open_note(signed().adding(wrong), [LOG.verifier])
    with pytest.raises(notes.NotSigned):
        notes.open_note(signed(), [other.verifier])
    with pytest.raises(notes.NotSigned):
        notes.open_note(signed(), [])


def test_a_key_vouches_for_the_log_of_its_own_name_alone():
    other = notes.Checkpoint(origin="log.example/b", size=1, root=ROOT)
    foreign = notes.sign_note(str(other), [LOG])
    with pytest.raises(notes.NotSigned):
        notes.verify_checkpoint(foreign, [LOG.verifier])
    with pytest.raises(notes.BadKey):
        notes.sign_checkpoint(other, [LOG])


def test_a_witness_key_is_not_a_log_key_and_the_reverse():
    cosigner = notes.SignerKey(name=LOG.name, seed=LOG.seed, algorithm=notes.COSIGNATURE)
    note = signed()
    only = notes.Note(text=note.text, signatures=(notes.cosign(note, cosigner, 5),))
    with pytest.raises(notes.NotSigned):
        notes.verify_checkpoint(only, [LOG.verifier, cosigner.verifier])
    with pytest.raises(notes.BadKey):
        notes.cosign(note, LOG, 5)
    with pytest.raises(notes.BadKey):
        notes.sign_note("text\n", [WITNESS])
    assert notes.verify_cosignatures(note, [LOG.verifier]) == ()


@pytest.mark.parametrize(
    "extensions", [(), ("suite sm2-sm3",), ("suite ed25519-sha256", "suite ed25519-sha256"), ("x",)]
)
def test_an_unknown_suite_is_refused(extensions):
    with pytest.raises(notes.UnknownSuite):
        notes.verify_checkpoint(signed(extensions=extensions), [LOG.verifier])


@given(st.data())
def test_any_flipped_bit_in_a_signed_and_cosigned_checkpoint_is_detected(data):
    note = signed(data.draw(st.integers(0, 2**40)))
    note = note.adding(notes.cosign(note, WITNESS, data.draw(st.integers(0, 2**40))))
    raw = bytearray(str(note).encode())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    try:
        found = notes.verify_checkpoint(bytes(raw), [LOG.verifier], [WITNESS.verifier])
    except (notes.Malformed, notes.Refuted):
        return
    # A name or key id that changed makes the line one of an unknown key: it no longer counts.
    assert not (found.signed_by and found.witnessed_by)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name AAAA\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n— name AAAAAAAA\n\n",
        "text\n\n— na+me AAAAAAAA\n",
        "text\n\n— na\u2003me AAAAAAAA\n",
        "text\n\n— name  AAAAAAAA\n",
        "text\n\n— name AAAAAAA\n",
        "text\n\n— name AAAAAAB=\n",
        "text\n\n— name AAAAAAAA\nmore\n",
        "te\txt\n\n— name AAAAAAAA\n",
        "te\rxt\n\n— name AAAAAAAA\n",
        "te\x00xt\n\n— name AAAAAAAA\n",
        "\ud800\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 101,
        "x" * 1_000_001,
    ],
)
def test_what_is_not_a_note_is_refused(text):
    with pytest.raises(notes.BadNote):
        notes.Note.parse(text)


def test_a_note_may_bear_a_hundred_signatures_and_bytes_must_be_utf8():
    assert len(notes.Note.parse("t\n\n" + "— name AAAAAAAA\n" * 100).signatures) == 100
    with pytest.raises(notes.BadNote):
        notes.Note.parse(b"\xff\n\n\xe2\x80\x94 name AAAAAAAA\n")


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "o\n1\n",
        "\n1\nROOT\n",
        "o\n01\nROOT\n",
        "o\n-1\nROOT\n",
        "o\n+1\nROOT\n",
        "o\n1 \nROOT\n",
        "o\n9223372036854775808\nROOT\n",
        "o\n99999999999999999999\nROOT\n",
        "o\n١\nROOT\n",
        "o\n1\nAAAA\n",
        "o\n1\nROOT=\n",
        "o\n1\nROOT",
        "o\n1\nROOT\n\n",
        "o\n1\nROOT\n\next\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(lines):
    with pytest.raises(notes.BadCheckpoint):
        notes.Checkpoint.parse(lines.replace("ROOT", base64.b64encode(ROOT).decode()))


@given(st.data())
def test_a_vkey_with_any_flipped_bit_is_refused(data):
    raw = bytearray(str(LOG.verifier).encode())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    text = raw.decode(errors="replace")
    if text.strip() != str(LOG.verifier):
        with pytest.raises(notes.BadKey):
            notes.VerifierKey.parse(text)


@pytest.mark.parametrize("text", ["", "a", "a+b", "a+00000000+", "+530d903a+AQ==", SAMPLE_KEY[:-4]])
def test_what_is_not_a_vkey_is_refused(text):
    with pytest.raises(notes.BadKey):
        notes.VerifierKey.parse(text)


def test_other_algorithms_and_names_are_refused():
    with pytest.raises(notes.BadKey):
        notes.VerifierKey(name="a", algorithm=2, public=bytes(32))
    for name in ("", "a b", "a+b", "a\u00a0b", "a\nb", "a" * 256):
        with pytest.raises(notes.BadKey):
            notes.SignerKey(name=name, seed=bytes(32))


def test_fingerprints_are_read_as_people_write_them():
    fingerprint = LOG.verifier.fingerprint
    pairs = [fingerprint[at : at + 2].upper() for at in range(0, 64, 2)]
    assert notes.normal_fingerprint(":".join(pairs)) == fingerprint
    assert notes.normal_fingerprint(f" {fingerprint[:32]} {fingerprint[32:]}\n") == fingerprint
    for text in ("", fingerprint[:-1], fingerprint + "0", "g" * 64):
        with pytest.raises(notes.BadFingerprint):
            notes.normal_fingerprint(text)
