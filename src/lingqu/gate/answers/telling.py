# SPDX-License-Identifier: Apache-2.0
"""What an organisation was told of a dataset, and what it may still be told: overlap control.

Each ad hoc question is a list of sets of cells: all it is about, and each group under each guard.
It is admitted where no combination with what was told before isolates a part without a whole block;
a group that would is withheld. This is decided from the question, the published cube and the log of
what was told, never from rows, and written down before anything is computed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from lingqu import supply, trust
from lingqu.gate.answers.partition import Partition
from lingqu.gate.datasets import OpenCube, lock_dataset
from lingqu.gate.queries import ALWAYS, Predicate, Query
from lingqu.gate.suppression import Cell, in_order
from lingqu.kernel import errors
from lingqu.runtime import REAL_TIME, Tx

trust.declare(trust.AuditClass.OPERATIONAL, "gate.told_set")
HISTORIES_MOST = 1_000


class Overlapping(errors.Forbidden):
    """Together with earlier answers this one would isolate too few."""

    code = "gate.query.overlap"


class NotWhole(errors.Conflict):
    """The dataset has no version of which every row is published."""

    code = "gate.query.not_whole"


@dataclass(frozen=True)
class CellSet:
    """Cells of a cube by their ascending `places` in it; `text` is how the set is kept."""

    cube: OpenCube
    places: Sequence[int]
    text: str

    @functools.cached_property
    def cells(self) -> frozenset[Cell]:
        """The cells themselves, once they are needed: hashing thousands takes its time."""
        return frozenset(map(self.cube.cells.__getitem__, self.places))

    def split(self) -> frozenset[int]:
        """This will give the standing blocks of which the set holds a part only."""
        return self.cube.standing.split(self.cells) if self.cube.has_merged else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """A question as sets of cells: all of it, and by guard and group; empty ones are left out."""

    everything: CellSet
    groups: tuple[Mapping[Cell, CellSet], ...]

    def told(self, kept_back: Collection[Cell]) -> list[CellSet]:
        """This will give the sets that may be told, the whole first."""
        parts = (part.items() for part in self.groups)
        return [
            self.everything,
            *(one for part in parts for key, one in part if key not in kept_back),
        ]

    def written(self, kept_back: Collection[Cell]) -> set[str]:
        """This will give the texts of what may be told."""
        return {one.text for one in self.told(kept_back)}


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
        """This will write the sets down that may be told."""
        return json.dumps(sorted(self.sets.written(self.kept_back)), separators=(",", ":"))


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
    guards = find_guards(query)
    return cube.once(
        ("sets", query.filter, query.groups, guards), lambda: _find_sets(query, guards, cube)
    )


def _find_sets(query: Query, by: tuple[Predicate, ...], cube: OpenCube) -> Sets:
    guards = [cube.inside(one) for one in by]
    inside, keys = cube.inside(query.filter), cube.groups(query.groups)
    everything = [*compress(range(len(cube.standing.place)), inside)]
    found = []
    for guard in guards:
        groups: defaultdict[Cell, list[int]] = defaultdict(list)
        mine = everything if all(guard) else [at for at in everything if guard[at]]
        for at, key in zip(mine, map(keys.__getitem__, mine), strict=True):
            groups[key].append(at)
        found.append(groups)

    def kept(places: list[int]) -> CellSet:
        return CellSet(cube, places, _write_places(places))

    return Sets(
        everything=kept(everything),
        groups=tuple({key: kept(places) for key, places in groups.items()} for groups in found),
    )


def _write_places(places: Sequence[int]) -> str:
    """Write ascending places as runs: `0-79,85`. Cells keep their places in all cubes to come."""
    if not places:
        return ""
    first = last = places[0]
    if places[-1] - first == len(places) - 1:
        return _write_run(first, places[-1])
    runs = []
    for one in places[1:]:
        if one > last + 1:
            runs.append(_write_run(first, last))
            first = one
        last = one
    return ",".join([*runs, _write_run(first, last)])


def _write_run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _read_places(text: str, cube: OpenCube) -> frozenset[Cell]:
    """Read a set; what another process published since is no cell of this cube yet."""
    found: list[Cell] = []
    for run in filter(None, text.split(",")):
        low, _, high = run.partition("-")
        found += cube.cells[int(low) : int(high or low) + 1]
    return frozenset(found)


class Overlap:
    """What an organisation was told of one cube, and what may still be told beside it.

    Of a block that was cut under another version of the data, nothing is told but the whole.
    """

    def __init__(self, cube: OpenCube, whole: int) -> None:
        """Nothing was told yet."""
        self.cube, self.whole = cube, whole
        self._told: dict[tuple[bool, str], None] = {}
        self._rows: dict[str, set[int]] = {}
        self._count = 0
        self._is_cut = False
        self._partition: Partition | None = None
        self._cut: set[int] = set()

    def add(self, version: int, sets: Iterable[str]) -> None:
        """This will remember what was told of a version together, as texts of sets."""
        is_now = version == self.whole
        self._count += 1
        for text in sets:
            if is_now:
                self._rows.setdefault(text, set()).add(self._count)
            if (is_now, text) in self._told:
                continue
            self._told[is_now, text] = None
            if self.cube.has_merged and self.cube.standing.split(_read_places(text, self.cube)):
                self._is_cut = True
            if self._partition is not None:
                self._remember(self._partition, (is_now, text))

    def knows(self, texts: Collection[str]) -> bool:
        """This will say whether all of these sets were told together, of the present version."""
        rows = sorted((self._rows.get(one, set[int]()) for one in texts), key=len)
        return any(all(one in others for others in rows[1:]) for one in rows[0])

    def judge(self, sets: Sets) -> frozenset[Cell]:
        """This will give the groups that must be kept back. Raises Overlapping."""
        if self.cube.is_told:
            # Each block is known by itself, so what is left of one that was cut would be known too.
            if sets.everything.split():
                raise Overlapping
            parts = (part.items() for part in sets.groups)
            return frozenset(key for part in parts for key, one in part if one.split())
        if not self._is_cut and not any(one.split() for one in sets.told(())):
            return frozenset()  # unions of whole blocks stay unions of whole blocks
        partition = self._built().copy()
        if not self._adds(partition, sets.everything):
            raise Overlapping
        return frozenset(
            key
            for groups in sets.groups
            for key in in_order(groups)
            if not self._adds(partition, groups[key])
        )

    def _adds(self, partition: Partition, one: CellSet) -> bool:
        """Add a set to what was told, unless it would isolate a part without a whole block."""
        cells = one.cells
        if one.split() & self._cut or not partition.admits(cells):
            return False
        partition.add(cells)
        return True

    def _built(self) -> Partition:
        """The partition of all that was told, made when it is first needed."""
        if self._partition is None:
            self._partition = Partition(self.cube.standing)
            for told in self._told:
                self._remember(self._partition, told)
        return self._partition

    def _remember(self, partition: Partition, told: tuple[bool, str]) -> None:
        is_now, text = told
        known = _read_places(text, self.cube)
        if is_now:
            partition.add(known)
        else:
            self._cut |= self.cube.standing.split(known)


_TOLD = """
    SELECT position, whole, sets FROM gate.told_set
    WHERE resource = %s AND holder = %s AND position > %s ORDER BY position
"""
_COUNT = "SELECT count(*) AS told FROM gate.told_set WHERE resource = %s AND holder = %s"
_TELL = """
    INSERT INTO gate.told_set (resource, holder, question, whole, sets, told_at)
    VALUES (%s, %s, %s, %s, %s, %s)
"""


class _History:
    """What one organisation was told of one dataset, as far as it was read."""

    def __init__(self, cube: OpenCube, whole: int) -> None:
        self.lock = threading.Lock()
        self.overlap = Overlap(cube, whole)
        self.position = self.judged = 0

    def read(self, tx: Tx, resource: str, holder: str) -> None:
        """Read what is new: positions of one dataset are given in the order of commits."""
        for row in tx.all(_TOLD, (resource, holder, self.position)):
            texts = [_as_text(one, self.overlap.cube) for one in json.loads(row["sets"])]
            self.overlap.add(row["whole"], texts)
            self.position = row["position"]
            self.judged += 1


def _as_text(kept: str | list[list[str | None]], cube: OpenCube) -> str:
    """A set as it is kept now; before, the cells were written out."""
    if isinstance(kept, str):
        return kept
    places = (cube.position.get(tuple(cell)) for cell in kept)
    return _write_places(sorted(one for one in places if one is not None))


class Memory:
    """What organisations were told, as far as this process read it. Threads may share it."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._lock = threading.Lock()
        self._histories: OrderedDict[tuple[str, str], _History] = OrderedDict()

    def history(self, cube: OpenCube, whole: int, holder: str) -> _History:
        """This will give what is known of an organisation; another cube is read anew."""
        name = (cube.table.resource, holder)
        with self._lock:
            found = self._histories.get(name)
            if found is None or found.overlap.cube is not cube or found.overlap.whole != whole:
                found = self._histories[name] = _History(cube, whole)
            self._histories.move_to_end(name)
            if len(self._histories) > HISTORIES_MOST:
                self._histories.popitem(last=False)
            return found


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
    partition, isolating = Partition(cube.standing), 0
    for row in rows[:TOLD_MOST]:
        if row["whole"] != cube.cube.whole:
            continue
        is_isolating = False
        for kept in json.loads(row["sets"]):
            known = _read_places(_as_text(kept, cube), cube)
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


def find_admitted(
    tx: Tx, query: Query, cube: OpenCube, *, holder: str, memory: Memory | None = None
) -> Admitted:
    """This will say what may be told now, without writing it down.

    With a `memory` only what was told since is read. Raises Overlapping, NotWhole, NotOnGrid.
    """
    whole, resource = cube.cube.whole, cube.table.resource
    if whole is None:
        raise NotWhole(resource=resource)
    sets = find_sets(query, cube)
    history = (memory or Memory()).history(cube, whole, holder)
    with history.lock:
        history.read(tx, resource, holder)
        kept_back = history.overlap.judge(sets)
        written = sets.written(kept_back)
        return Admitted(
            sets=sets,
            kept_back=kept_back,
            whole=whole,
            is_whole=not any(one.split() for one in sets.told(kept_back)),
            judged=history.judged,
            is_new=not history.overlap.knows(written),
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
    lock_dataset(tx, resource)
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
