# SPDX-License-Identifier: Apache-2.0
"""A backup archive is whole or not there, and proves itself when it is opened."""

import gzip
import io
import json
import os
import subprocess
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqu.kernel import errors
from lingqu.runtime import backup
from lingqu.runtime.blobs import StorageFull

NAMES = st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9.]{1,8}x){0,3}", fullmatch=True)


def header(**about):
    return backup.Header(
        format=1, version="0.1.0", created_at="2026-11-21T00:00:00Z", bytes=0, about=about
    )


def make(path, members, **about):
    with backup.ArchiveWriter(path, header(**about)) as writer:
        for name, data in members.items():
            writer.add_bytes(name, data)
        return writer.finish()


def rewritten(path, target, change):
    """A copy of an archive whose members went through `change(name, data)`."""
    with tarfile.open(path) as old, tarfile.open(target, "w:gz") as new:
        for info in old:
            data = change(info.name, old.extractfile(info).read())
            if data is None:
                continue
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return target


@given(st.dictionaries(NAMES, st.binary(max_size=3000), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_put_in_comes_out(tmp_path, members):
    members = {
        name: data
        for name, data in members.items()
        if not any(other != name and other.startswith(f"{name}/") for other in members)
    }
    place = tmp_path / os.urandom(4).hex()
    place.mkdir()
    made = make(place / "a.tar.gz", members, size=7)
    out = place / "out"
    out.mkdir()
    found = backup.unpack(place / "a.tar.gz", out)
    assert found == made
    assert found.header.about == {"size": 7}
    for name, data in members.items():
        assert (out / name).read_bytes() == data


def test_an_archive_is_for_its_owner_only_and_overwrites_nothing(tmp_path):
    path = tmp_path / "a.tar.gz"
    make(path, {"x": b"1"})
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(backup.ArchiveExists):
        make(path, {"x": b"2"})
    assert [one.name for one in tmp_path.iterdir()] == ["a.tar.gz"]


def test_an_archive_that_is_not_finished_leaves_nothing(tmp_path):
    with backup.ArchiveWriter(tmp_path / "a", header()) as writer:
        writer.add_bytes("x", b"1")
        assert [*tmp_path.iterdir()]
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "change",
    [
        lambda name, data: b"altered" if name == "x" else data,
        lambda name, data: None if name == "x" else data,
        lambda name, data: None if name == "manifest.json" else data,
        lambda name, data: data.replace(b'"x"', b'"y"') if name == "manifest.json" else data,
        lambda name, data: b"[]" if name == "manifest.json" else data,
    ],
    ids=["altered", "removed", "no-manifest", "renamed", "empty-manifest"],
)
def test_an_archive_that_was_changed_is_refused(tmp_path, change):
    make(tmp_path / "a", {"x": b"1", "z/w": b"2"})
    changed = rewritten(tmp_path / "a", tmp_path / "b", change)
    (tmp_path / "out").mkdir()
    with pytest.raises(backup.ArchiveDamaged):
        backup.unpack(changed, tmp_path / "out")


def test_an_archive_cut_short_anywhere_is_refused(tmp_path):
    make(tmp_path / "a", {"x": os.urandom(5000), "y": os.urandom(3000)})
    whole = (tmp_path / "a").read_bytes()
    # The last bytes are the padding of the tar and the trailer of the gzip.
    for number, cut in enumerate(range(0, len(whole) - 100, 211)):
        (tmp_path / "cut").write_bytes(whole[:cut])
        out = tmp_path / f"out{number}"
        out.mkdir()
        with pytest.raises((backup.ArchiveDamaged, backup.ArchiveUnreadable)):
            backup.unpack(tmp_path / "cut", out)


def test_a_flipped_bit_anywhere_in_an_archive_is_noticed(tmp_path):
    members = {"x": os.urandom(2000), "y": b"hello" * 300}
    made = make(tmp_path / "a", members)
    whole = (tmp_path / "a").read_bytes()
    for number, at in enumerate(range(10, len(whole), 97)):
        (tmp_path / "b").write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        out = tmp_path / f"out{number}"
        out.mkdir()
        try:
            found = backup.unpack(tmp_path / "b", out)
        except errors.Rejected:
            continue
        # A bit that means nothing (padding) may pass; then everything is still what it was.
        assert found.members == made.members
        assert all((out / name).read_bytes() == data for name, data in members.items())


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../b", "a//b", "x\n", "é" * 3])
def test_a_member_can_never_leave_the_folder(tmp_path, name):
    with tarfile.open(tmp_path / "a", "w:gz") as tar:
        about = {"format": 1, "version": "1", "created_at": "x", "bytes": 0, "about": {}}
        for member, data in ((backup.HEADER, json.dumps(about).encode()), (name, b"1")):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (tmp_path / "in").mkdir()
    with pytest.raises(backup.ArchiveDamaged):
        backup.unpack(tmp_path / "a", tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_a_link_in_an_archive_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a", "w:gz") as tar:
        about = {"format": 1, "version": "1", "created_at": "x", "bytes": 0, "about": {}}
        data = json.dumps(about).encode()
        info = tarfile.TarInfo(backup.HEADER)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("keys")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    (tmp_path / "in").mkdir()
    with pytest.raises(backup.ArchiveDamaged):
        backup.unpack(tmp_path / "a", tmp_path / "in")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", gzip.compress(b"hello", mtime=0), bytes(range(256)) * 8],
    ids=["empty", "words", "zipped words", "bytes"],
)
def test_a_file_that_is_no_backup_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(backup.ArchiveUnreadable):
        backup.read_header(tmp_path / "a")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(backup.ArchiveUnreadable):
            backup.read_header(path)


def test_an_archive_of_a_later_format_is_refused_by_name(tmp_path):
    with tarfile.open(tmp_path / "a", "w:gz") as tar:
        data = json.dumps({"format": 2}).encode()
        info = tarfile.TarInfo(backup.HEADER)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    with pytest.raises(backup.ArchiveNewer):
        backup.read_header(tmp_path / "a")


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(backup.NoRoom):
        backup.need_room(tmp_path / "not" / "there", 1 << 60)
    large = backup.Header(format=1, version="1", created_at="x", bytes=1 << 60, about={})
    with pytest.raises(backup.NoRoom), backup.ArchiveWriter(tmp_path / "a", large):
        pytest.fail("unreachable")
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_up_meanwhile_leaves_nothing(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)])
    if mounted.returncode != 0:
        pytest.skip("this container may not mount")
    monkeypatch.setattr(backup, "SPARE_BYTES", 0)
    try:
        with pytest.raises(StorageFull):
            make(disk / "a", {"x": os.urandom(400_000)})
        assert not [*disk.iterdir()]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_password_never_stands_on_a_command_line():
    dsn, environment = backup.quiet_conninfo("postgresql://anna:s3cret@db.example:5433/x")
    assert "s3cret" not in dsn
    assert "anna" in dsn
    assert "5433" in dsn
    assert environment == {"PGPASSWORD": "s3cret"}
