# SPDX-License-Identifier: Apache-2.0
"""Blobs: whole or absent, named by their content, never outside their folder."""

import hashlib
import io
import multiprocessing
import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.runtime.blobs import (
    BadBlobRef,
    BlobAltered,
    BlobMissing,
    BlobRef,
    BlobStore,
    BlobTooLarge,
    StorageFull,
    StorageUnavailable,
    replace_file,
)


def everything(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if not path.is_dir())


def test_content_comes_back_and_is_kept_once(tmp_path):
    store = BlobStore(tmp_path / "blobs")
    content = os.urandom(3_000_000)
    ref = store.put(io.BytesIO(content), limit_bytes=3_000_000)
    assert ref == BlobRef(sha256=hashlib.sha256(content).hexdigest(), size=3_000_000)
    assert store.put(content, limit_bytes=3_000_000) == ref
    assert len(everything(tmp_path)) == 1
    with store.open(ref) as stream:
        assert stream.read() == content
    store.verify(ref)
    assert tuple(store.iterate()) == (ref,)


@given(st.binary(max_size=2000))
def test_any_bytes_round_trip(tmp_path_factory, content):
    store = BlobStore(tmp_path_factory.getbasetemp() / "any")
    ref = store.put(content, limit_bytes=2000)
    with store.open(ref) as stream:
        assert stream.read() == content


def test_one_byte_too_many_leaves_nothing(tmp_path):
    store = BlobStore(tmp_path)
    with pytest.raises(BlobTooLarge):
        store.put(io.BytesIO(b"x" * 1001), limit_bytes=1000)
    assert everything(tmp_path) == []


class Breaking(io.BytesIO):
    def read(self, size=-1, /):
        if self.tell() > 0:
            raise ConnectionError("the client went away")
        return super().read(10)


def test_a_source_that_breaks_leaves_nothing(tmp_path):
    with pytest.raises(StorageUnavailable):
        BlobStore(tmp_path).put(Breaking(b"x" * 100), limit_bytes=1000)
    assert everything(tmp_path) == []


def test_a_damaged_blob_is_detected_and_mended_by_putting_it_again(tmp_path):
    store = BlobStore(tmp_path)
    ref = store.put(b"a certificate", limit_bytes=100)
    path = everything(tmp_path)[0]
    path.write_bytes(b"a Certificate")
    with pytest.raises(BlobAltered):
        store.verify(ref)
    store.put(b"a certificate", limit_bytes=100)
    store.verify(ref)
    path.write_bytes(b"a certificate, and more")
    with pytest.raises(BlobAltered):
        store.verify(ref)


@pytest.mark.parametrize(
    "name",
    ["", "../../etc/passwd", "A" * 64, "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "/" * 64],
)
def test_only_64_hexadecimal_digits_name_a_blob(name):
    with pytest.raises(BadBlobRef):
        BlobRef(sha256=name, size=1)


def test_an_absent_blob_and_a_link_in_its_place_are_missing(tmp_path):
    store = BlobStore(tmp_path / "blobs")
    ref = store.put(b"content", limit_bytes=100)
    path = everything(tmp_path)[0]
    secret = tmp_path / "secret"
    secret.write_bytes(b"content")
    path.unlink()
    with pytest.raises(BlobMissing):
        store.verify(ref)
    path.symlink_to(secret)
    with pytest.raises(BlobMissing):
        store.open(ref)
    path.unlink()
    path.mkdir()
    with pytest.raises(BlobMissing):
        store.open(ref)
    assert tuple(store.iterate()) == ()


def test_a_full_disk_refuses_and_leaves_nothing(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine does not allow mounting")
    try:
        store = BlobStore(tmp_path / "blobs")
        kept = store.put(b"k" * 1000, limit_bytes=1000)
        with pytest.raises(StorageFull):
            store.put(io.BytesIO(os.urandom(1_000_000)), limit_bytes=2_000_000)
        assert len(everything(tmp_path)) == 1
        with pytest.raises(StorageFull):
            replace_file(tmp_path / "file", os.urandom(1_000_000))
        assert len(everything(tmp_path)) == 1
        store.verify(kept)
        store.put(b"there is room again", limit_bytes=1000)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def write_until_killed(directory, started):
    class Endless(io.RawIOBase):
        def read(self, size=-1, /):
            started.set()
            return b"x" * 1000

    BlobStore(directory).put(Endless(), limit_bytes=1 << 40)


def test_what_a_killed_writer_left_is_swept_and_a_living_writer_is_not_disturbed(tmp_path):
    context = multiprocessing.get_context("spawn")
    store = BlobStore(tmp_path)
    started = context.Event()
    writer = context.Process(target=write_until_killed, args=(tmp_path, started))
    writer.start()
    assert started.wait(30)
    assert store.sweep_temporary() == 0
    assert len(everything(tmp_path)) == 1
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert store.sweep_temporary() == 1
    assert everything(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable):
        BlobStore(tmp_path / "file" / "blobs")


def test_replacing_a_file_keeps_its_mode_private(tmp_path):
    replace_file(tmp_path / "f", b"one")
    replace_file(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"two"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    assert everything(tmp_path) == [tmp_path / "f"]
