# SPDX-License-Identifier: Apache-2.0
"""Wards, their physicians and hospitals, patients and visits, joined in the engine of a test."""

import itertools
import random
from contextlib import contextmanager

import duckdb
from governed import ADDED, EXACT, column

from lingqu.gate.answers.figures import find_proven, is_additive, write_answer
from lingqu.gate.answers.releasing import release
from lingqu.gate.answers.statement import print_certified, protections
from lingqu.gate.answers.telling import NotWhole, Overlap, find_sets
from lingqu.gate.datasets import OpenCube, copies, widen
from lingqu.gate.datasets.joined import as_one_table, leave_out
from lingqu.gate.datasets.joined_cube import cube_maker
from lingqu.gate.governance import (
    Cardinality,
    DpTerms,
    GovernedTable,
    Join,
    Measure,
    Mode,
    QueryPolicy,
    Role,
)
from lingqu.gate.queries import ALWAYS
from lingqu.gate.sql import Asked, find_refusal, read

KEY = b"k" * 32
TERMS = DpTerms(
    contribution=4, rho_least=10, rho_most=1_000_000, organization_ceiling=3_000_000,
    dataset_ceiling=5_000_000,
)  # fmt: skip


def policy_of(visits=3, patients=4, physicians=2, dominance=10, **changes):
    """Visits are about patients, and in wards about physicians too; hospitals are about nobody."""

    def table(name, *columns, **about):
        return GovernedTable(name=name, resource=f"res_{name}", columns=columns, **about)

    def key(name, type_="VARCHAR"):
        return column(name, Role.KEY, type_)

    def dimension(name):
        return column(name, Role.DIMENSION, "VARCHAR", EXACT)

    def amount(name):
        bounds = Measure(scale=1, lower=0, upper=1000, functions=ADDED)
        return column(name, Role.MEASURE, "DECIMAL(9,1)", None, bounds)

    given = {
        "tables": (
            table("visit", key("person"), key("ward", "INTEGER"), dimension("kind"),
                  amount("cost"), entity="person", threshold=visits),
            table("patient", key("id"), dimension("sex"), amount("income"), entity="id",
                  threshold=patients),
            table("ward", key("no", "INTEGER"), key("house", "INTEGER"), dimension("level"),
                  key("head"), amount("beds"), entity="head", threshold=physicians),
            table("hospital", key("code", "INTEGER"), dimension("region")),
        ),
        "joins": (
            Join(left="visit", right="patient", keys=(("person", "id"),)),
            Join(left="visit", right="ward", keys=(("ward", "no"),)),
            Join(left="ward", right="hospital", keys=(("house", "code"),)),
        ),
        "modes": (Mode.CUBE, Mode.AD_HOC, Mode.DP), "dominance": dominance, "dp": TERMS,
    }  # fmt: skip
    return QueryPolicy(**given | changes)


def many_to_many(policy):
    """The same policy with each join giving a row several rows."""
    joins = tuple(
        Join(left=one.left, right=one.right, keys=one.keys, cardinality=Cardinality.MANY_MANY)
        for one in policy.joins
    )
    return QueryPolicy(**{name: getattr(policy, name) for name in policy.__slots__} | {
        "joins": joins
    })  # fmt: skip


def rows_of_tables(seed, count=200):
    """Patients come often, some visits name nobody, a ward or patient nobody knows, or no ward."""
    draw = random.Random(seed)  # a seeded fixture
    people = draw.choice([6, 25, 80])
    patients = [
        (f"p{at}", draw.choice(["男", "女", None]), draw.randrange(1000) / 10)
        for at in range(people)
        if draw.random() > 0.05
    ]
    wards = [
        (at, draw.choice([0, 1, 2, None]), draw.choice(["一", "二"]),
         None if draw.random() < 0.1 else f"d{draw.randrange(9)}", 1.0)
        for at in range(12)
    ]  # fmt: skip
    hospitals = [(0, "北"), (1, "南")]
    visits = [
        (
            None if draw.random() < 0.05 else f"p{draw.randrange(people)}",
            None if draw.random() < 0.05 else draw.randrange(14),
            draw.choice(["门诊", "住院"]),
            None if draw.random() < 0.05 else draw.choice([1, 5, 5, 20, 900]) / 10,
        )
        for _ in range(count)
    ]
    return {"visit": visits, "patient": patients, "ward": wards, "hospital": hospitals}


TYPES = {
    "visit": ("person VARCHAR", "ward INTEGER", "kind VARCHAR", "cost DECIMAL(9,1)"),
    "patient": ("id VARCHAR", "sex VARCHAR", "income DECIMAL(9,1)"),
    "ward": ("no INTEGER", "house INTEGER", "level VARCHAR", "head VARCHAR", "beds DECIMAL(9,1)"),
    "hospital": ("code INTEGER", "region VARCHAR"),
}


class Place:
    """The engine with loaded tables and copies, one cube after the other."""

    def __init__(self, engine, policy, first=1):
        self.engine, self.policy = engine, policy
        self.cubes, self.versions = {}, itertools.count(first)

    def load(self, tables):
        """Load tables in place of those before, and publish the cube of visits and of patients."""
        for name, rows in tables.items():
            self.engine.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(TYPES[name])})")
            marks = f"({', '.join('?' * len(TYPES[name]))})"
            if rows:
                every = ", ".join([marks] * len(rows))
                values = [cell for row in rows for cell in row]
                self.engine.execute(f"INSERT INTO {name} VALUES {every}", values)
        self.publish(*self.policy.tables[:2])

    def publish(self, *tables):
        """Copy tables as they are now, and make the cube of each."""
        version = self.version = next(self.versions)
        for plain in tables:
            table = widen(self.policy, plain)
            branches = getattr(table, "branches", ())
            for at, branch in enumerate(branches):
                view = f"branch{at} AS FROM {branch.table.name}"
                self.engine.execute(f"CREATE OR REPLACE VIEW {view}")
            self.engine.execute(f"CREATE OR REPLACE VIEW source AS FROM {plain.name}")
            sql, pads = copies._print_copy(table, KEY)  # what a copy is made by
            self.engine.execute(f"CREATE TABLE {plain.name}_{version} AS {sql}", list(pads))
            before = self.cubes.get(plain.name)
            maker = cube_maker(
                table, percent=self.policy.dominance,
                ask=lambda sql, known, values=(), name=plain.name: self._ask(
                    name, sql, known, values
                ),
            )  # fmt: skip
            made = maker.make(version, None if before is None else before.cube)
            self.cubes[plain.name] = OpenCube(made, table)

    def _ask(self, name, sql, versions, values):
        for view, version in versions.items():
            self.engine.execute(f"CREATE OR REPLACE VIEW {view} AS FROM {name}_{version}")
        return iter(self.engine.execute(sql, list(values)).fetchall())

    def judged(self, text, mode=Mode.AD_HOC):
        """The question over one wide table, with its policy and its cube."""
        query = read(text, self.policy)
        refusal = find_refusal(Asked(query=query, policy=self.policy, mode=mode))
        if refusal is not None:
            raise refusal
        query, policy = as_one_table(query, self.policy)
        return query, policy, self.cubes[query.scans[0].table]

    def bounded(self, query, bounded):
        """What is computed for an answer under noise."""
        sql = bounded.sql
        for name in {scan.table for scan in query.scans}:
            sql = sql.replace(f'"{name}" AS', f'"{name}_{self.version}" AS')
        return bounded.read(self.engine.execute(sql, list(bounded.values)).fetchall())

    def cube(self, text):
        """What the cube answers, as it is sent."""
        query, policy, cube = self.judged(text, Mode.CUBE)
        return write_answer(query, policy, Mode.CUBE, cube.answer(query))

    def ad_hoc(self, text, overlap=None):
        """What is answered ad hoc, without rounding: as it is sent, as it was released, of what."""
        query, policy, cube = self.judged(text)
        whole, sets = cube.cube.whole, find_sets(query, cube)
        if whole is None:
            raise NotWhole(resource=cube.table.resource)
        overlap = overlap or Overlap(cube, whole)
        kept_back = overlap.judge(sets)
        every = [one.cells for one in sets.told(kept_back)]
        overlap.add(whole, sets.written(kept_back))
        rules = protections(query, policy)
        is_whole = not any(map(cube.standing.split, every))
        proven = find_proven(query) if is_whole else ()
        asked = leave_out(query, cube)
        statement = print_certified(asked, policy, rules, proven=proven, masked=True)
        name = query.scans[0].table
        sql = statement.sql.replace(f'"{name}" AS', f'"{name}_{whole}" AS')
        lines = statement.read(self.engine.execute(sql, list(statement.values)).fetchall())
        released = release(
            lines, rules=rules, kept_back=kept_back, may_merge=is_additive(query),
            is_filtered=query.filter != ALWAYS, has_left=cube.cube.has_left,
        )  # fmt: skip
        return write_answer(query, policy, Mode.AD_HOC, released), released, every


@contextmanager
def opened(policy, tables):
    """An engine in which a policy's tables are loaded and published."""
    with duckdb.connect(":memory:") as engine:
        engine.execute("SET threads = 1")
        place = Place(engine, policy)
        place.load(tables)
        yield place
