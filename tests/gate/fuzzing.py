# SPDX-License-Identifier: Apache-2.0
"""Statements by the million, each judged by checkers that know nothing of how it was read.

`python tests/gate/fuzzing.py` runs until N statements (a million) were tried; SEED repeats a run.
Whatever is answered must print SQL that reads back as the same question and names nothing else,
and what is run of it in every mode must give the figures the statement itself gives on small
tables. No canary comes out, no file is touched, nobody is called, and no setting changes.
"""

import contextlib
import enum
import math
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

import duckdb
from governed import POLICY, escapes, executed_escapes
from statements import Grammar
from traps import CANARY, ROWS, SETTINGS, Traps, engine_with_tables

from lingqu.gate import answers, datasets
from lingqu.gate.answers.noise import TooFarMoved
from lingqu.gate.datasets import Told, ToldLine
from lingqu.gate.datasets.cells import Protection
from lingqu.gate.datasets.cube import CubeMaker
from lingqu.gate.governance import Function, Mode
from lingqu.gate.queries import EVERY_LINE, GroupOf, Linear, Relation, Step, digest
from lingqu.gate.sql import Asked, find_refusal, print_query, read, read_printed
from lingqu.gate.syntax import Dialect
from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import parsing

STATEMENTS = 1_000_000
BATCH = 10_000
SHOWN = 20
COPIED = 1
KINDS = {
    "All", "Aggregate", "AnyOf", "ColumnRef", "Compared", "Dimension", "GroupOf", "Joined", "Like",
    "Linear", "Members", "Order", "Output", "Query", "Quotient", "Ranges", "Scan", "Share", "Span",
    "Within", *map(str, (*Function, *Step, *Relation)),
}  # fmt: skip
"""Everything a query can be made of."""
CODES = {
    "aggregate", "column", "construct", "function", "function_unreviewed", "join", "mode_refused",
    "name_ambiguous", "name_taken", "name_unknown", "off_grid", "readings_differ", "rows", "text",
    "too_complex", "too_many_joins", "too_wide", "type",
}  # fmt: skip
"""Every code a text can be refused by."""
NOISELESS = replace(POLICY, modes=(Mode.CUBE, Mode.AD_HOC), dp=None)
UNBOUND = replace(POLICY.dp, contribution=ROWS)


class Trial:
    """Tries statements, and keeps what must not be and how far they reached."""

    def __init__(self, seed):
        self._folder = tempfile.TemporaryDirectory(prefix="lqfuzz")
        self.traps = Traps(self._folder.name)
        self.grammar = Grammar(seed, folder=self._folder.name, url=self.traps.url)
        self.engine, self.twin = engine_with_tables(), engine_with_tables(twin=True)
        self.cube = self._cube()
        self.settings = self._settings()
        self.tried, self.read, self.answered, self.equal, self.run_again = 0, 0, 0, 0, 0
        self.found, self.kinds, self.codes = [], Counter(), Counter()

    def _cube(self):
        """Of cells that are published whatever they hold, so that it answers as plain counting."""
        table = replace(POLICY.tables[0], threshold=0)
        made = CubeMaker(
            table, percent=0, ask=lambda sql, _: iter(self.engine.execute(sql).fetchall())
        )
        made._rule = Protection(threshold=0)
        self.engine.execute("CREATE VIEW now AS SELECT * FROM t")
        return datasets.OpenCube(made.make(COPIED, None), table)

    def _settings(self):
        """What both engines are set to: the one that reads texts, the one that runs answers."""
        return [one.execute(SETTINGS).fetchall() for one in (parsing._engine()[0], self.engine)]

    def close(self):
        self.traps.close()
        self._folder.cleanup()

    def run(self, count):
        """Try so many more, and see what was touched meanwhile."""
        before = self.grammar.dice.getstate()
        self._try(count)
        if self.traps.sprung():
            # Another process may have looked into the folder: what is ours happens again.
            self.grammar.dice.setstate(before)
            self._try(count)
            self.found += [("", one) for one in self.traps.sprung()]
        if self._settings() != self.settings:
            self.found.append(("", "settings were changed"))

    def _try(self, count):
        for _ in range(count):
            self.tried += 1
            text = self.grammar.statement()
            try:
                query = read(text, POLICY, self.grammar.bound)
            except LingquError as refusal:
                self._count(text, refusal)
                continue
            self._judge(text, query)

    def _count(self, text, refusal):
        family, _, code = refusal.code.rpartition(".")
        self.codes[code] += 1
        if family != "gate.query" or CANARY in str(refusal):
            self.found.append((text, refusal.code))

    def _judge(self, text, query):
        """Check what some mode answers; what none does is never printed."""
        self.read += 1
        self.kinds.update(parts_of(query))
        if not self._is_answered(text, query):
            return
        self.answered += 1
        printed = print_query(query, POLICY, dialect=Dialect.DUCKDB)
        if digest(read_printed(printed, POLICY)) != digest(query):
            self.found.append((text, "reads back as another question"))
        for escape in escapes(printed.sql, POLICY):
            self.found.append((text, escape))
        banded = any(one.step is Step.BAND for one in query.groups)
        whole = query.having == EVERY_LINE and not query.distinct and not query.offset
        if whole and not banded and not self.grammar.bound and _is_plain(text, query):
            self._compare(text, query, printed)

    def _is_answered(self, text, query):
        """Ask in which mode it is: by a key in none, and under noise the most, if it is offered."""
        told = set()
        for policy, mode in ((POLICY, Mode.DP), (POLICY, Mode.AD_HOC), (NOISELESS, Mode.DP)):
            refusal = find_refusal(Asked(query=query, policy=policy, mode=mode))
            if refusal is not None:
                self._count(text, refusal)
                continue
            told.add(mode)
            if policy is NOISELESS or Mode.DP not in told or "'pid'" in str(query.filter):
                self.found.append((text, f"is answered in {mode}"))
        return bool(told)

    def _compare(self, text, query, printed):
        try:
            expected = lines_of(self.engine.execute(text).fetchall())
        except duckdb.Error:
            return  # an overflow, a type the engine does not convert: nothing to compare with
        values = list(printed.values)
        rows = self.engine.execute(printed.sql, values).fetchall()
        self.equal += 1
        if not alike(expected, lines_of(shown(query, row) for row in rows)):
            self.found.append((text, "gives other figures"))
        if CANARY in str(expected):
            self.found.append((text, "shows a canary"))
        if find_refusal(Asked(query=query, policy=POLICY, mode=Mode.AD_HOC)) is None:
            other = self.twin.execute(printed.sql, values).fetchall()
            if sorted(map(str, other)) != sorted(map(str, rows)):
                self.found.append((text, "depends on what nobody may look at"))
        for mode, told in self._executed(query):
            self.run_again += 1
            if not alike(expected, lines_of(told)):
                self.found.append((text, f"gives other figures in {mode}"))

    def _executed(self, query):
        """What each mode runs and releases, before thresholds and noise."""
        statement = answers.print_certified(query, POLICY, answers.protections(query, POLICY))
        yield (
            Mode.AD_HOC,
            self._released(
                query,
                ((one.key, one.numbers) for one in statement.read(self._run(statement))),
            ),
        )
        if len(query.scans) > 1 or query.scans[0].table != "t":
            return
        if _adds_up(query):
            with contextlib.suppress(TooFarMoved):
                bounded = answers.noise.print_bounded(query, POLICY, UNBOUND)
                yield Mode.DP, self._released(query, bounded.read(self._run(bounded)).items())
        try:
            told = self.cube.answer(query)
        except LingquError:
            return
        if not told.has_withheld:
            yield Mode.CUBE, self._released(query, ((one.key, one.numbers) for one in told.lines))

    def _run(self, statement):
        for escape in executed_escapes(statement.sql, POLICY):
            self.found.append((statement.sql, escape))
        return self.engine.execute(statement.sql, list(statement.values)).fetchall()

    def _released(self, query, lines):
        told = tuple(ToldLine(key=tuple(key), numbers=tuple(numbers)) for key, numbers in lines)
        whole = Told(lines=told, has_withheld=False, withheld_entities=None)
        return answers.write_answer(query, POLICY, Mode.DP, whole)["rows"]

    @property
    def unreached(self):
        """What no statement reached of queries and of refusals."""
        return sorted(KINDS - {*self.kinds}), sorted(CODES - {*self.codes})


def _adds_up(query):
    return not any(one.function in {Function.MIN, Function.MAX} for one in query.aggregates)


def _is_plain(text, query):
    """What is done with whole lines comes after release, and a bare day is shown by its month."""
    folded = " ".join(text.lower().split())
    months = any(one.step is Step.MONTH for one in query.groups)
    is_bare = " d as " in folded or "trunc" not in folded
    afterwards = any(one in folded for one in ("limit", "having", "offset", "select distinct"))
    return not afterwards and not (months and is_bare)


def parts_of(node):
    """The kinds of everything a query is made of, each once."""
    found, waiting = set(), [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, enum.Enum):
            found.add(str(one))
        elif isinstance(one, tuple):
            waiting += one
        elif is_dataclass(one):
            found.add(type(one).__name__)
            waiting += [getattr(one, field.name) for field in fields(one)]
    return found


def shown(query, row):
    """A row of the answer: figures from base aggregates, as they are released."""
    groups, numbers = row[: len(query.groups)], row[len(query.groups) :]

    def linear(one):
        taken = [numbers[share.aggregate] for share in one.shares]
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


LEAST_TOLD, HALF_TOLD = 1e-6, 0.501e-6
"""Figures are told with six places: they move by half of the least, and that is told as nothing."""


def lines_of(rows):
    """Rows in an order of their own, to compare."""
    return sorted(map(close, rows))


def alike(some, others):
    """Whether lines are the same but for the last digit of a figure that was rounded."""
    if some == others or len(some) != len(others):
        return some == others
    left = list(others)
    for line in some:
        found = next((one for one in left if all(map(_nearly, line, one))), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _nearly(one, other):
    if one == other:
        return True
    numbers = _number_of(one), _number_of(other)
    return None not in numbers and math.isclose(*numbers, rel_tol=2e-5, abs_tol=HALF_TOLD)


def close(row):
    """A row with figures as rounded numbers; nothing added up is 0 here and missing in SQL."""
    cells = []
    for cell in row:
        value = _number_of(cell)
        if value is None:
            cells.append("0" if cell is None else str(cell)[:10])
        else:
            is_some = math.isfinite(value) and abs(value) > LEAST_TOLD / 2
            cells.append(f"{value:.6g}" if is_some else "0")
    return cells


def _number_of(cell):
    """A figure, also where it was written as text, as keys of groups are."""
    try:
        return None if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        return None


def main():
    """Try N statements and say what came of it."""
    count = int(os.environ.get("N") or STATEMENTS)
    seed = int(os.environ.get("SEED") or time.time_ns() % 10**9)
    trial, told = Trial(seed), sys.stdout
    told.write(f"seed {seed}, {count:,} statements\n")
    while trial.tried < count and not trial.found:
        trial.run(min(BATCH, count - trial.tried))
        told.write(
            f"{trial.tried:,} tried, {trial.read:,} read, {trial.answered:,} answered,"
            f" {trial.equal:,} compared,"
            f" {trial.run_again:,} run in modes\n"
        )
        told.flush()
    for name, counted in (("reached", trial.kinds), ("refused", trial.codes)):
        told.write(
            f"{name}: {', '.join(f'{one} {many:,}' for one, many in counted.most_common())}\n"
        )
    told.write(f"not reached: {trial.unreached}\n")
    for text, what in trial.found[:SHOWN]:
        told.write(f"{what}: {text[:1_000]}\n")
    trial.close()
    return 1 if trial.found else 0


if __name__ == "__main__":
    sys.exit(main())
