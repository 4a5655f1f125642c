# SPDX-License-Identifier: Apache-2.0
"""Statements by the million, from a grammar and from the engine's own words and functions.

`python tests/gate/fuzzing.py` runs until N statements (a million) were tried; SEED repeats a run.
Whatever is answered must print SQL that reads back as the same question, that an independent
checker finds nothing in, and that gives the figures the statement itself gives on small tables.
"""

import math
import os
import random
import sys
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

import duckdb
from governed import POLICY, escapes

from lingqu.gate.governance import Mode
from lingqu.gate.queries import GroupOf, Linear, Step, digest
from lingqu.gate.sql import Asked, find_refusal, print_query, read, read_printed
from lingqu.gate.syntax import Dialect
from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import functions

STATEMENTS = 1_000_000
ROWS = 300
NUMBERS = ("0", "1", "2", "3", "-1", "18", "60", "150", "0.5", "1e2", "7.25", "9999999999")
DAYS = ("2020-01-01", "2020-02-01", "2020-02-15", "2021-01-01", "1999-12-31")
TEXTS = ("'a'", "'n%'", "'north'", "'it''s'", "''", "'_b%'")


def engine_with_tables():
    """Small tables of the governed shape; figures are never missing and lie in their bounds."""
    engine = duckdb.connect()
    engine.execute("SELECT setseed(0.42)")
    engine.execute(
        f"CREATE TABLE t AS SELECT (random() * 60)::BIGINT AS pid,"
        f" if(random() < .1, NULL, (random() * 4)::INTEGER) AS city,"
        f" (random() * 4)::INTEGER AS mon,"
        f" if(random() < .1, NULL, (random() * 160 - 5)::INTEGER) AS age,"
        f" if(random() < .1, NULL, DATE '2019-11-01' + (random() * 500)::INTEGER) AS d,"
        f" if(random() < .1, NULL, ['a', 'ab', 'n1', 'it''s', '', 'b'][1 + (random() * 5)::INT])"
        f" AS name,"
        f" (random() * 900)::DECIMAL(12, 2) AS sal, random()::DECIMAL(4, 2) AS tax"
        f" FROM range({ROWS})"
    )
    engine.execute(
        "CREATE TABLE c AS SELECT * FROM (VALUES (0, 'north'), (1, 'south'), (2, 'north'),"
        " (3, NULL), (NULL, 'south')) AS v(city, region)"
    )
    return engine


class Grammar:
    """Writes statements; some are made only of what may be, most have something else in them."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        names = sorted({one.name for one in functions() if one.name.isidentifier()})
        words = duckdb.connect().execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
        self.functions, self.words = names, sorted(word for (word,) in words)

    def pick(self, *options):
        return self.dice.choice(options)

    def chance(self, part):
        return self.dice.random() < part

    def statement(self):
        """One statement, spoiled or not."""
        text = self.select()
        for _ in range(self.pick(0, 0, 1, 1, 2)):
            text = self.spoiled(text)
        return text

    def spoiled(self, text):
        """The statement with one word replaced, added or taken out."""
        parts = text.split(" ")
        place = self.dice.randrange(len(parts))
        given = self.pick(
            lambda: self.dice.choice(self.words),
            lambda: f"{self.dice.choice(self.functions)}({self.column()})",
            lambda: f"{self.dice.choice(self.functions)}({self.column()}, {self.number()})",
            lambda: self.dice.choice(self.functions),
            lambda: self.pick(
                "*", "t", "t.*", "(SELECT 1)", ";", "--", "/*", "pid", "name", "rowid"
            ),
            lambda: self.pick(
                "OVER ()", "::INT", "[1]", "NOT", "(", ")", "''", "$1", "\u200b", "0x1"
            ),
            lambda: f"(SELECT {self.column()} FROM t WHERE pid = {self.number()})",
        )()
        if self.chance(0.5):
            parts[place] = given
        else:
            parts.insert(place, given)
        return " ".join(parts)

    def select(self):
        joined = self.chance(0.3)
        self.columns = ["city", "mon", "age", "d", "sal", "tax", "name", "pid"]
        if joined:
            self.columns = ["mon", "age", "d", "sal", "tax", "name", "pid", "region", "t.city"]
        groups = [self.group() for _ in range(self.pick(0, 1, 1, 2))]
        figures = [self.figure() for _ in range(self.pick(1, 1, 2, 3))]
        items = [f"{one} AS x{place}" for place, one in enumerate([*groups, *figures])]
        text = f"SELECT {', '.join(items)} FROM {self.source(joined)}"
        if self.chance(0.7):
            text += f" WHERE {self.condition(2)}"
        if groups:
            by_place = ", ".join(str(place + 1) for place in range(len(groups)))
            text += f" GROUP BY {self.pick('ALL', by_place, ', '.join(groups))}"
        return text

    def source(self, joined):
        if joined:
            return self.pick("t JOIN c ON t.city = c.city", "c JOIN t ON c.city = t.city")
        inner = "SELECT pid, city, mon, age, d, sal, tax, name FROM t WHERE mon < 4"
        return self.pick("t", "t", "(SELECT * FROM t) t", f"({inner}) y")

    def group(self):
        column = self.dice.choice(self.columns)
        if column == "d":
            return self.pick("year(d)", "date_trunc('month', d)", "date_part('year', d)")
        return column if column in {"mon", "region", "t.city", "city"} else self.pick("mon", column)

    def figure(self):
        whole = self.pick(
            lambda: f"sum({self.measure(2)})",
            lambda: "count(*)",
            lambda: f"avg({self.pick('sal', 'tax')})",
            lambda: "count(DISTINCT pid)",
            lambda: f"count_if({self.condition(1)})",
            lambda: f"max({self.pick('tax', 'sal')})",
            lambda: f"sum({self.measure(1)}) / sum({self.measure(1)})",
            lambda: f"{self.number()} * sum({self.measure(1)}) - count(*)",
        )()
        if whole.endswith(")") and whole.count("(") == 1 and self.chance(0.2):
            whole += f" FILTER (WHERE {self.condition(1)})"
        return whole

    def measure(self, depth):
        if depth == 0 or self.chance(0.3):
            return self.pick("sal", "tax", "sal", self.number())
        left, right = self.measure(depth - 1), self.measure(depth - 1)
        case = f"CASE WHEN {self.condition(1)} THEN {left} ELSE {right} END"
        return self.pick(f"({left} + {right})", f"({left} * {right})", f"(-{left} - {right})", case)

    def condition(self, depth):
        if depth and self.chance(0.6):
            parts = [self.condition(depth - 1) for _ in range(self.pick(2, 2, 3))]
            whole = f"({self.pick(' AND ', ' OR ').join(parts)})"
            return f"NOT {whole}" if self.chance(0.2) else whole
        column = self.column()
        kind = {"d": "day", "name": "text", "region": "text"}.get(column, "number")
        if kind == "text":
            return self.pick(
                f"{column} = {self.pick(*TEXTS)}", f"{column} LIKE {self.pick(*TEXTS)}",
                f"{column} NOT LIKE {self.pick(*TEXTS)}", f"{column} IS NULL",
                f"{column} NOT IN ({self.pick(*TEXTS)}, {self.pick(*TEXTS)})",
            )  # fmt: skip
        if kind == "day":
            day = f"DATE '{self.pick(*DAYS)}'"
            return self.pick(
                f"d {self.pick('<', '>=', '=', '<>')} {day}", f"year(d) = {self.pick(2019, 2020)}",
                f"d < {day} + INTERVAL '3' MONTH", f"d BETWEEN {day} AND {day} + 40",
            )  # fmt: skip
        return self.pick(
            f"{column} {self.pick('<', '<=', '=', '<>', '>', '>=')} {self.number()}",
            f"{column} BETWEEN {self.number()} AND {self.number()}",
            f"{column} IN ({self.number()}, {self.number()})", f"{column} IS NOT NULL",
            f"{self.number()} < {column}", f"{column} < {self.pick('mon', 'age')}",
        )  # fmt: skip

    def column(self):
        return self.dice.choice(self.columns)

    def number(self):
        return self.dice.choice(NUMBERS)


class Trial:
    """Tries statements, and keeps what must not be."""

    def __init__(self, seed):
        self.grammar, self.engine = Grammar(seed), engine_with_tables()
        self.tried, self.answered, self.equal = 0, 0, 0
        self.found = []

    def run(self, count):
        for _ in range(count):
            self.tried += 1
            text = self.grammar.statement()
            try:
                query = read(text, POLICY)
            except LingquError as refusal:
                if not refusal.code.startswith("gate.query."):
                    self.found.append((text, refusal.code))
                continue
            self._judge(text, query)

    def _judge(self, text, query):
        self.answered += 1
        printed = print_query(query, POLICY, dialect=Dialect.DUCKDB)
        if digest(read_printed(printed, POLICY)) != digest(query):
            self.found.append((text, "reads back as another question"))
        for escape in escapes(printed.sql, POLICY):
            self.found.append((text, escape))
        asked = Asked(query=query, policy=POLICY, mode=Mode.DP)
        if find_refusal(asked) is None and "pid" in str(query.filter):
            self.found.append((text, "filters by a key"))
        banded = any(one.step is Step.BAND for one in query.groups)
        if not banded and self._is_plain(text):
            self._compare(text, query, printed)

    def _is_plain(self, text):
        """A group by a day shows its month, which the plain engine would not know."""
        return " LIMIT " not in text and " d " not in text.partition("WHERE")[0]

    def _compare(self, text, query, printed):
        try:
            expected = self.engine.execute(text).fetchall()
        except duckdb.Error:
            return  # an overflow, a type the engine does not convert: nothing to compare with
        rows = self.engine.execute(printed.sql, list(printed.values)).fetchall()
        told = [shown(query, row) for row in rows]
        self.equal += 1
        if sorted(map(close, expected), key=str) != sorted(map(close, told), key=str):
            self.found.append((text, "gives other figures"))


def shown(query, row):
    """A row of the answer: figures from base aggregates, as they are released."""
    groups, figures = row[: len(query.groups)], row[len(query.groups) :]

    def linear(one):
        taken = [figures[share.aggregate] for share in one.shares]
        return one.constant + sum(
            share.factor * Fraction(value or 0)
            for share, value in zip(one.shares, taken, strict=True)
        )

    cells = []
    for output in query.outputs:
        figure = output.figure
        if isinstance(figure, GroupOf):
            cells.append(groups[figure.group])
        elif isinstance(figure, Linear):
            cells.append(linear(figure))
        else:
            bottom = linear(figure.bottom)
            cells.append(linear(figure.top) / bottom if bottom else None)
    return cells


def close(row):
    """A row with figures as rounded numbers; nothing added up is 0 here and missing in SQL."""
    cells = []
    for cell in row:
        if isinstance(cell, int | float | Decimal | Fraction) and not isinstance(cell, bool):
            number = float(cell)
            cells.append(f"{number:.6g}" if math.isfinite(number) and abs(number) > 1e-9 else "0")
        else:
            cells.append("0" if cell is None else str(cell)[:10])
    return cells


def main():
    """Try N statements and say what came of it."""
    count = int(os.environ.get("N") or STATEMENTS)
    seed = int(os.environ.get("SEED") or time.time_ns() % 10**9)
    trial = Trial(seed)
    sys.stdout.write(f"seed {seed}, {count:,} statements\n")
    while trial.tried < count and not trial.found:
        trial.run(min(10_000, count - trial.tried))
        sys.stdout.write(
            f"{trial.tried:,} tried, {trial.answered:,} answered, {trial.equal:,} compared\n"
        )
        sys.stdout.flush()
    for text, what in trial.found:
        sys.stdout.write(f"{what}: {text}\n")
    return 1 if trial.found else 0


if __name__ == "__main__":
    sys.exit(main())
