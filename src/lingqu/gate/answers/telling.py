# SPDX-License-Identifier: Apache-2.0
"""What an organisation was told of a dataset, and what it may still be told: overlap control.

Each ad hoc question is a list of sets of cells: all it is about, and each group under each guard.
It is admitted where no combination with what was told before isolates a part without a whole block;
a group that would is withheld. This is decided from the question, the published cube and the log of
what was told, never from rows, and written down before anything is computed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lingqu import supply, trust
from lingqu.gate.answers.cells import Partition
from lingqu.gate.answers.cube import OpenCube
from lingqu.gate.answers.datasets import DATASETS
from lingqu.gate.queries import ALWAYS, Predicate, Query
from lingqu.gate.suppression import Cell, order
from lingqu.kernel import errors
from lingqu.runtime import REAL_TIME, Tx

trust.declare(trust.AuditClass.OPERATIONAL, "gate.told_set")


class Overlapping(errors.Forbidden):
    """Together with earlier answers this one would isolate too few."""

    code = "gate.query.overlap"


class NotWhole(errors.Conflict):
    """The dataset has no version of which every row is published."""

    code = "gate.query.not_whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """A question as sets of cells: all of it, and by guard and group; empty ones are left out."""

    everything: frozenset[Cell]
    groups: tuple[Mapping[Cell, frozenset[Cell]], ...]

    def told(self, kept_back: Collection[Cell]) -> list[frozenset[Cell]]:
        """This will give the sets that may be told, the whole first."""
        parts = (part.items() for part in self.groups)
        return [
            self.everything,
            *(cells for part in parts for key, cells in part if key not in kept_back),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What may be told: sets of cells, the groups to keep back, the version to read.

    `is_whole` says that no set cuts a block, `judged` how many questions were told before, and
    `is_new` that this one is not among them.
    """

    sets: Sets
    kept_back: frozenset[Cell]
    whole: int
    is_whole: bool
    judged: int
    is_new: bool

    def to_text(self) -> str:
        """This will write the sets down that may be told, each with its cells in order."""
        every = {tuple(sorted(one, key=order)) for one in self.sets.told(self.kept_back)}
        return json.dumps(sorted(every, key=str), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetsTold(trust.Fact):
    """An organisation may be answered about these sets of cells of a dataset, ad hoc."""

    kind = "gate.query.admitted"
    resource: supply.ResourceId
    holder: trust.PartyId
    question: str
    groups: int
    kept_back: int


def find_guards(query: Query) -> tuple[Predicate, ...]:
    """This will give the different guards of a question, each once, in the order of aggregates."""
    return tuple(dict.fromkeys(one.guard for one in query.aggregates)) or (ALWAYS,)


def find_sets(query: Query, cube: OpenCube) -> Sets:
    """This will give the sets of published cells a question is about. Raises NotOnGrid."""
    guards = [cube.inside(one) for one in find_guards(query)]
    everything, found = set(), [dict[Cell, set[Cell]]() for _ in guards]
    inside, keys = cube.inside(query.filter), cube.groups(query.groups)
    for at, cell in enumerate(cube.cells):
        if inside[at]:
            everything.add(cell)
            for guard, groups in zip(guards, found, strict=True):
                if guard[at]:
                    groups.setdefault(keys[at], set()).add(cell)
    return Sets(
        everything=frozenset(everything),
        groups=tuple({key: frozenset(cells) for key, cells in groups.items()} for groups in found),
    )


def judge_overlap(
    sets: Sets, told: Iterable[tuple[int, Sequence[Sequence[Cell]]]], cube: OpenCube, whole: int
) -> frozenset[Cell]:
    """This will give the groups that must be kept back. Raises Overlapping.

    `told` are the sets that were told before, each with the version it was told of: of a block
    that was cut under another version, nothing is told but the whole.
    """
    before = [(version, [*map(cube.blocks.known, earlier)]) for version, earlier in told]
    everything = [*sets.told(()), *(cells for _, earlier in before for cells in earlier)]
    if not any(map(cube.blocks.split, everything)):
        return frozenset()  # unions of whole blocks stay unions of whole blocks
    partition, cut = Partition(cube.blocks), set[int]()
    for version, sets_then in before:
        for known in sets_then:
            if version != whole:
                cut |= cube.blocks.split(known)
            else:
                partition.add(known)
    if cube.blocks.split(sets.everything) & cut or not partition.admits(sets.everything):
        raise Overlapping
    partition.add(sets.everything)
    kept_back = set()
    for groups in sets.groups:
        for key in sorted(groups, key=order):
            mine = groups[key]
            if cube.blocks.split(mine) & cut or not partition.admits(mine):
                kept_back.add(key)
            else:
                partition.add(mine)
    return frozenset(kept_back)


_TOLD = """
    SELECT whole, sets FROM gate.told_set WHERE resource = %s AND holder = %s ORDER BY position
"""
_COUNT = "SELECT count(*) AS told FROM gate.told_set WHERE resource = %s AND holder = %s"
_TELL = """
    INSERT INTO gate.told_set (resource, holder, question, whole, sets, told_at)
    VALUES (%s, %s, %s, %s, %s, %s)
"""


def find_told(tx: Tx, *, resource: str, holder: str) -> list[tuple[int, list[list[Cell]]]]:
    """This will read what an organisation was told of a dataset."""
    return [
        (row["whole"], [[tuple(cell) for cell in cells] for cells in json.loads(row["sets"])])
        for row in tx.all(_TOLD, (resource, holder))
    ]


_EVERYBODY = """
    SELECT holder, whole, sets FROM gate.told_set WHERE resource = %s ORDER BY position LIMIT %s
"""
TOLD_MOST = 2_000
"""So many answers are put together when it is asked what everybody could learn from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What organisations were told of a dataset, put together: answers, of how many organisations.

    `isolating` counts those that would isolate a part without a whole block, could one organisation
    subtract the others from it; `is_cut` says that there are more than were looked at.
    """

    answers: int
    organizations: int
    isolating: int
    is_cut: bool


def put_together(tx: Tx, cube: OpenCube) -> Together:
    """This will put everything that was told of a dataset's newest version together."""
    rows = tx.all(_EVERYBODY, (cube.table.resource, TOLD_MOST + 1))
    partition, isolating = Partition(cube.blocks), 0
    for row in rows[:TOLD_MOST]:
        if row["whole"] != cube.cube.whole:
            continue
        is_isolating = False
        for cells in json.loads(row["sets"]):
            known = cube.blocks.known(tuple(cell) for cell in cells)
            if known and partition.admits(known):
                partition.add(known)
            elif known:
                is_isolating = True
        isolating += is_isolating
    return Together(
        answers=min(len(rows), TOLD_MOST),
        organizations=len({row["holder"] for row in rows}),
        isolating=isolating,
        is_cut=len(rows) > TOLD_MOST,
    )


def find_admitted(tx: Tx, query: Query, cube: OpenCube, *, holder: str) -> Admitted:
    """This will say what may be told now, without writing it down.

    Raises Overlapping, NotWhole, NotOnGrid.
    """
    if cube.cube.whole is None:
        raise NotWhole(resource=cube.table.resource)
    sets = find_sets(query, cube)
    told = find_told(tx, resource=cube.table.resource, holder=holder)
    kept_back = judge_overlap(sets, told, cube, cube.cube.whole)
    every = sets.told(kept_back)
    return Admitted(
        sets=sets,
        kept_back=kept_back,
        whole=cube.cube.whole,
        is_whole=not any(cube.blocks.split(one) for one in every),
        judged=len(told),
        is_new=not any(
            version == cube.cube.whole and {*every} <= {*map(frozenset, earlier)}
            for version, earlier in told
        ),
    )


class ToldMeanwhile(errors.Unavailable):
    """The organisation was told something else meanwhile; it is decided anew."""

    code = "gate.query.told_meanwhile"


@trust.command("gate.query.admit", internal=True)
def admit_query(
    tx: Tx,
    *,
    resource: supply.ResourceId,
    holder: trust.PartyId,
    whole: int,
    sets: str,
    groups: int,
    kept_back: int,
    judged: int,
) -> None:
    """This will write down that sets of cells may be told, before anything is computed of them.

    `sets` is what `Admitted.to_text` gives, `groups` how many lines there may be,
    `judged` is how many questions it was decided on. Raises ToldMeanwhile, DatasetNotFound.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    DATASETS.lock(tx, resource)
    if tx.one(_COUNT, (resource, holder))["told"] != judged:
        raise ToldMeanwhile(resource=resource)
    question = hashlib.sha256(sets.encode()).hexdigest()
    tx.execute(_TELL, (resource, holder, question, whole, sets, REAL_TIME.now()))
    trust.record(
        tx,
        SetsTold(
            resource=resource,
            holder=holder,
            question=question,
            groups=groups,
            kept_back=kept_back,
        ),
    )
