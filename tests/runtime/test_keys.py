# SPDX-License-Identifier: Apache-2.0
"""Keys: sealed apart from what unlocks them, rotated, resealed whole or not at all."""

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel import errors
from lingqu.runtime.keys import (
    BadPurpose,
    BadSignature,
    KeyExists,
    KeyFileBad,
    KeyFileExists,
    KeyFileInside,
    KeyFileLoose,
    KeyFileMissing,
    KeyId,
    Keyring,
    KeyringAltered,
    NoKey,
    Signature,
    UnknownKey,
    UnknownSuite,
    Unlock,
    WrongUnlock,
    create_key_file,
)

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def key_id():
    return KeyId.make(unix_ms=1_772_438_400_000, entropy=os.urandom(10))


def unlock(tmp_path, name="ring.key"):
    path = tmp_path / name
    if not path.exists():
        create_key_file(path)
    return Unlock.from_key_file(path)


@pytest.fixture
def ring(tmp_path):
    ring = Keyring.open(tmp_path / "keys", unlock(tmp_path))
    ring.create("log", at=AT, key_id=key_id())
    return ring


def test_a_ring_signs_and_verifies_after_opening_again(tmp_path, ring):
    signature = ring.current("log").sign(b"checkpoint")
    assert signature.suite == "ed25519-sha256"
    again = Keyring.open(tmp_path / "keys", unlock(tmp_path))
    again.verify(signature, b"checkpoint")
    assert again.all("log") == ring.all("log")
    assert again.current("log").sign(b"checkpoint") == signature


def test_old_signatures_verify_after_rotation_and_only_the_new_key_signs(tmp_path, ring):
    old = ring.current("log").sign(b"m")
    later = AT + timedelta(days=1)
    ring.rotate("log", at=later, key_id=key_id())
    ring.rotate("log", at=later + timedelta(days=1), key_id=key_id())
    new = ring.current("log").sign(b"m")
    assert old.key != new.key
    again = Keyring.open(tmp_path / "keys", unlock(tmp_path))
    again.verify(old, b"m")
    again.verify(new, b"m")
    first, second, third = again.all("log")
    assert (first.id, first.retired_at) == (old.key, later)
    assert second.retired_at == later + timedelta(days=1)
    assert (third.id, third.retired_at) == (new.key, None)


def test_a_second_process_sees_a_rotation_after_reload(tmp_path, ring):
    other = Keyring.open(tmp_path / "keys", unlock(tmp_path))
    ring.rotate("log", at=AT, key_id=key_id())
    other.reload()
    assert other.current("log").info == ring.current("log").info


@given(st.binary(max_size=200), st.data())
def test_any_flipped_bit_of_message_or_signature_is_refused(tmp_path_factory, message, data):
    folder = tmp_path_factory.getbasetemp() / "flips"
    folder.mkdir(exist_ok=True)
    ring = Keyring.open(folder / "keys", unlock(folder))
    if not ring.all("log"):
        ring.create("log", at=AT, key_id=key_id())
    good = ring.current("log").sign(message)
    bit = data.draw(st.integers(0, 64 * 8 - 1))
    value = bytearray(good.value)
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        ring.verify(Signature(suite=good.suite, key=good.key, value=bytes(value)), message)
    with pytest.raises(BadSignature):
        ring.verify(good, message + b"x")
    with pytest.raises(BadSignature):
        ring.verify(Signature(suite="other", key=good.key, value=good.value), message)
    with pytest.raises(UnknownKey):
        ring.verify(Signature(suite=good.suite, key=key_id(), value=good.value), message)


@given(st.data())
def test_any_flipped_bit_in_a_file_of_the_ring_is_refused(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "sealed"
    folder.mkdir(exist_ok=True)
    if not (folder / "keys").exists():
        ring = Keyring.open(folder / "keys", unlock(folder))
        ring.create("log", at=AT, key_id=key_id())
        ring.rotate("log", at=AT, key_id=key_id())
    files = sorted(path for path in (folder / "keys").rglob("*") if path.stat().st_size)
    path = data.draw(st.sampled_from([path for path in files if path.is_file()]))
    original = path.read_bytes()
    bit = data.draw(st.integers(0, len(original) * 8 - 1))
    changed = bytearray(original)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    try:
        with pytest.raises((KeyringAltered, WrongUnlock)):
            Keyring.open(folder / "keys", unlock(folder))
    finally:
        path.write_bytes(original)
    Keyring.open(folder / "keys", unlock(folder))


@pytest.mark.usefixtures("ring")
def test_a_key_under_another_name_or_a_lost_current_is_refused(tmp_path):
    (path,) = (tmp_path / "keys").glob("g*/key_*.json")
    moved = path.rename(path.with_name(f"{key_id()}.json"))
    with pytest.raises(KeyringAltered):
        Keyring.open(tmp_path / "keys", unlock(tmp_path))
    moved.rename(path)
    (tmp_path / "keys" / "current").unlink()
    with pytest.raises(KeyringAltered):
        Keyring.open(tmp_path / "keys", unlock(tmp_path))


def test_the_wrong_key_file_or_passphrase_is_refused(tmp_path, ring):
    with pytest.raises(WrongUnlock):
        Keyring.open(tmp_path / "keys", unlock(tmp_path, "other.key"))
    with pytest.raises(WrongUnlock):
        Keyring.open(tmp_path / "keys", Unlock.from_passphrase("guess"))
    ring.reseal(Unlock.from_passphrase("correct horse"))
    with pytest.raises(WrongUnlock):
        Keyring.open(tmp_path / "keys", Unlock.from_passphrase("Correct horse"))
    Keyring.open(tmp_path / "keys", Unlock.from_passphrase("correct horse")).current("log")


def test_key_files_are_private_whole_and_never_overwritten(tmp_path):
    path = tmp_path / "sub" / "k"
    with pytest.raises(KeyFileMissing):
        Unlock.from_key_file(path)
    create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_bytes()
    assert len(content) == 32
    with pytest.raises(KeyFileExists):
        create_key_file(path)
    assert path.read_bytes() == content
    for mode in (0o640, 0o604, 0o620, 0o666):
        path.chmod(mode)
        with pytest.raises(KeyFileLoose) as refused:
            Unlock.from_key_file(path)
        assert refused.value.parameters["mode"] == f"{mode:04o}"
    path.chmod(0o600)
    for wrong in (b"", content[:31], content + b"\n"):
        path.write_bytes(wrong)
        with pytest.raises(KeyFileBad):
            Unlock.from_key_file(path)
    with pytest.raises(KeyFileBad):
        Unlock.from_key_file(tmp_path)


def test_a_passphrase_file_is_read_without_its_line_end(tmp_path):
    path = tmp_path / "phrase"
    path.touch(mode=0o600)
    path.write_text("correct horse\n")
    ring = Keyring.open(tmp_path / "keys", Unlock.from_passphrase_file(path))
    ring.create("log", at=AT, key_id=key_id())
    Keyring.open(tmp_path / "keys", Unlock.from_passphrase("correct horse"))
    for wrong in (b"", b"\n", b"\xff\xfe", b"x" * 5000):
        path.write_bytes(wrong)
        with pytest.raises(KeyFileBad):
            Unlock.from_passphrase_file(path)


def test_a_key_file_inside_what_it_protects_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    inside = unlock(tmp_path / "data")
    with pytest.raises(KeyFileInside):
        Keyring.open(tmp_path / "data" / "keys", inside, data_dir=tmp_path / "data")
    with pytest.raises(KeyFileInside):
        Keyring.open(tmp_path / "data", inside)
    ring = Keyring.open(tmp_path / "data" / "keys", unlock(tmp_path), data_dir=tmp_path / "data")
    with pytest.raises(KeyFileInside):
        ring.reseal(inside)


def test_purposes_are_separate_and_created_once(ring):
    with pytest.raises(KeyExists):
        ring.create("log", at=AT, key_id=key_id())
    with pytest.raises(NoKey):
        ring.current("certificate")
    with pytest.raises(NoKey):
        ring.rotate("certificate", at=AT, key_id=key_id())
    with pytest.raises(BadPurpose):
        ring.create("../x", at=AT, key_id=key_id())
    with pytest.raises(UnknownSuite):
        ring.create("certificate", at=AT, key_id=key_id(), suite="rot13")
    taken = ring.current("log").info.id
    with pytest.raises(KeyExists):
        ring.create("certificate", at=AT, key_id=taken)
    ring.create("certificate", at=AT, key_id=key_id())
    assert ring.current("certificate").info.id != taken


def test_no_private_byte_is_shown_or_pickled_or_stored_in_clear(tmp_path, ring):
    signing = ring.current("log")
    private = signing._private
    key_file = (tmp_path / "ring.key").read_bytes()
    with pytest.raises(WrongUnlock) as refused:
        Keyring.open(tmp_path / "keys", unlock(tmp_path, "other.key"))
    shown = " ".join(map(repr, (ring, signing, unlock(tmp_path), refused.value)))
    stored = b"".join(p.read_bytes() for p in (tmp_path / "keys").rglob("*") if p.is_file())
    for secret in (private, key_file):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
        assert secret.hex().encode() not in stored
        assert secret not in stored
    for unpicklable in (signing, unlock(tmp_path)):
        with pytest.raises(TypeError):
            pickle.dumps(unpicklable)
    for path in (tmp_path / "keys").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_concurrent_readers_are_not_disturbed_by_rotation(ring):
    failures, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            try:
                ring.verify(ring.current("log").sign(b"m"), b"m")
            except Exception as error:  # noqa: BLE001  # whatever a thread meets is the result
                failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(10):
        ring.rotate("log", at=AT + timedelta(seconds=number), key_id=key_id())
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def reseal_and_die(folder, step):
    """Reseal, killed at the step-th time that the file system is about to change."""
    ring = Keyring.open(folder / "keys", Unlock.from_key_file(folder / "ring.key"))
    new = Unlock.from_key_file(folder / "new.key")
    seen = 0

    def hook(event, args):
        nonlocal seen
        writes = event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT
        if writes or event in {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    ring.reseal(new)


def test_a_reseal_killed_at_any_step_leaves_a_ring_that_opens_whole(tmp_path):
    context = multiprocessing.get_context("fork")
    folder = tmp_path / "w"
    origin = tmp_path / "origin"
    ring = Keyring.open(origin / "keys", unlock(tmp_path))
    ring.create("log", at=AT, key_id=key_id())
    ring.rotate("log", at=AT, key_id=key_id())
    ring.create("certificate", at=AT, key_id=key_id())
    shutil.copy(tmp_path / "ring.key", origin)
    create_key_file(origin / "new.key")
    signature, opened_by = ring.current("log").sign(b"m"), set()
    for step in range(1, 100):
        shutil.copytree(origin, folder)
        child = context.Process(target=reseal_and_die, args=(folder, step))
        child.start()
        child.join(30)
        for name in ("ring.key", "new.key"):
            try:
                found = Keyring.open(folder / "keys", Unlock.from_key_file(folder / name))
            except WrongUnlock:
                continue
            opened_by.add(name)
            break
        found.verify(signature, b"m")
        assert len(found.all("log")) == 2
        assert len(list((folder / "keys").glob("g*"))) == 1
        shutil.rmtree(folder)
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
    assert child.exitcode == 0
    assert step > 8
    assert opened_by == {"ring.key", "new.key"}


def test_what_is_derived_stays_the_same_when_keys_follow(ring):
    first = ring.derive("log", about="one")
    ring.rotate("log", at=AT + timedelta(days=1), key_id=key_id())
    assert ring.derive("log", about="one") == first != ring.derive("log", about="two")
    with pytest.raises(NoKey):
        ring.derive("nothing", about="one")


def test_a_sealed_file_names_everything_but_the_private_key(tmp_path, ring):
    (path,) = (tmp_path / "keys").glob("g*/key_*.json")
    record = json.loads(path.read_bytes())
    assert record["purpose"] == "log"
    assert record["suite"] == "ed25519-sha256"
    assert record["created_at"] == "2026-03-02T08:00:00.000000Z"
    assert bytes.fromhex(record["public"]) == ring.current("log").info.public
    assert issubclass(KeyringAltered, errors.Rejected)
