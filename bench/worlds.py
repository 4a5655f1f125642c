# SPDX-License-Identifier: Apache-2.0
"""Two worlds to measure pages on: the demonstration's, and one of many products and calls.

The demonstration is told once into a folder. A copy of it is multiplied: products, their
registrations, prices and listings, contracts and grants from the story's own, and calls with their
charges, postings and flows, set by set. Such a market is only measured on and thrown away, for it
has rows that no command wrote and no audit would accept.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lingqu.runtime.settings import Settings, load_settings
from lingqu.wiring import App, open_app

PRODUCTS = 10_000
CONTRACTS = 100
CALLS = 1_000_000
CALLS_A_BATCH = 50
REFUSALS = 20_000
TOLD, MULTIPLIED = "told-for-the-bench", "multiplied-for-the-bench"
"""Marks in a data folder: the story was told to its end, and the market was made."""

_BATCHES = CALLS // CALLS_A_BATCH
_USED = """
    SELECT c.id AS contract, c.grant_id, c.product, c.listing FROM market.contract c
    WHERE c.id = (SELECT contract FROM market.charge GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)
"""
"""The contract of the story under which most was used."""


def _numbered(column: str, number: str) -> str:
    """An id of the same kind with a number for its end; ten digits of it are letters of ids."""
    return f"left({column}, -8) || lpad(({number})::text, 8, '0')"


def _from(table: str, where: str) -> str:
    return f"(SELECT t.* FROM {table} t, ({_USED}) u WHERE {where} LIMIT 1) AS s"


_FILED = """
    SELECT r.{} FROM rights.registration r JOIN market.listing l ON l.code = r.code
    WHERE l.id = u.listing
"""
_POSTED = """
    SELECT transfer FROM market.charge_batch
    WHERE contract = u.contract AND transfer IS NOT NULL LIMIT 1
"""
_METERED = "SELECT min(fact) FROM supervision.flow WHERE contract = u.contract"
_FIRST_NUMBER = 8192 * 1000
"""Far behind the story's own transfers."""
_PLACES = f"""
    INSERT INTO ledger.statement (account, block, places)
    SELECT account, number / 8192, array_agg((number % 8192)::smallint ORDER BY number)
    FROM ledger.transfer, LATERAL (VALUES (debit), (credit)) AS side (account)
    WHERE number > {_FIRST_NUMBER} GROUP BY 1, 2
"""
_BATCH = f"(1 + (g - 1) / {CALLS_A_BATCH})"
_OF_BATCH = f"(1 + {{}} % {CONTRACTS})"
_DAY = "{} % 30"
_NUMBERS = {
    "products": f"generate_series(1, {PRODUCTS}) AS g",
    "contracts": f"generate_series(1, {CONTRACTS}) AS g",
    "batches": f"generate_series(1, {_BATCHES}) AS g",
    "calls": f"generate_series(1, {CALLS}) AS g",
    "refusals": f"generate_series(1, {REFUSALS}) AS g",
}
_TITLE = {"title": "s.title || ' ' || g"}
_MINE = _OF_BATCH.format("g")
_CALLED = _OF_BATCH.format(_BATCH)
_COPIES: dict[str, tuple[str, str, dict[str, str]]] = {
    "gate.product": (
        "products", _from("gate.product", "t.id = u.product"),
        {"id": _numbered("s.id", "g"), **_TITLE},
    ),
    "trust.procedure": (
        "products", _from("trust.procedure", f"t.id = ({_FILED.format('procedure')})"),
        {"id": _numbered("s.id", "g"), "subject": _numbered("s.subject", "g"), **_TITLE},
    ),
    "rights.registration": (
        "products", _from("rights.registration", f"t.id = ({_FILED.format('id')})"),
        {
            "id": _numbered("s.id", "g"), "subject": _numbered("s.subject", "g"), **_TITLE,
            "procedure": _numbered("s.procedure", "g"), "code": _numbered("s.code", "g"),
        },
    ),
    "market.price": (
        "products", _from("market.price", "t.product = u.product AND t.state = 'published'"),
        {"id": _numbered("s.id", "g"), "product": _numbered("s.product", "g")},
    ),
    "market.plan": (
        "products", _from("market.plan", "t.listing = u.listing AND t.ended_at IS NULL"),
        {"id": _numbered("s.id", "g"), "listing": _numbered("s.listing", "g")},
    ),
    "market.listing": (
        "products", _from("market.listing", "t.id = u.listing"),
        {
            "id": _numbered("s.id", "g"), "product": _numbered("s.product", "g"),
            "certificate": _numbered("s.certificate", "g"), **_TITLE,
            "registration": _numbered("s.registration", "g"), "code": _numbered("s.code", "g"),
        },
    ),
    "market.listing_words": (
        "products", _from("market.listing_words", "t.listing = u.listing"),
        {"listing": _numbered("s.listing", "g")},
    ),
    "rights.grant": (
        "contracts", _from("rights.grant", "t.id = u.grant_id"),
        {"id": _numbered("s.id", "g"), "succeeds": "NULL"},
    ),
    "market.contract": (
        "contracts", _from("market.contract", "t.id = u.contract"),
        {
            "id": _numbered("s.id", "g"), "listing": _numbered("s.listing", "g"),
            "product": _numbered("s.product", "g"), "grant_id": _numbered("s.grant_id", "g"),
        },
    ),
    "market.tally": (
        "contracts", _from("market.tally", "t.contract = u.contract"),
        {"contract": _numbered("s.contract", "g")},
    ),
    "gate.batch": (
        "batches", _from("gate.batch", "t.grant_id = u.grant_id"),
        {
            "id": _numbered("s.id", "g"), "grant_id": _numbered("s.grant_id", _MINE),
            "product": _numbered("s.product", _MINE),
        },
    ),
    "gate.call": (
        "calls", _from("gate.call", "t.grant_id = u.grant_id AND t.refusal IS NULL"),
        {
            "batch": _numbered("s.batch", _BATCH), "position": f"(g - 1) % {CALLS_A_BATCH}",
            "call": _numbered("s.call", "g"), "grant_id": _numbered("s.grant_id", _CALLED),
            "product": _numbered("s.product", _CALLED),
            "at": f"s.at - {_DAY.format(_BATCH)} * interval '1 day'",
        },
    ),
    "market.charge_batch": (
        "batches", _from("market.charge_batch", "t.contract = u.contract"),
        {
            "id": _numbered("s.id", "g"), "metered": _numbered("s.metered", "g"),
            "contract": _numbered("s.contract", _MINE), "day": f"s.day - ({_DAY.format('g')})::int",
            "calls": str(CALLS_A_BATCH), "answered": str(CALLS_A_BATCH),
            "transfer": _numbered("s.transfer", "g"),
        },
    ),
    "ledger.transfer": (
        "batches", _from("ledger.transfer", f"t.id = ({_POSTED})"),
        {
            "number": f"{_FIRST_NUMBER} + g", "batch": _numbered("s.batch", "g"),
            "id": _numbered("s.id", "g"), "day": f"s.day - ({_DAY.format('g')})::int",
            "phase": "'posted'", "pending": "NULL",
        },
    ),
    "trust.fact": (
        "batches", _from("trust.fact", f"t.id = ({_METERED})"), {"id": _numbered("s.id", "g")},
    ),
    "trust.log_leaf": (
        "batches", _from("trust.log_leaf", f"t.fact = ({_METERED})"),
        {"origin": "'bench.copies/log'", "index": "g", "fact": _numbered("s.fact", "g")},
    ),
    "supervision.refusal": (
        "refusals", "(SELECT * FROM supervision.refusal WHERE act <> 'gate.call' LIMIT 1) AS s",
        {"fact": _numbered("s.fact", "g"), "at": f"s.at - {_DAY.format('g')} * interval '1 day'"},
    ),
    "supervision.flow": (
        "batches", _from("supervision.flow", f"t.fact = ({_METERED})"),
        {
            "batch": _numbered("s.batch", "g"), "fact": _numbered("s.fact", "g"),
            "contract": _numbered("s.contract", _MINE), "product": _numbered("s.product", _MINE),
            "grant_id": _numbered("s.grant_id", _MINE), "answered": str(CALLS_A_BATCH),
            "at": f"s.at - {_DAY.format('g')} * interval '1 day'",
        },
    ),
    "market.charge": (
        "calls", _from("market.charge", "t.contract = u.contract"),
        {
            "batch": _numbered("s.batch", _BATCH), "position": f"(g - 1) % {CALLS_A_BATCH}",
            "call": _numbered("s.call", "g"), "metered": _numbered("s.metered", _BATCH),
            "contract": _numbered("s.contract", _CALLED),
            "day": f"s.day - ({_DAY.format(_BATCH)})::int",
        },
    ),
}  # fmt: skip
"""Of each table one row of the story, multiplied, with these columns changed; charges last, for by
them the contract is found."""


def told(folder: Path, name: str) -> Settings:
    """This will give the demonstration in a folder of that name, told to its end; once."""
    data_dir = folder / name
    if not (data_dir / TOLD).exists():
        program = Path(sys.executable).parent / "lingqu"
        home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
        subprocess.run(
            (program, "--json", "demo", "--data-dir", data_dir, "--port", "0"),
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | home,
        )
        (data_dir / TOLD).touch()
    return load_settings({}, overrides={"data_dir": data_dir, "port": 0, "log_level": "warning"})


def market(folder: Path) -> Settings:
    """This will give a folder's market of many products and calls, made where there is none."""
    settings = told(folder, "market")
    done = settings.data_dir / MULTIPLIED
    if not done.exists():
        with open_app(settings) as app, closing(_owner(app)) as connection:
            multiply(connection)
        done.touch()
    return settings


def _owner(app: App) -> psycopg.Connection[Any]:
    return psycopg.connect(app.postgres.admin_conninfo or "", autocommit=True)


def multiply(connection: psycopg.Connection[Any]) -> None:
    """This will make a large market of the story's rows; for a database that is thrown away.

    Foreign keys and triggers are off meanwhile, and no command wrote the rows.
    """
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for name, (counts, rows, changed) in _COPIES.items():
            _copy(connection, name, _NUMBERS[counts], rows, changed)
        connection.execute(_PLACES)
    connection.execute("ANALYZE")


def _copy(
    connection: psycopg.Connection[Any],
    table: str,
    counts: str,
    rows: str,
    changed: dict[str, str],
) -> None:
    """Insert what `of` and the numbers give, with the changed columns; the others as they are."""
    schema, _, name = table.partition(".")
    known = connection.execute(_COLUMNS, (schema, name)).fetchall()
    columns = [str(row[0]) for row in known]
    values = [
        sql.SQL(changed[one]) if one in changed else sql.Identifier("s", one) for one in columns
    ]
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} CROSS JOIN {}").format(
            sql.Identifier(schema, name),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(values),
            sql.SQL(rows),
            sql.SQL(counts),
        )
    )


_COLUMNS = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = %s AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
