# SPDX-License-Identifier: Apache-2.0
"""Attacks on counts, told to whoever answers: a gate, or a naive one against which they succeed.

An attack asks by `tell`, which gives rows or None where it was refused, and gives what it learned:
how many there are of somebody nobody may count, or None.
"""

import random
import re

import duckdb
from query_world import TOWNS, K

SMALL = "town = '戊'"
ALL = "SELECT count(*) AS n FROM visit"
LARGE = ", ".join(f"'{town}'" for town in TOWNS)


def count(tell, condition=""):
    """One count, None where it is not told."""
    rows = tell(f"{ALL} WHERE {condition}" if condition else ALL)
    return int(rows[0][-1]) if rows and rows[0][-1] is not None else None


def _sum(*parts):
    return None if any(one is None for one in parts) else sum(parts)


def _less(whole, part):
    return None if whole is None or part is None else whole - part


def differencing(tell):
    """All, less all but the few."""
    return _less(count(tell), count(tell, "town <> '戊'"))


def complement(tell):
    """All, less the sum of every large part."""
    return _less(count(tell), _sum(*(count(tell, f"town = '{town}'") for town in TOWNS)))


def tracker(tell):
    """Denning's: the few padded with a general tracker, and with what is not in it."""
    padded = count(tell, f"{SMALL} OR kind = '门诊'")
    other = count(tell, f"{SMALL} OR kind = '住院'")
    return _less(_sum(padded, other), count(tell))


def through_groups(tell):
    """The total of a table less its rows, which are each large enough."""
    rows = tell("SELECT town, count(*) AS n FROM visit GROUP BY town")
    whole = count(tell)
    if rows is None or whole is None:
        return None
    return whole - sum(int(row[1]) for row in rows if row[1] is not None)


def by_guards(tell):
    """One statement with the whole and all but the few beside each other."""
    rows = tell("SELECT count(*) AS n, count(CASE WHEN town <> '戊' THEN 1 END) AS m FROM visit")
    if not rows or None in rows[0]:
        return None
    return int(rows[0][0]) - int(rows[0][1])


ATTACKS = (differencing, complement, tracker, through_groups, by_guards)
WAYS = (
    "town = '乙' OR town = '丙'", "town IN ('丙', '乙')", "NOT (town <> '乙' AND town <> '丙')",
    "town IN ('丙', '乙') AND 1 = 1", "town BETWEEN '丙' AND '乙'", "NOT town NOT IN ('乙', '丙')",
    "(town = '乙' OR town = '丙') AND NOT kind IS NULL", "town IN ('丙', '乙', '不存在')",
)  # fmt: skip
"""One question in other words; nobody's kind is missing."""


def averaging(tell, rounds=40):
    """The mean of one figure asked in every way there is, again and again."""
    told = [count(tell, one) for _ in range(rounds // len(WAYS)) for one in WAYS]
    known = [one for one in told if one is not None]
    return sum(known) / len(known) if known else None


class Naive:
    """A gate that counts exactly and withholds groups of fewer than K people, and nothing else."""

    def __init__(self, rows, *, noise=0, seed=7):
        self._engine = duckdb.connect()
        self._noise, self._dice = noise, random.Random(seed)  # a seeded fixture
        self._engine.execute(
            "CREATE TABLE visit (person VARCHAR, town VARCHAR, kind VARCHAR, visited DATE,"
            " amount BIGINT)"
        )
        self.load(rows)

    def load(self, rows):
        self._engine.execute("DELETE FROM visit")
        cells = [one or None for row in rows for one in row.values()]
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(rows))
        self._engine.execute(f"INSERT INTO visit VALUES {marks}", cells)

    def tell(self, text):
        counted = re.sub("^SELECT ", "SELECT count(DISTINCT person), ", text)
        rows = self._engine.execute(counted).fetchall()
        return [tuple(self._noisy(one) for one in row) for people, *row in rows if people >= K]

    def _noisy(self, cell):
        if self._noise and isinstance(cell, int):
            return cell + self._dice.randint(-self._noise, self._noise)
        return cell

    def withheld(self):
        """How many people were withheld by town, as a naive gate would say."""
        return self._engine.execute(
            "SELECT sum(p) FROM (SELECT count(DISTINCT person) AS p FROM visit GROUP BY town"
            f" HAVING p < {K})"
        ).fetchone()[0]
