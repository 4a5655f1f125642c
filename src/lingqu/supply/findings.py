# SPDX-License-Identifier: Apache-2.0
"""问题 findings: what is wrong with loaded tables, told to the body that has to mend it.

An observation is made outside a transaction over what is loaded: two tables that disagree, or cells
that break a rule of quality. Recorded, it is a finding, with its figures and a few codes as
examples, and opens the procedure `rectification`: from there on clocks and letters are those of the
chart. No name of a person and no cell but a code is ever in a finding.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import to_plain
from lingqu.runtime import Tx, documents
from lingqu.runtime.engine import Engine
from lingqu.supply.collection import LoadedTable, find_table, read_loaded
from lingqu.supply.comparison import Comparison, KeyBook, compare_tables
from lingqu.supply.resources import ResourceId, get_resource, read_fields
from lingqu.supply.tables import UnknownColumn
from lingqu.trust import procedures

CHART = "rectification"
TITLE_MAX = 200
EXAMPLES_MOST = 10
_SEVERAL = re.compile(r"[/、;；|]")


class FindingId(Id):
    """The id of one finding."""

    prefix = "fnd"


class FindingKind(enum.Enum):
    """How a finding came about."""

    COMPARISON = "comparison"
    """Two tables disagree."""
    ONE_VALUE = "one_value"
    """A cell that should hold one value holds several."""
    FILLED = "filled"
    """A cell that should be filled is empty."""
    UNIQUE = "unique"
    """A value that should stand once stands several times."""


class FindingNotFound(errors.NotFound):
    """There is no such finding, or the caller may not know of it."""

    code = "supply.finding.not_found"


class NothingFound(errors.Rejected):
    """The observation shows no fault, so there is nothing to mend."""

    code = "supply.finding.nothing"


class FindingOutdated(errors.Conflict):
    """The table was loaded anew since it was looked at."""

    code = "supply.finding.outdated"


class BadFinding(errors.Rejected):
    """The title is not usable, or the body named answers for neither table."""

    code = "supply.finding.bad"


class KeyMissing(errors.Rejected):
    """The resource declares no key, or several, so its rows cannot be named."""

    code = "supply.finding.key_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of an observation."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen over loaded tables: figures, and codes as examples; no other cells.

    `within` is the beginning of the codes that were looked at, empty for all; `faults` is how many
    rows or codes are wrong.
    """

    kind: FindingKind
    resource: ResourceId
    edition: int
    other: ResourceId | None
    other_edition: int | None
    column: str
    within: str
    faults: int
    figures: tuple[Figure, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A recorded finding; `figures` and `examples` are canonical JSON."""

    id: FindingId
    kind: FindingKind
    resource: ResourceId
    edition: int
    other: ResourceId | None
    other_edition: int | None
    column_name: str
    within: str
    faults: int
    figures: str
    examples: str
    title: str
    inspector: trust.PartyId
    responsible: trust.PartyId
    procedure: procedures.ProcedureId
    opened_at: Instant
    version: int = 1


FINDINGS = trust.Table("supply.finding", Finding, not_found=FindingNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingOpened(trust.Fact):
    """Something is wrong with a loaded table, and a body was named that has to mend it."""

    kind = "supply.finding.opened"
    finding: FindingId
    finding_kind: FindingKind
    resource: ResourceId
    edition: int
    other: ResourceId | None
    other_edition: int | None
    responsible: trust.PartyId
    procedure: procedures.ProcedureId
    faults: int
    figures: tuple[Figure, ...]


def compare_loaded(
    left: LoadedTable,
    right: LoadedTable,
    *,
    tables: Path,
    engine: Engine,
    name: str,
    parent: str,
    right_name: str | None = None,
    right_parent: str | None = None,
    within: str = "",
) -> Comparison:
    """This will compare two loaded code books by their declared keys.

    `name` and `parent` are columns, on the right too unless named otherwise; only codes that begin
    with `within` are looked at. Raises KeyMissing, UnknownColumn, and what reading raises.
    """
    books = (
        open_book(
            one, tables=tables, engine=engine, name=columns[0], parent=columns[1], within=within
        )
        for one, columns in (
            (left, (name, parent)),
            (right, (right_name or name, right_parent or parent)),
        )
    )
    return compare_tables(*books)


def open_book(
    table: LoadedTable, *, tables: Path, engine: Engine, name: str, parent: str, within: str = ""
) -> KeyBook:
    """This will read a loaded code book by its declared key, as far as codes begin with `within`.

    Raises KeyMissing, UnknownColumn, and what reading raises.
    """
    key = _key(table)
    for column in (name, parent):
        _check_column(table, column)
    delivered = read_loaded(table, tables=tables, engine=engine, columns=(key, name, parent))
    place = delivered.place_of(key)
    rows = sorted(row for row in delivered.rows if row[place].startswith(within))
    kept = type(delivered)(
        name=delivered.name,
        encoding=delivered.encoding,
        separator=delivered.separator,
        columns=delivered.columns,
        rows=tuple(rows),
    )
    return KeyBook(table=kept, key=key, name=name, parent=parent)


def observe_comparison(
    left: LoadedTable, right: LoadedTable, found: Comparison, *, within: str = ""
) -> Observation:
    """This will say in figures what a comparison of two loaded tables found."""
    figures = {
        "left_rows": found.left_rows,
        "right_rows": found.right_rows,
        "shared_keys": found.shared_keys,
        "conflicts": len(found.conflicts),
        "swapped": found.swapped,
        "left_parents": found.left_parents,
        "right_parents": found.right_parents,
        "shared_parents": found.shared_parents,
        "derived_matches": found.derived_matches,
        "left_only": len(found.left_only),
        "right_only": len(found.right_only),
    }
    return Observation(
        kind=FindingKind.COMPARISON,
        resource=left.resource,
        edition=left.version,
        other=right.resource,
        other_edition=right.version,
        column="",
        within=within,
        faults=len(found.conflicts),
        figures=tuple(Figure(name=name, count=count) for name, count in figures.items()),
        examples=tuple(one.key for one in found.conflicts[:EXAMPLES_MOST]),
    )


def check_column(
    table: LoadedTable,
    *,
    kind: FindingKind,
    column: str,
    tables: Path,
    engine: Engine,
    within: str = "",
) -> Observation:
    """This will look for cells of a column that break a rule of quality.

    Raises KeyMissing, UnknownColumn, and what reading raises.
    """
    assert kind is not FindingKind.COMPARISON, "that takes two tables"
    key = _key(table)
    _check_column(table, column)
    delivered = read_loaded(table, tables=tables, engine=engine, columns=(key, column))
    code, cell = delivered.place_of(key), delivered.place_of(column)
    rows = [(row[code], row[cell]) for row in delivered.rows if row[code].startswith(within)]
    times = Counter(value for _, value in rows)
    wrong = sorted(one for one, value in rows if _breaks(kind, value, times))
    return Observation(
        kind=kind,
        resource=table.resource,
        edition=table.version,
        other=None,
        other_edition=None,
        column=column,
        within=within,
        faults=len(wrong),
        figures=(Figure(name="rows", count=len(rows)), Figure(name="faults", count=len(wrong))),
        examples=tuple(wrong[:EXAMPLES_MOST]),
    )


@trust.command("supply.finding.open")
def open_finding(
    tx: Tx,
    *,
    finding: FindingId,
    observation: Observation,
    title: str,
    inspector: trust.PartyId,
    responsible: trust.PartyId,
    superior: trust.PartyId | None = None,
) -> Finding:
    """This will record what was observed and begin its rectification by the body that answers.

    Codes of a personal key are left out. Raises ResourceNotFound, NotLoaded, FindingOutdated,
    NothingFound, BadFinding, PartyNotFound, IdTaken and what `begin_procedure` raises.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.FINDING, owner=inspector)
    if not observation.faults:
        raise NothingFound
    owners = _check_current(tx, observation)
    if responsible not in owners:
        raise BadFinding(part="responsible")
    name = _title(title)
    procedure = procedures.ProcedureId.of(finding.uuid)
    parts = [
        procedures.Part(role="inspector", party=inspector),
        procedures.Part(role="responsible", party=responsible),
    ]
    if superior is not None:
        parts.append(procedures.Part(role="superior", party=superior))
    procedures.begin_procedure(
        tx,
        procedure=procedure,
        chart=CHART,
        subject=finding,
        title=name,
        owner=responsible,
        parts=tuple(parts),
    )
    made = Finding(
        id=finding,
        kind=observation.kind,
        resource=observation.resource,
        edition=observation.edition,
        other=observation.other,
        other_edition=observation.other_edition,
        column_name=observation.column,
        within=observation.within,
        faults=observation.faults,
        figures=canon.encode({one.name: one.count for one in observation.figures}).decode(),
        examples=canon.encode(to_plain(_examples(tx, observation))).decode(),
        title=name,
        inspector=inspector,
        responsible=responsible,
        procedure=procedure,
        opened_at=tx.now,
    )
    FINDINGS.insert(tx, made)
    _record_opened(tx, made, observation)
    return made


def plan_finding(
    tx: Tx, *, resource: ResourceId, other: ResourceId | None = None
) -> tuple[LoadedTable, LoadedTable | None]:
    """This will give the tables to look at, to somebody who may look at loads of both bodies.

    Raises ResourceNotFound, NotLoaded, AccessDenied.
    """
    for one in filter(None, (resource, other)):
        trust.authorize(tx, trust.Action.READ, trust.Kind.LOAD, owner=get_resource(tx, one).body)
    return find_table(tx, resource), None if other is None else find_table(tx, other)


def get_finding(tx: Tx, finding: FindingId) -> Finding:
    """This will read one finding, for the bodies it names and whoever supervises.

    Whoever may see its rectification sees it too. Raises FindingNotFound.
    """
    held = FINDINGS.get(tx, finding)
    if not any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.FINDING, owner=one)
        for one in (held.inspector, held.responsible)
    ):
        try:
            procedures.get_procedure(tx, held.procedure)
        except errors.NotFound:
            raise FindingNotFound(id=finding) from None
    return held


def find_findings(tx: Tx, *, page: PageRequest, body: trust.PartyId | None = None) -> Page[Finding]:
    """This will list findings, newest first: those naming `body`, or all. Raises AccessDenied."""
    trust.authorize(tx, trust.Action.READ, trust.Kind.FINDING, owner=body)
    found = FINDINGS.find(tx, _LISTED, (body, body, body, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def write_comparison(target: BinaryIO, found: Comparison) -> int:
    """This will write the codes that bear two names as a workbook, for whoever mends them."""
    columns = (
        documents.SheetColumn(name="key", zh="编码"),
        documents.SheetColumn(name="left_name", zh=f"名称（{found.left}）"[:60]),
        documents.SheetColumn(name="right_name", zh=f"名称（{found.right}）二"[:60]),
        documents.SheetColumn(name="left_elsewhere", zh="前一名称在后表的编码", optional=True),
        documents.SheetColumn(name="right_elsewhere", zh="后一名称在前表的编码", optional=True),
    )
    rows = (
        {
            "key": one.key,
            "left_name": one.left_name or "—",
            "right_name": one.right_name or "—",
            "left_elsewhere": one.left_elsewhere,
            "right_elsewhere": one.right_elsewhere,
        }
        for one in found.conflicts
    )
    return documents.write_sheet(target, title="两表比对", columns=columns, rows=rows)


_LISTED = """
    WHERE (%s::text IS NULL OR inspector = %s OR responsible = %s)
      AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s
"""


def _key(table: LoadedTable) -> str:
    if len(table.key) != 1:
        raise KeyMissing(resource=table.resource)
    return table.key[0]


def _check_column(table: LoadedTable, column: str) -> None:
    if column not in {one.name for one in table.columns}:
        raise UnknownColumn(table=table.title, column=column[:60])


def _breaks(kind: FindingKind, value: str, times: Counter[str]) -> bool:
    if kind is FindingKind.FILLED:
        return not value
    if kind is FindingKind.UNIQUE:
        return bool(value) and times[value] > 1
    return _SEVERAL.search(value) is not None


def _check_current(tx: Tx, observation: Observation) -> set[trust.PartyId]:
    """The bodies that answer for what was looked at, where it is still what is loaded."""
    owners = set()
    seen = [(observation.resource, observation.edition)]
    if observation.other is not None and observation.other_edition is not None:
        seen.append((observation.other, observation.other_edition))
    for resource, edition in seen:
        if find_table(tx, resource).version != edition:
            raise FindingOutdated(resource=resource)
        owners.add(get_resource(tx, resource).body)
    return owners


def _examples(tx: Tx, observation: Observation) -> tuple[str, ...]:
    fields = read_fields(get_resource(tx, observation.resource))
    if any(one.is_personal for one in fields if one.is_key):
        return ()
    return observation.examples


def _title(title: str) -> str:
    plain = title.strip()
    if not 0 < len(plain) <= TITLE_MAX or not plain.isprintable():
        raise BadFinding(part="title")
    return plain


def _record_opened(tx: Tx, made: Finding, observation: Observation) -> None:
    trust.record(
        tx,
        FindingOpened(
            finding=made.id,
            finding_kind=made.kind,
            resource=made.resource,
            edition=made.edition,
            other=made.other,
            other_edition=made.other_edition,
            responsible=made.responsible,
            procedure=made.procedure,
            faults=made.faults,
            figures=observation.figures,
        ),
    )
