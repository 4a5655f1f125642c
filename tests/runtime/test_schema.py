# SPDX-License-Identifier: Apache-2.0
"""What one reads (schema.sql of each package) is what the migrations make."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo as pg_conninfo

from lingqu.runtime.migrate import migrate
from lingqu.runtime.postgres import discard_postgres, open_postgres

SOURCE = Path(__file__).parents[2] / "src" / "lingqu"
LINE = (
    "runtime", "trust", "ledger", "supply", "rights", "market", "gate", "supervision", "interop"
)  # fmt: skip
"""The packages from the ground up: a schema refers only to those before it."""
SCHEMAS = [word for word in LINE if (SOURCE / word / "schema.sql").exists()]


@pytest.fixture(scope="module")
def server():
    base = Path(tempfile.mkdtemp(prefix="lingqu-schema-"))
    base.chmod(0o755)
    with open_postgres(data_dir=base / "data") as opened:
        yield opened
    discard_postgres(data_dir=base / "data")
    shutil.rmtree(base, ignore_errors=True)


def dumped(server, conninfo):
    done = subprocess.run(
        [
            server.program("pg_dump"),
            "--schema-only",
            "--no-owner",
            *(f"--schema={word}" for word in SCHEMAS),
            conninfo,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    # Recent pg_dump writes a random word to restrict its own script; it says nothing of the schema.
    return [line for line in done.stdout.splitlines() if not re.match(r"\\(un)?restrict ", line)]


def test_the_schema_files_equal_the_sum_of_the_migrations(server):
    migrate(server.owner_conninfo)
    migrated = dumped(server, server.owner_conninfo)
    with psycopg.connect(server.admin_conninfo, autocommit=True) as admin:
        admin.execute("CREATE DATABASE written OWNER lingqu_owner")
    written = pg_conninfo.make_conninfo(server.owner_conninfo, dbname="written")
    with psycopg.connect(
        pg_conninfo.make_conninfo(server.admin_conninfo, dbname="written"), autocommit=True
    ) as admin:
        admin.execute("CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist")
    migrate(written, upto=0)
    with psycopg.connect(written) as owner:
        assert {file.parent.name for file in SOURCE.glob("*/schema.sql")} == set(SCHEMAS)
        for word in SCHEMAS:
            owner.execute((SOURCE / word / "schema.sql").read_text())
    assert dumped(server, written) == migrated
    assert any("CREATE TABLE trust.fact " in line for line in migrated)
