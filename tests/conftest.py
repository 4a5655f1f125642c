# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of this run, a database for each test, an installation's people in it, and Ctrl-C.

What every test may rely on, however the run was started.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import uuid
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import conninfo as pg_conninfo

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

import lingqu.wiring  # noqa: F401  # loads every domain, so that the audit knows all tables
import scratch  # the folder is on the path only now
from lingqu import trust
from lingqu.runtime import Caller, Database, new_id
from lingqu.runtime.migrate import migrate
from lingqu.runtime.postgres import discard_postgres, open_postgres
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM, CommandId, audit, facts, rows
from lingqu_verify.notes import SignerKey

ORIGIN = "lingqu.test/trust"

scratch.claim()


@pytest.fixture(scope="session")
def tmp_path_factory(tmp_path_factory):
    """Folders as ever, which a database's account can get through where they lie in memory."""
    make = tmp_path_factory.mktemp

    def mktemp(*named, **options):
        folder = make(*named, **options)
        scratch.let_through(folder)
        return folder

    tmp_path_factory.mktemp = mktemp
    return tmp_path_factory


# Everyday runs try some cases of what holds for all, the full matrix tries many.
hypothesis.settings.register_profile("some", max_examples=30, deadline=None)
hypothesis.settings.register_profile("many", max_examples=300, deadline=None)
hypothesis.settings.load_profile("many" if os.environ.get("FULL_MATRIX") else "some")

# A run started in the background inherits an ignored Ctrl-C, and so would every program the tests
# interrupt on purpose.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def trust_server():
    """One server for all tests of the domains."""
    base = Path(tempfile.mkdtemp(prefix="lingqu-test-trust-"))
    base.chmod(0o755)
    data_dir = base / "data"
    server = open_postgres(data_dir=data_dir)
    try:
        migrate(server.owner_conninfo)
        yield server
    finally:
        server.close()
        discard_postgres(data_dir=data_dir)
        shutil.rmtree(base)


class Place:
    """One database as a founded installation has it, with ways in through every role."""

    def __init__(self, server):
        self.server = server
        self.name = f"trust_{uuid.uuid4().hex[:12]}"
        self._on("postgres", f'CREATE DATABASE "{self.name}" TEMPLATE lingqu STRATEGY FILE_COPY')
        self.database = self.open()
        self.key = SignerKey(name=ORIGIN, seed=b"k" * 32)

    def open(self, *, size=6, **options):
        app = pg_conninfo.make_conninfo(self.server.app_conninfo, dbname=self.name)
        return Database(app, size=size, **options)

    def close(self):
        self.database.close()
        self._on("postgres", f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def _on(self, dbname, sql):
        admin = pg_conninfo.make_conninfo(self.server.admin_conninfo, dbname=dbname)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql)

    def found(self, *, story_from=None):
        return self.do(
            trust.found_installation,
            PLATFORM,
            installation=new_id(trust.InstallationId),
            origin=ORIGIN,
            verifier_key=str(self.key.verifier),
            story_from=story_from,
        )

    def do(self, command, caller=LOCAL_ADMINISTRATOR, command_id=None, /, **arguments):
        """Do a command; a new id is made unless one is given."""
        name = command_id or new_id(CommandId)
        return trust.execute(self.database, command, caller, name, **arguments)

    def party(self, name="灵山县", kind=trust.PartyKind.ORGANIZATION):
        party = new_id(trust.PartyId)
        self.do(trust.register_party, party=party, kind=kind, name=name)
        return party

    def account(self, party=None, *, login=None, password=None, role=None):
        """Open an account, give it a role for its party, and give the caller it acts as."""
        party = party or self.party()
        account = new_id(trust.AccountId)
        self.do(
            trust.open_account,
            account=account,
            party=party,
            kind=trust.AccountKind.PERSON,
            login=login,
            password=None if password is None else trust.hash_password(password),
        )
        if role is not None:
            self.give(account, role, party)
        return Caller(account=account, channel="web")

    def give(self, account, role, party):
        assignment = new_id(trust.AssignmentId)
        self.do(trust.assign_role, assignment=assignment, account=account, role=role, party=party)
        return assignment

    def superuser(self, **options):
        admin = pg_conninfo.make_conninfo(self.server.admin_conninfo, dbname=self.name)
        return psycopg.connect(admin, **options)

    def sql(self, sql, params=()):
        """Run a statement as a superuser who also switches off triggers and foreign keys."""
        with self.superuser() as connection:
            connection.execute("SET session_replication_role = replica")
            cursor = connection.execute(sql, params or None)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def facts(self, kind=None):
        """Every fact's entry in the order of commits, of one kind or of all."""
        found = self.sql("SELECT body FROM trust.fact ORDER BY txid, ordinal")
        entries = [json.loads(body) for (body,) in found]
        return [entry for entry in entries if kind in {None, entry["kind"]}]

    def count(self, table):
        return self.sql(f"SELECT count(*) FROM {table}")[0][0]

    def audit(self):
        """Every finding of the audit, in its order."""
        with self.database.auditing(PLATFORM) as tx:
            return list(audit.Audit(tx).findings())

    def everything(self):
        """The text of every row of every table of ours."""
        tables = self.sql(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('trust', 'runtime')"
        )
        assert len(tables) > 15
        return "\n".join(
            str(text)
            for (table,) in tables
            for (text,) in self.sql(f"SELECT to_jsonb(t)::text FROM {table} t")
        )


@pytest.fixture
def place(trust_server):
    made = Place(trust_server)
    made.found()
    yield made
    made.close()


@pytest.fixture
def bare_place(trust_server):
    """A database nobody founded an installation in."""
    made = Place(trust_server)
    yield made
    made.close()


@pytest.fixture(scope="module")
def registries():
    """Let a module declare commands, facts and tables of its own, and forget them afterwards."""
    module = sys.modules["lingqu.trust.commands"]  # the face has a function of that name
    known = (module._commands, facts._kinds, rows._declared)
    before = [dict(one) for one in known]
    yield
    for one, was in zip(known, before, strict=True):
        one.clear()
        one.update(was)


@pytest.fixture(scope="session")
def place_type():
    """For modules whose tests share one installation."""
    return Place
