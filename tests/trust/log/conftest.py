# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of our own, a database for each test, and an installation's log to work on."""

import contextlib
import hashlib
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo as pg_conninfo

from lingqu.runtime import Database
from lingqu.runtime.migrate import migrate
from lingqu.runtime.postgres import discard_postgres, open_postgres
from lingqu.trust import PLATFORM
from lingqu.trust import log as trust_log
from lingqu_verify.entries import Entry, Row, digest, encode_content
from lingqu_verify.notes import SignerKey

ORIGIN = "lingqu.test/log"
AT = "2026-03-02T08:00:00.000000Z"


class Cluster:
    """A PostgreSQL cluster that only this test run uses."""

    def __init__(self, base):
        self.base = base
        self.server = open_postgres(data_dir=base / "data")
        migrate(self.server.owner_conninfo)

    def conninfo(self, dbname, user="owner"):
        admin = self.server.admin_conninfo
        return pg_conninfo.make_conninfo(
            admin if user == "owner" else self.server.app_conninfo, dbname=dbname
        )

    def execute(self, sql, dbname="postgres"):
        with psycopg.connect(self.conninfo(dbname), autocommit=True) as owner:
            owner.execute(sql)

    def kill(self):
        """Kill the whole server as a power cut would."""
        with psycopg.connect(self.conninfo("postgres")) as owner:
            (folder,) = owner.execute("SELECT current_setting('data_directory')").fetchone()
        first = int((Path(folder) / "postmaster.pid").read_text().splitlines()[0])
        os.kill(first, signal.SIGKILL)

    def start(self):
        self.server.ensure_running()


@pytest.fixture(scope="session")
def cluster():
    base = Path(tempfile.mkdtemp(prefix="lingqu-test-log-"))
    base.chmod(0o755)
    made = Cluster(base)
    yield made
    made.server.close()
    discard_postgres(data_dir=base / "data")
    shutil.rmtree(base)


class World:
    """One installation: a database, a folder of logs, a key."""

    def __init__(self, cluster, logs):
        self.cluster = cluster
        self.name = f"log_{uuid.uuid4().hex[:12]}"
        cluster.execute(f'CREATE DATABASE "{self.name}" TEMPLATE lingqu STRATEGY FILE_COPY')
        self.logs = logs
        self.key = SignerKey(name=ORIGIN, seed=b"k" * 32)
        self.database = self.open()
        self.begin_log(ORIGIN, 1, self.key)

    def open(self, size=6):
        return Database(self.cluster.conninfo(self.name, "lingqu_app"), size=size)

    def close(self):
        self.database.close()
        self.cluster.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def owner(self, **options):
        return psycopg.connect(self.cluster.conninfo(self.name), **options)

    def sql(self, sql, params=()):
        """Run a statement as a superuser, behind the back of the rights."""
        with self.owner() as owner:
            cursor = owner.execute(sql, params)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def begin_log(self, origin, number, key, *, kind="own", predecessor=None):
        self.sql(
            "INSERT INTO trust.log VALUES (%s, %s, %s, %s, %s, now(), 1)",
            (origin, number, kind, predecessor, str(key.verifier)),
        )

    def add(self, count=1, *, connection=None, kind="tests.thing.done", rows=0):
        """Commit one command with `count` facts, and give the ids of the facts."""
        if connection is None:
            with self.owner() as owner:
                return self.add(count, connection=owner, kind=kind, rows=rows)
        command = f"cmd_{uuid.uuid4().hex}"
        connection.execute(
            "INSERT INTO trust.command VALUES (%s, 'tests.do', 'acc', NULL, '', NULL, now())",
            (command,),
        )
        facts, versions = [], []
        for ordinal in range(count):
            fact = f"fct_{uuid.uuid4().hex}"
            named = []
            for position in range(rows):
                key, salt = f"{fact}/{position}", os.urandom(16)
                content = encode_content(
                    table="tests.thing", key=key, version=1, shape=1, row={"name": "杨"}
                )
                named.append(
                    Row(table="tests.thing", key=key, version=1, shape=1,
                        digest=digest(salt, content))
                )  # fmt: skip
                versions.append(("tests.thing", key, 1, 1, salt, content.decode(), fact))
            entry = Entry(
                fact=fact, kind=kind, ordinal=ordinal, at=AT, command=command,
                command_name="tests.do", request=hashlib.sha256(command.encode()).hexdigest(),
                actor="acc", rules="0", clock="real", data={"n": ordinal}, rows=tuple(named),
            )  # fmt: skip
            facts.append((fact, ordinal, command, kind, entry.encode().decode()))
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO trust.fact (id, ordinal, command, kind, at, body)"
                " VALUES (%s, %s, %s, %s, now(), %s)",
                facts,
            )
            if versions:
                cursor.executemany(
                    "INSERT INTO trust.row_version VALUES (%s, %s, %s, %s, %s, %s, %s)", versions
                )
        return [fact[0] for fact in facts]

    def signers(self, origin):
        return (SignerKey(name=origin, seed=b"k" * 32),)

    def sequencer(self, database=None, **options):
        return trust_log.Sequencer(database or self.database, self.logs, self.signers, **options)

    @contextlib.contextmanager
    def running(self, *databases, **options):
        """Run a sequencer on each of the databases until the block ends."""
        stop = threading.Event()
        options = {"interval_ms": 50} | options
        made = [self.sequencer(one, **options) for one in databases or (self.database,)]
        threads = [threading.Thread(target=one.run, args=(stop,), daemon=True) for one in made]
        for thread in threads:
            thread.start()
        try:
            yield made[0] if len(made) == 1 else made
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)

    @property
    def log(self):
        with self.database.reading() as tx:
            return trust_log.own_log(tx)

    @property
    def folder(self):
        return trust_log.LogFolder(self.log.folder(self.logs))

    def leaves(self, origin=ORIGIN):
        """The facts in the order of their leaves."""
        rows = self.sql(
            "SELECT index, fact FROM trust.log_leaf WHERE origin = %s ORDER BY index", (origin,)
        )
        assert [row[0] for row in rows] == list(range(len(rows)))
        return [row[1] for row in rows]

    def files(self):
        base = self.folder.path
        return {
            str(path.relative_to(base)): path.read_bytes()
            for path in sorted(base.rglob("*"))
            if path.is_file()
        }

    def check(self, **options):
        with self.database.auditing(PLATFORM) as tx:
            return list(trust_log.check_log(tx, self.logs, **options))


@pytest.fixture
def world(cluster, tmp_path):
    made = World(cluster, tmp_path / "log")
    yield made
    made.close()


@pytest.fixture
def another_world(cluster, tmp_path):
    """Another installation with the same origin and key."""
    made = World(cluster, tmp_path / "other")
    yield made
    made.close()


def until(condition, *, within_s=60.0):
    """Poll until a condition holds, and give what it gave."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found


@pytest.fixture(name="until")
def until_fixture():
    return until
