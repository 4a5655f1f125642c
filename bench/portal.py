# SPDX-License-Identifier: Apache-2.0
"""Bench of every page: on the demonstration's data, then with a market of many products and calls.

The demonstration is told once into a folder of its own; whoever takes part in it then opens every
page that is linked from theirs, one address for each kind of page. Afterwards its tables are
multiplied in place by `multiply`: products, listings, contracts and grants from the story's own,
and calls with their charges and flows, set by set. The pages are opened again.

Such a market can be loaded by hand into a data folder that is only measured on and thrown away, for
it has rows that no command wrote and no audit would accept: `portal.py FOLDER`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from browsing import served, sign_in, unlimited
from lingqu.cli.story.opening import accounts_file, read_passwords
from lingqu.runtime.settings import Settings, load_settings
from lingqu.wiring import App, open_app
from measured import Figure, Reading, bench_folder

PRODUCTS = 10_000
CONTRACTS = 100
CALLS = 1_000_000
CALLS_A_BATCH = 50
REQUESTS = 12
PAGES_MOST = 160
"""How many kinds of pages are opened at most by one person."""
DEMO_BAR_MS, MARKET_BAR_MS = 150.0, 300.0
SHOWN = 12
"""How many pages are reported one by one: the slowest."""
_HREF = re.compile(r'href="(/[^"#]*)"')
_ID = re.compile(r"[a-z]{3}_[0-9a-z]{26}")
_FILES = re.compile(r"format=|/documents/|/files/|/static/|/api/|/log/|\.xlsx|/(docx|pdf|png|zip)$")

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


_BATCH = f"(1 + (g - 1) / {CALLS_A_BATCH})"
_OF_BATCH = f"(1 + {{}} % {CONTRACTS})"
_DAY = "{} % 30"
_NUMBERS = {
    "products": f"generate_series(1, {PRODUCTS}) AS g",
    "contracts": f"generate_series(1, {CONTRACTS}) AS g",
    "batches": f"generate_series(1, {_BATCHES}) AS g",
    "calls": f"generate_series(1, {CALLS}) AS g",
}
_TITLE = {"title": "s.title || ' ' || g"}
_MINE = _OF_BATCH.format("g")
_CALLED = _OF_BATCH.format(_BATCH)
_COPIES: dict[str, tuple[str, str, dict[str, str]]] = {
    "gate.product": (
        "products", _from("gate.product", "t.id = u.product"),
        {"id": _numbered("s.id", "g"), **_TITLE},
    ),
    "market.listing": (
        "products", _from("market.listing", "t.id = u.listing"),
        {
            "id": _numbered("s.id", "g"), "product": _numbered("s.product", "g"),
            "certificate": _numbered("s.certificate", "g"), **_TITLE,
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
    "supervision.flow": (
        "batches", _from("supervision.flow", "t.contract = u.contract"),
        {
            "batch": _numbered("s.batch", "g"), "fact": _numbered("s.fact", "g"),
            "contract": _numbered("s.contract", _MINE), "product": _numbered("s.product", _MINE),
            "grant_id": _numbered("s.grant_id", _MINE), "answered": str(CALLS_A_BATCH),
            "at": f"s.at - {_DAY.format('g')} * interval '1 day'",
        },
    ),
}  # fmt: skip
"""Of each table one row of the story, multiplied, with these columns changed."""


def bench_portal(rounds: int) -> Reading:
    """Every page by whoever works on it: first as the demonstration leaves it, then multiplied."""
    with bench_folder() as folder:
        settings = _told(folder)
        with open_app(unlimited(settings)) as app, served(app) as url:
            passwords = read_passwords(accounts_file(settings.data_dir))
            demo = measure(url, passwords, rounds)
            with closing(_owner(app)) as connection:
                multiply(connection)
            market = measure(url, passwords, rounds)
    return Reading(
        title="Every page",
        method=f"Each kind of page once for whoever reaches it, {REQUESTS} requests a round over"
        " HTTP on this machine; the 95th percentile of each round. The market has"
        f" {PRODUCTS:,} products and {CALLS:,} metered calls under {CONTRACTS} contracts.",
        figures=(
            *_figures("demonstration", demo, DEMO_BAR_MS),
            *_figures("market", market, MARKET_BAR_MS),
        ),
    )


def _figures(world: str, found: dict[str, tuple[float, ...]], bar: float) -> Iterator[Figure]:
    slowest = sorted(found, key=lambda path: min(found[path]), reverse=True)
    for path in slowest[:SHOWN]:
        yield Figure(name=f"{world}: {path} (p95)", unit="ms", values=found[path], bar=bar)
    over = sum(min(values) >= bar for values in found.values())
    yield Figure(
        name=f"{world}: pages over the bar of {len(found)}", unit="", values=(over,), bar=1
    )


def measure(url: str, passwords: dict[str, str], rounds: int) -> dict[str, tuple[float, ...]]:
    """This will open each kind of page that somebody reaches, and give its times by its address."""
    found: dict[str, tuple[float, ...]] = {}
    for login, password in ((None, ""), *passwords.items()):
        with httpx.Client(base_url=url, timeout=120) as client:
            if login is not None:
                sign_in(client, login, password)
            for kind, path in _reached(client):
                name = f"{kind} · {login}" if kind == "/" else kind
                if name not in found:
                    found[name] = tuple(_p95(client, path) for _ in range(rounds))
    return found


def _reached(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Each kind of page that links lead to, with one address of it."""
    known, waiting = {"/"}, ["/"]
    while waiting and len(known) < PAGES_MOST:
        path = waiting.pop(0)
        answer = client.get(path)
        if answer.status_code != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        yield _ID.sub("{id}", path.partition("?")[0]), path
        for href in _HREF.findall(answer.text):
            kind = _ID.sub("{id}", href.partition("?")[0])
            if kind not in known and not _FILES.search(href):
                known.add(kind)
                waiting.append(href.replace("&amp;", "&"))


def _p95(client: httpx.Client, path: str) -> float:
    taken = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[int(len(taken) * 0.95) - 1]


def _told(folder: Path) -> Settings:
    """The demonstration in a folder, told to its end."""
    data_dir = folder / "demo"
    program = Path(sys.executable).parent / "lingqu"
    told = (program, "--json", "demo", "--data-dir", data_dir, "--port", "0")
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    os.environ.update(home)
    subprocess.run(told, check=True, stdout=subprocess.DEVNULL)
    return load_settings({}, overrides={"data_dir": data_dir, "log_level": "warning"})


def _owner(app: App) -> psycopg.Connection[Any]:
    return psycopg.connect(app.postgres.admin_conninfo, autocommit=True)


def multiply(connection: psycopg.Connection[Any]) -> None:
    """This will make a large market of the story's rows; for a database that is thrown away.

    Foreign keys and triggers are off meanwhile, and no command wrote the rows.
    """
    connection.execute("SET session_replication_role = replica")
    for name, (counts, rows, changed) in _COPIES.items():
        _copy(connection, name, _NUMBERS[counts], rows, changed)
    connection.execute("SET session_replication_role = origin")
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


def main() -> None:
    """This will multiply the market of a data folder that is only measured on."""
    settings = load_settings({}, overrides={"data_dir": Path(sys.argv[1]), "log_level": "warning"})
    with open_app(settings) as app, closing(_owner(app)) as connection:
        multiply(connection)
    print(f"{PRODUCTS:,} products and {CALLS:,} calls are in {settings.data_dir}.")


if __name__ == "__main__":
    main()
