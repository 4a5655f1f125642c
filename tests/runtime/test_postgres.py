# SPDX-License-Identifier: Apache-2.0
"""The embedded server's life: made, shared, stopped, killed and found again."""

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import psycopg
import pytest

from lingqu.runtime.postgres import (
    PostgresServer,
    cluster,
    diagnose,
    discard_postgres,
    open_postgres,
    places,
)
from lingqu.runtime.postgres.refusals import FolderCopied, ForeignCluster, InUse

pytestmark = pytest.mark.timeout(300)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")

NOBODY = pwd.getpwnam("nobody")

HOLDER = """
import os, sys
from pathlib import Path
from lingqu.runtime.postgres import open_postgres
folder, cache = Path(sys.argv[1]), sys.argv[2]
with open_postgres(data_dir=folder, cache_dir=Path(cache) if cache else None) as server:
    print(server.app_conninfo, flush=True)
    sys.stdin.readline()
"""


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
    """A data folder with a finished database, a copy of one made once."""
    folder = Path(tempfile.mkdtemp(prefix="lq"))
    folder.chmod(0o755)
    subprocess.run(["cp", "-a", template, folder / "data"], check=True)
    yield folder / "data"
    if (folder / "data").exists():
        discard_postgres(data_dir=folder / "data")
    shutil.rmtree(folder)


def hold(data_dir, *, cache="", **identity):
    """A process of its own that uses the server until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir), cache],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **identity,
    )
    conninfo = process.stdout.readline().strip()
    assert conninfo, process.communicate()[1]
    return process, conninfo


def leave(process):
    _, said = process.communicate("\n", timeout=60)
    assert process.returncode == 0, said


def kill(process):
    process.kill()
    process.communicate()


def as_nobody(act):
    """Do something in a process that has given up every right of root."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            os.chdir("/")
            for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
                os.environ.pop(name, None)
            act()
            status = 0
        except BaseException:  # noqa: BLE001 -- the child must end here, whatever happens
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see what it printed"


def number_of(data_dir):
    folder = Path(places.read_place(data_dir).cluster)
    number = cluster.postmaster(folder)
    assert number is not None
    return number


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.01)


def ask(conninfo, query):
    with psycopg.connect(conninfo) as session:
        cursor = session.execute(query)
        while cursor.nextset():
            pass
        return cursor.fetchone()[0]


def test_a_new_server_has_its_roles_extensions_and_durable_settings(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        assert isinstance(server, PostgresServer)
        assert server.embedded
        assert server.version.startswith("18.")
        assert ask(server.app_conninfo, "SELECT current_user") == "lingqu_app"
        assert ask(server.owner_conninfo, "SELECT current_user") == "lingqu_owner"
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'lingqu'"
        assert ask(server.app_conninfo, owner) == "lingqu_owner"
        for role in ("lingqu_app", "lingqu_owner"):
            query = f"SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = '{role}'"
            assert ask(server.app_conninfo, query) is False
        names = "SELECT array_agg(extname::text ORDER BY extname) FROM pg_extension"
        assert ask(server.app_conninfo, names) == ["btree_gist", "pg_trgm", "plpgsql"]
        for name, value in {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
        }.items():
            assert ask(server.app_conninfo, f"SHOW {name}") == value, name


def test_trigrams_see_chinese_characters(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        assert len(ask(server.app_conninfo, "SELECT public.show_trgm('数据交易')")) > 3


def test_the_application_cannot_create_or_own_anything(data_dir):
    with (
        open_postgres(data_dir=data_dir) as server,
        psycopg.connect(server.app_conninfo, autocommit=True) as session,
    ):
        for statement in (
            "CREATE SCHEMA s",
            "CREATE TABLE public.t (a int)",
            "CREATE ROLE r",
            "SET ROLE lingqu_owner",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)


def test_no_password_gets_in_nobody_without_one_and_none_is_shown(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        passwords = json.loads((data_dir / "roles.json").read_text())
        assert len({*passwords.values()}) == 3
        assert stat.S_IMODE((data_dir / "roles.json").stat().st_mode) == 0o600
        shown = repr(server) + subprocess.check_output(["ps", "axww", "-o", "args"], text=True)
        for password in passwords.values():
            assert password not in shown
        bare = psycopg.conninfo.make_conninfo(server.app_conninfo, password="wrong")
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(bare)


def test_programs_of_the_same_version_are_given(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        for name in ("psql", "pg_dump", "pg_restore"):
            said = subprocess.check_output([server.program(name), "--version"], text=True)
            assert server.version in said


def test_rows_stay_when_the_server_is_stopped_and_the_last_one_stops_it(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        with psycopg.connect(server.owner_conninfo) as session:
            session.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 7 AS a")
        with open_postgres(data_dir=data_dir) as second:
            assert second.app_conninfo == server.app_conninfo
        assert ask(server.owner_conninfo, "SELECT a FROM s.t") == 7
        assert cluster.is_alive(data_dir)
    assert not cluster.is_alive(data_dir)
    assert not Path(psycopg.conninfo.conninfo_to_dict(server.app_conninfo)["host"]).exists()
    server.close()
    with open_postgres(data_dir=data_dir) as server:
        assert ask(server.owner_conninfo, "SELECT a FROM s.t") == 7


def test_two_processes_share_one_server_and_either_may_leave_first(data_dir):
    first, conninfo = hold(data_dir)
    second, same = hold(data_dir)
    assert same == conninfo
    leave(first)
    assert ask(conninfo, "SELECT 1") == 1
    leave(second)
    assert not cluster.is_alive(data_dir)


def test_processes_that_start_at_the_same_moment_make_one_server(data_dir):
    command = [sys.executable, "-c", HOLDER, str(data_dir), ""]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    answers = {process.stdout.readline() for process in processes}
    assert len(answers) == 1
    for process in processes:
        leave(process)
    assert not cluster.is_alive(data_dir)


def test_a_server_whose_starter_was_killed_is_adopted_and_stopped_by_the_next(data_dir):
    starter, conninfo = hold(data_dir)
    before = number_of(data_dir)
    kill(starter)
    assert ask(conninfo, "SELECT 1") == 1
    with open_postgres(data_dir=data_dir) as server:
        assert number_of(data_dir) == before
        assert server.app_conninfo == conninfo
    assert not cluster.is_alive(data_dir)


@pytest.mark.crash
def test_a_killed_server_comes_back_with_every_committed_row(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        ask(server.owner_conninfo, "CREATE SCHEMA s; CREATE TABLE s.t (a int); SELECT 1")
        for round_ in range(1, 4):
            with psycopg.connect(server.owner_conninfo, autocommit=True) as session:
                session.execute("INSERT INTO s.t SELECT generate_series(1, 1000)")
                os.kill(number_of(data_dir), signal.SIGKILL)
            server.ensure_running()
            assert ask(server.owner_conninfo, "SELECT count(*) FROM s.t") == 1000 * round_


@pytest.mark.crash
def test_a_new_user_finds_a_killed_server_and_starts_it_again(data_dir):
    holder, conninfo = hold(data_dir)
    os.kill(number_of(data_dir), signal.SIGKILL)
    with open_postgres(data_dir=data_dir) as server:
        assert server.app_conninfo == conninfo
        assert ask(conninfo, "SELECT 1") == 1
    assert cluster.is_alive(data_dir)
    leave(holder)
    assert not cluster.is_alive(data_dir)


@pytest.mark.crash
def test_a_busy_orphan_of_a_killed_server_is_ended_before_a_new_one_starts(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        with psycopg.connect(server.app_conninfo, autocommit=True) as session:
            orphan = session.info.backend_pid
            # A stopped process notices nothing, not even that its server is dead.
            os.kill(orphan, signal.SIGSTOP)
            os.kill(number_of(data_dir), signal.SIGKILL)
            server.ensure_running()
            assert not Path(f"/proc/{orphan}/cwd").exists()
        assert ask(server.app_conninfo, "SELECT 1") == 1


def test_ensure_running_leaves_a_running_server_alone(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        before = number_of(data_dir)
        server.ensure_running()
        assert number_of(data_dir) == before
    server.ensure_running()
    assert not cluster.is_alive(data_dir)


def test_a_process_number_that_was_reused_is_not_taken_for_the_server(data_dir):
    holder, _ = hold(data_dir)
    number = number_of(data_dir)
    os.kill(number, signal.SIGKILL)
    kill(holder)
    wait_until(lambda: not cluster.is_alive(data_dir))
    mark = Path(places.read_place(data_dir).cluster) / "postmaster.pid"
    mark.write_text(mark.read_text().replace(str(number), str(os.getpid()), 1))
    with open_postgres(data_dir=data_dir) as server:
        assert ask(server.app_conninfo, "SELECT 1") == 1


def test_an_interrupt_meant_for_the_foreground_does_not_reach_the_server(data_dir):
    holder, conninfo = hold(data_dir, start_new_session=True)
    assert os.getpgid(number_of(data_dir)) != os.getpgid(holder.pid)
    os.killpg(holder.pid, signal.SIGINT)
    holder.wait(30)
    holder.communicate()
    # The interrupted process left in order: it was the last and stopped the server itself.
    assert not cluster.is_alive(data_dir)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


def test_the_server_inherits_no_lock_of_its_users_and_a_forked_child_holds_none(data_dir):
    server = open_postgres(data_dir=data_dir)
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        server.close()
        os.write(ready[1], b"x")
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    assert ask(server.app_conninfo, "SELECT 1") == 1
    server.close()
    assert not cluster.is_alive(data_dir)
    os.write(done[1], b"x")
    assert os.waitpid(child, 0)[1] == 0
    for end in (*ready, *done):
        os.close(end)


def test_a_copied_folder_runs_beside_its_original(data_dir):
    with open_postgres(data_dir=data_dir) as server:
        ask(server.owner_conninfo, "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS a; SELECT 1")
    copy = data_dir.with_name("copy")
    subprocess.run(["cp", "-a", data_dir, copy], check=True)
    with open_postgres(data_dir=data_dir) as one, open_postgres(data_dir=copy) as other:
        assert one.app_conninfo != other.app_conninfo
        with psycopg.connect(one.owner_conninfo) as session:
            session.execute("UPDATE s.t SET a = 2")
        assert ask(other.owner_conninfo, "SELECT a FROM s.t") == 1
    discard_postgres(data_dir=copy)


def test_a_folder_that_was_copied_while_it_ran_is_recovered_in_the_copy(data_dir):
    copy = data_dir.with_name("copy")
    with open_postgres(data_dir=data_dir):
        subprocess.run(["cp", "-a", data_dir, copy], check=True)
        with open_postgres(data_dir=copy) as other:
            assert ask(other.app_conninfo, "SELECT 1") == 1
            assert number_of(copy) != number_of(data_dir)
    discard_postgres(data_dir=copy)


@pytest.mark.parametrize("name", ["with space", "数据 夹", "a'b\"c$HOME`;", "%s {x}"])
def test_any_name_of_a_data_folder_works(data_dir, name):
    odd = data_dir.with_name(name)
    data_dir.rename(odd)
    with open_postgres(data_dir=odd) as server:
        assert ask(server.app_conninfo, "SELECT 1") == 1
    discard_postgres(data_dir=odd)


def test_an_interrupted_first_start_is_taken_up_again(template):
    folder = template.with_name("cut")
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder), ""])
    making = folder / "postgres.making"
    wait_until(making.exists)
    process.kill()
    process.wait()
    with open_postgres(data_dir=folder) as server:
        assert ask(server.app_conninfo, "SELECT current_user") == "lingqu_app"
    assert not making.exists()
    discard_postgres(data_dir=folder)


def test_discarding_is_refused_while_anybody_uses_the_database(data_dir):
    with open_postgres(data_dir=data_dir), pytest.raises(InUse):
        discard_postgres(data_dir=data_dir)
    discard_postgres(data_dir=data_dir)
    assert not (data_dir / "postgres").exists()
    discard_postgres(data_dir=data_dir)


def test_discarding_stops_a_server_that_nobody_uses(data_dir):
    holder, conninfo = hold(data_dir)
    kill(holder)
    discard_postgres(data_dir=data_dir)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


@needs_root
def test_as_root_the_server_runs_as_an_account_without_shell_or_home(data_dir):
    with open_postgres(data_dir=data_dir):
        owner = Path(f"/proc/{number_of(data_dir)}").stat().st_uid
        account = pwd.getpwuid(owner)
        assert owner != 0
        assert account.pw_name in {"lingqu", "nobody"}
        assert account.pw_shell.endswith(("nologin", "false"))
        status = Path(f"/proc/{number_of(data_dir)}/status").read_text()
        groups = status.split("Groups:")[1].split("\n")[0].split()
        assert {*groups} <= {str(account.pw_gid)}
        environment = Path(f"/proc/{number_of(data_dir)}/environ").read_text()
        assert {entry.split("=")[0] for entry in environment.split("\0") if entry} <= {
            "PATH", "LC_ALL", "TZ", "HOME", "PWD", "PGDATA", "PG_GRANDPARENT_PID", "OLDPWD", "_",
        }  # fmt: skip


@needs_root
def test_a_data_folder_that_only_root_can_enter_gets_its_database_elsewhere(tmp_path):
    tmp_path.chmod(0o700)
    data_dir = tmp_path / "data"
    with open_postgres(data_dir=data_dir) as server:
        place = places.read_place(data_dir)
        assert not place.inside
        assert Path(place.cluster).is_relative_to("/var/lib/lingqu")
        with psycopg.connect(server.owner_conninfo) as session:
            session.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 3 AS a")
    shutil.copytree(data_dir, tmp_path / "copy")
    with pytest.raises(FolderCopied) as refused:
        open_postgres(data_dir=tmp_path / "copy")
    assert refused.value.parameters["original"] == str(data_dir)
    data_dir.rename(tmp_path / "moved")
    with open_postgres(data_dir=tmp_path / "moved") as server:
        assert [warning.code for warning in server.warnings] == ["runtime.postgres.folder_moved"]
        assert ask(server.owner_conninfo, "SELECT a FROM s.t") == 3
    discard_postgres(data_dir=tmp_path / "moved")
    assert not Path(place.cluster).parent.exists()


@needs_root
def test_an_ordinary_account_runs_its_own_server(template):
    folder = template.with_name("ordinary")
    folder.mkdir(mode=0o700)
    shutil.chown(folder, "nobody", NOBODY.pw_gid)
    data_dir, cache = folder / "data", folder / "cache"

    def use():
        with open_postgres(data_dir=data_dir, cache_dir=cache) as server:
            assert server.warnings == ()
            assert ask(server.app_conninfo, "SELECT current_user") == "lingqu_app"
            assert Path(f"/proc/{number_of(data_dir)}").stat().st_uid == NOBODY.pw_uid
            assert not [
                found for found in diagnose(data_dir=data_dir, cache_dir=cache) if not found.ok
            ]
        assert not cluster.is_alive(data_dir)

    as_nobody(use)
    # Root uses the folder as its owner would (never programs that the owner could exchange),
    # and leaves nothing there that locks him out.
    with open_postgres(data_dir=data_dir) as server:
        assert ask(server.app_conninfo, "SELECT 1") == 1
        assert Path(f"/proc/{number_of(data_dir)}").stat().st_uid == NOBODY.pw_uid
    as_nobody(use)
    discard_postgres(data_dir=data_dir)


@needs_root
def test_an_ordinary_account_is_told_whose_a_foreign_database_is(data_dir):
    def use():
        with pytest.raises(ForeignCluster) as refused:
            open_postgres(data_dir=data_dir)
        assert refused.value.parameters["owner"] == "root"
        codes = {found.code for found in diagnose(data_dir=data_dir) if not found.ok}
        assert "runtime.postgres.foreign_cluster" in codes

    data_dir.chmod(0o777)
    as_nobody(use)


def test_diagnosis_of_a_sound_machine_is_all_well_and_starts_nothing(data_dir):
    found = diagnose(data_dir=data_dir)
    assert [finding for finding in found if not finding.ok] == []
    assert not cluster.is_alive(data_dir)
    absent = data_dir.with_name("absent")
    found = diagnose(data_dir=absent)
    assert "runtime.postgres.check.cluster_absent" in {finding.code for finding in found}
    assert not absent.exists()
