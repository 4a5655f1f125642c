# SPDX-License-Identifier: Apache-2.0
"""Benches of writing: commands with facts and leaves, and the sequencer alone."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.wiring import App, open_app, run_platform
from measured import Figure, Pair, Reading, installation

COMMANDS = 400
FACTS = 20_000

TABLES = ("party", "command", "fact", "row_version", "log_leaf")
"""In the order in which rows of one command are inserted."""


def bench_commands(rounds: int) -> Reading:
    """Commands until their leaves stand, against the same rows inserted bare."""
    ours, bare = [], []
    with installation() as settings, open_app(settings) as app:
        stop = threading.Event()
        with psycopg.connect(app.postgres.owner_conninfo) as owner, run_platform(app, stop):
            copy_tables(owner)
            run_commands(app, COMMANDS)
            for _ in range(rounds):
                last, seconds = run_commands(app, COMMANDS)
                ours.append(COMMANDS / seconds)
                rows = rows_after(owner, last - COMMANDS, last)
                began = time.perf_counter()
                insert_bare(owner, rows)
                bare.append(COMMANDS / (time.perf_counter() - began))
    pair = Pair(
        name="commands with facts and leaves, durable",
        unit="commands/s",
        ours=tuple(ours),
        baseline=tuple(bare),
        against="the same rows, prepared INSERTs, one commit for each command",
        bar=0.5,
    )
    return Reading(
        title="Commands",
        method=f"One thread, {COMMANDS} commands `trust.party.register` a round with the sequencer"
        " in the same process; the time ends when the last fact has its leaf. The baseline inserts"
        " the same five rows of each command into copies of the tables.",
        pairs=(pair,),
    )


def run_commands(app: App, count: int) -> tuple[int, float]:
    """Register parties one by one until all leaves stand; gives the log's size and the seconds."""
    size = leaves(app)
    began = time.perf_counter()
    for number in range(count):
        trust.execute(
            app.database,
            trust.register_party,
            trust.LOCAL_ADMINISTRATOR,
            new_id(trust.CommandId),
            party=new_id(trust.PartyId),
            kind=trust.PartyKind.ORGANIZATION,
            name=f"甲方{number}（演示）",
        )
    while leaves(app) < size + count:
        time.sleep(0.001)
    return size + count, time.perf_counter() - began


def leaves(app: App) -> int:
    """How many leaves the log has."""
    with app.database.reading() as tx:
        found: int = tx.one("SELECT coalesce(max(index) + 1, 0) AS n FROM trust.log_leaf")["n"]
        return found


def copy_tables(owner: psycopg.Connection[Any]) -> None:
    """Make empty copies of the tables with their indexes and checks."""
    owner.execute("CREATE SCHEMA bench")
    for table in TABLES:
        owner.execute(f"CREATE TABLE bench.{table} (LIKE trust.{table} INCLUDING ALL)")
    owner.execute("ALTER TABLE bench.fact ALTER txid DROP DEFAULT")
    owner.commit()


def rows_after(owner: psycopg.Connection[Any], start: int, end: int) -> list[list[tuple[Any, ...]]]:
    """The rows of each command whose leaf lies in [start, end), as they are in our tables."""
    found: list[list[tuple[Any, ...]]] = []
    leaf_rows = owner.execute(
        "SELECT l.*, f.command FROM trust.log_leaf l JOIN trust.fact f ON f.id = l.fact"
        " WHERE l.index >= %s AND l.index < %s ORDER BY l.index",
        (start, end),
    ).fetchall()
    for *leaf, command in leaf_rows:
        fact = leaf[2]
        version = _row(owner, "SELECT * FROM trust.row_version WHERE fact = %s", fact)
        party = _row(owner, "SELECT * FROM trust.party WHERE id = %s", version[1])
        done = _row(owner, "SELECT * FROM trust.command WHERE id = %s", command)
        recorded = _row(owner, "SELECT * FROM trust.fact WHERE id = %s", fact)
        found.append([party, done, recorded, version, tuple(leaf)])
    owner.commit()
    return found


def insert_bare(owner: psycopg.Connection[Any], commands: list[list[tuple[Any, ...]]]) -> None:
    """Insert the rows of each command in a transaction of its own."""
    statements = [
        f"INSERT INTO bench.{table} VALUES ({', '.join(['%s'] * len(row))})"
        for table, row in zip(TABLES, commands[0], strict=True)
    ]
    for rows in commands:
        for statement, row in zip(statements, rows, strict=True):
            owner.execute(statement, row, prepare=True)
        owner.commit()


def _row(owner: psycopg.Connection[Any], sql: str, key: str) -> tuple[Any, ...]:
    row = owner.execute(sql, (key,)).fetchone()
    assert row is not None
    return tuple(row)


_MAKE_FACTS = """
    INSERT INTO trust.fact (id, ordinal, command, kind, at, body)
    SELECT 'fct_' || gen_random_uuid(), n, %s, f.kind, f.at, left(f.body, -1) || ' '
           || lpad(n::text, 6, '0') || '}'
    FROM (SELECT * FROM trust.fact LIMIT 1) AS f, generate_series(1, %s) AS n
"""


def bench_sequencer(rounds: int) -> Reading:
    """Leaves placed, written and signed, against a bare COPY of the leaf rows."""
    ours, bare, waits = [], [], []
    with installation() as settings, open_app(settings) as app:
        app.sequencer.step()
        with psycopg.connect(app.postgres.owner_conninfo) as owner:
            copy_tables(owner)
            for number in range(rounds):
                add_facts(owner, f"cmd_bench_{number}")
                size = leaves(app)
                began = time.perf_counter()
                while app.sequencer.step(publish=False).placed:
                    pass
                ours.append(FACTS / (time.perf_counter() - began))
                app.sequencer.step()
                waits.append(time.perf_counter() - began)
                assert app.sequencer.status().size == size + FACTS
                bare.append(FACTS / copy_bare(owner, size))
    return Reading(
        title="Sequencer",
        method=f"{FACTS:,} committed facts a round wait for the sequencer. Leaves per second counts"
        " until each has its index; the second figure until all stand in a signed, published"
        " checkpoint with their tiles on disk. The baseline copies the same leaf rows, already"
        " hashed and ordered, into a copy of the table.",
        pairs=(
            Pair(
                name="leaves placed",
                unit="leaves/s",
                ours=tuple(ours),
                baseline=tuple(bare),
                against="COPY of the same leaf rows",
            ),
        ),
        figures=(
            Figure(
                name=f"{FACTS:,} facts until they stand in a signed checkpoint",
                unit="s",
                values=tuple(waits),
            ),
        ),
    )


def add_facts(owner: psycopg.Connection[Any], command: str) -> None:
    """Commit the facts of one large command, each with a body as long as a real one."""
    owner.execute(
        "INSERT INTO trust.command SELECT %s, name, actor, salt, request, result, at"
        " FROM trust.command LIMIT 1",
        (command,),
    )
    owner.execute(_MAKE_FACTS, (command, FACTS))
    owner.commit()


def copy_bare(owner: psycopg.Connection[Any], start: int) -> float:
    """Copy the leaves from `start` on as they are; gives the seconds with the commit."""
    rows = owner.execute(
        "SELECT * FROM trust.log_leaf WHERE index >= %s ORDER BY index", (start,)
    ).fetchall()
    owner.commit()
    began = time.perf_counter()
    with owner.cursor() as cursor, cursor.copy("COPY bench.log_leaf FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    owner.commit()
    return time.perf_counter() - began
