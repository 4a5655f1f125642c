# SPDX-License-Identifier: Apache-2.0
"""The numbering authority's own database: a live PostgreSQL schema that is read where it lies.

It is a database of its own beside the platform's, on the server the demonstration runs, with an
account that may read one table and nothing else. What the platform is told is how to sign in there,
in the one file that logical sources have.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from lingqu.cli.scripts import NotPossibleHere, run_psql
from lingqu.cli.story.stage import Stage, slice_file
from lingqu.kernel.ids import Id
from lingqu.runtime.blobs import replace_file

DATABASE = "numbering"
SCHEMA, TABLE = "numbering", "segment"
READER = "numbering_reader"

_MAKE = """
SELECT 'CREATE ROLE numbering_reader LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'numbering_reader') \\gexec
ALTER ROLE numbering_reader PASSWORD :'password';
SELECT 'CREATE DATABASE numbering'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'numbering') \\gexec
"""
_FILL = """
CREATE SCHEMA IF NOT EXISTS numbering;
DROP TABLE IF EXISTS numbering.segment;
CREATE TABLE numbering.segment (
    segment text PRIMARY KEY,
    city text NOT NULL,
    operator text NOT NULL,
    area_code text NOT NULL,
    post_code text NOT NULL,
    district text NOT NULL
);
GRANT USAGE ON SCHEMA numbering TO numbering_reader;
GRANT SELECT ON numbering.segment TO numbering_reader;
COPY numbering.segment FROM STDIN WITH (FORMAT csv, HEADER true);
"""


def keep_numbering_database(stage: Stage, source: Id, folder: Path) -> None:
    """Let the authority have its database, and put how to read it under the id of its source."""
    admin = stage.app.postgres.admin_conninfo
    if admin is None:
        raise NotPossibleHere
    folder.mkdir(mode=0o700, exist_ok=True)
    password = secrets.token_urlsafe(24)
    run_psql(stage.app, admin, _MAKE, password=password)
    rows = slice_file("segments").read_text(encoding="utf-8")
    run_psql(stage.app, f"{admin} dbname={DATABASE}", f"BEGIN;{_FILL}{rows}\\.\nCOMMIT;\n")
    reader = f"{admin} user={READER} password={password} dbname={DATABASE}"
    replace_file(folder / source, reader.encode(), mode=0o600)
