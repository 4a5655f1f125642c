# SPDX-License-Identifier: Apache-2.0
"""The audit: every row, command and table against the facts, so that nothing changes unseen.

Facts are the truth here, and `trust.log` checks the facts themselves against the log. What is
found is named with what it should have been, as far as the evidence still tells.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingqu.kernel import merkle
from lingqu.kernel.values import from_row, to_plain
from lingqu.runtime import Database, Tx
from lingqu.trust import log as logs
from lingqu.trust.access import PLATFORM
from lingqu.trust.facts import result_digest, row_content, row_digest
from lingqu.trust.rows import AuditClass, Auditor, Declaration, batch_leaf, declared_tables
from lingqu_verify.errors import VerificationError
from lingqu_verify.notes import VerifierKey


class Discrepancy(enum.Enum):
    """What kind of thing was found."""

    ROW_CHANGED = "row_changed"
    ROW_ADDED = "row_added"
    ROW_REMOVED = "row_removed"
    VERSION_ALTERED = "version_altered"
    BATCH_ALTERED = "batch_altered"
    BATCH_ADDED = "batch_added"
    COMMAND_WITHOUT_FACT = "command_without_fact"
    COMMAND_ALTERED = "command_altered"
    COMMAND_MISSING = "command_missing"
    FACT_UNREADABLE = "fact_unreadable"
    FACT_ALTERED = "fact_altered"
    FIGURE_WRONG = "figure_wrong"
    TABLE_UNDECLARED = "table_undeclared"
    TABLE_MISSING = "table_missing"
    FILE_CHANGED = "file_changed"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One thing that is not as its facts say. `fact` is the last fact that names it."""

    what: Discrepancy
    place: str
    key: str = ""
    fact: str = ""
    expected: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit looked at, and what it found."""

    facts: int
    rows: int
    batches: int
    commands: int
    tables: int
    findings: tuple[AuditFinding, ...]


_UNREADABLE = """
    SELECT id FROM trust.fact WHERE NOT pg_input_is_valid(body, 'jsonb') ORDER BY txid, ordinal
"""
_READABLE = """
    SELECT id, CASE WHEN pg_input_is_valid(body, 'jsonb') THEN body::jsonb END AS entry
    FROM trust.fact
"""
_MOMENT = """CASE WHEN isfinite({0})
                THEN to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                ELSE {0}::text END"""
_ALTERED_FACTS = f"""
    SELECT g.id, concat_ws(' ', e ->> 'fact', e ->> 'kind', e ->> 'ordinal', e #>> '{{command,id}}',
                           e ->> 'at') AS expected,
           concat_ws(' ', g.id, g.kind, g.ordinal, g.command, {_MOMENT.format("g.at")}) AS found
    FROM trust.fact g JOIN ({_READABLE}) AS f (id, e) USING (id)
    WHERE e ->> 'fact' <> g.id OR e ->> 'kind' <> g.kind OR e ->> 'ordinal' <> g.ordinal::text
       OR e #>> '{{command,id}}' <> g.command OR e ->> 'at' <> {_MOMENT.format("g.at")}
    ORDER BY g.txid, g.ordinal
"""  # noqa: S608  # joined from constants
_MAKE_NAMED = """
    CREATE TEMPORARY TABLE named (
        table_name text, key text COLLATE "C", version bigint, shape int, digest text, fact text
    ) ON COMMIT DROP
"""
_FILL_NAMED = f"""
    INSERT INTO pg_temp.named
    SELECT r ->> 'table', r ->> 'key',
           CASE WHEN pg_input_is_valid(r ->> 'version', 'bigint')
                THEN (r ->> 'version')::bigint END,
           CASE WHEN pg_input_is_valid(r ->> 'shape', 'int') THEN (r ->> 'shape')::int END,
           r ->> 'digest', f.id
    FROM ({_READABLE}) AS f CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN jsonb_typeof(f.entry -> 'rows') = 'array' THEN f.entry -> 'rows' ELSE '[]' END
    ) AS r
"""  # noqa: S608  # joined from constants
_BATCHES = f"""
    SELECT f.id, b ->> 'table' AS table_name, b ->> 'id' AS batch, b ->> 'count' AS count,
           b ->> 'root' AS root
    FROM ({_READABLE}) AS f CROSS JOIN LATERAL (SELECT f.entry #> '{{data,batch}}') AS d (b)
    WHERE jsonb_typeof(b) = 'object'
"""  # noqa: S608  # joined from constants
_FOUNDED = f"""
    SELECT f.id AS fact, coalesce(i.id, '') AS id,
           concat_ws(' ', f.entry #>> '{{data,installation}}', f.entry #>> '{{data,origin}}',
                     f.entry #>> '{{data,clock}}', f.entry ->> 'at') AS expected,
           concat_ws(' ', i.id, i.origin, i.clock, {_MOMENT.format("i.created_at")}) AS found
    FROM ({_READABLE}) AS f LEFT JOIN runtime.instance i ON true
    WHERE f.entry ->> 'kind' = 'trust.installation.founded'
"""  # noqa: S608  # joined from constants
_LAST_NAMED = """
    SELECT DISTINCT ON (n.key) n.key, n.version, n.shape, n.digest, n.fact,
           v.salt, v.content, v.fact IS NULL AS unkept
    FROM pg_temp.named n
    LEFT JOIN trust.row_version v
      ON v.table_name = n.table_name AND v.key = n.key AND v.version = n.version
    WHERE n.table_name = %s AND n.key IS NOT NULL AND n.version IS NOT NULL
    ORDER BY n.key, n.version DESC
"""
_ALTERED_VERSIONS = """
    SELECT n.table_name, n.key, n.version, n.fact, n.digest,
           encode(sha256(v.salt || convert_to(v.content, 'UTF8')), 'hex') AS found
    FROM pg_temp.named n
    LEFT JOIN trust.row_version v
      ON v.table_name = n.table_name AND v.key = n.key AND v.version = n.version
    WHERE v.fact IS NULL OR v.fact <> n.fact
       OR (v.salt IS NOT NULL
           AND encode(sha256(v.salt || convert_to(v.content, 'UTF8')), 'hex') <> n.digest)
    ORDER BY 1, 2, 3
"""
_UNNAMED_VERSIONS = """
    SELECT v.table_name, v.key, v.version, v.fact FROM trust.row_version v
    WHERE NOT EXISTS (SELECT 1 FROM pg_temp.named n WHERE n.table_name = v.table_name
                      AND n.key = v.key AND n.version = v.version)
    ORDER BY 1, 2, 3
"""
_COMMANDS = f"""
    SELECT c.id, c.name, c.actor, encode(c.request, 'hex') AS request, f.body, c.salt, c.result,
           {_MOMENT.format("c.at")} AS at,
           c.salt IS NULL AND c.result IS NULL AND EXISTS (
               SELECT 1 FROM trust.fact g JOIN trust.row_version v ON v.fact = g.id
               WHERE g.command = c.id AND v.salt IS NULL
           ) AS erased
    FROM trust.command c LEFT JOIN trust.fact f ON f.command = c.id AND f.ordinal = 0
"""  # noqa: S608  # joined from constants
_MISSING_COMMANDS = """
    SELECT f.command AS id, min(f.id) AS fact FROM trust.fact f
    WHERE NOT EXISTS (SELECT 1 FROM trust.command c WHERE c.id = f.command)
    GROUP BY f.command ORDER BY 1
"""
_INSTANTS = """
    SELECT n.nspname || '.' || c.relname AS name, a.attname AS column
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
      AND a.attnum > 0 AND NOT a.attisdropped
"""
_UNREAL = "moment_out_of_range"
_TABLES = """
    SELECT n.nspname || '.' || c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""


def run_audit(
    database: Database,
    folder: Path,
    *,
    witnesses: Sequence[VerifierKey] = (),
    files: Sequence[Auditor] = (),
) -> AuditReport:
    """This will audit everything: rows, commands and tables against facts, facts against the log.

    `folder` holds all logs' files; cosignatures of `witnesses` are verified too. `files` give the
    files outside the database that are not what its rows say. Facts that still wait for the
    sequencer are no finding. Sees one state, changes nothing.
    """
    published = logs.take_published(folder)
    with database.auditing(PLATFORM) as tx:
        audit = Audit(tx)
        found = list(audit.findings())
        for check in files:
            for place, key, expected, there in check(tx):
                found.append(
                    AuditFinding(
                        what=Discrepancy.FILE_CHANGED,
                        place=place,
                        key=key,
                        expected=expected,
                        found=there,
                    )
                )
        for fault in logs.check_log(tx, folder, published=published, witnesses=witnesses):
            place = fault.path or ("" if fault.index is None else str(fault.index))
            found.append(
                AuditFinding(
                    what=Discrepancy.LOG,
                    place=f"{fault.origin} {fault.fault.value}",
                    key=place,
                    fact=fault.fact,
                    expected=fault.expected,
                    found=fault.found,
                )
            )
        return audit.report(tuple(found))


class Audit:
    """One audit inside a transaction that sees a single state and can make temporary tables."""

    def __init__(self, tx: Tx) -> None:
        """Use `Database.auditing` for the transaction."""
        self._tx = tx
        self._counts = {"facts": 0, "rows": 0, "batches": 0, "commands": 0, "tables": 0}
        self._batches: dict[str, dict[str, tuple[str, str, str]]] = {}
        self._instants: set[tuple[str, str]] = set()

    def findings(self) -> Iterator[AuditFinding]:
        """This will give what is wrong, bit by bit."""
        yield from self._read_facts()
        yield from self._versions()
        declared = {declaration.name: declaration for declaration in declared_tables()}
        existing = {row["name"] for row in self._tx.all(_TABLES)}
        self._instants = {(row["name"], row["column"]) for row in self._tx.all(_INSTANTS)}
        for name in sorted(existing - declared.keys()):
            yield AuditFinding(what=Discrepancy.TABLE_UNDECLARED, place=name)
        for name in sorted(declared.keys() - existing):
            yield AuditFinding(what=Discrepancy.TABLE_MISSING, place=name)
        for name in sorted(declared.keys() & existing):
            self._counts["tables"] += 1
            if declared[name].audit_class is AuditClass.AUDITED:
                yield from self._rows(declared[name])
            if declared[name].audit_class is AuditClass.BATCH:
                yield from self._batch_rows(declared[name])
        yield from self._commands()
        yield from self._installation()
        for name in sorted(declared.keys() & existing):
            yield from self._figures(declared[name])

    def report(self, findings: tuple[AuditFinding, ...]) -> AuditReport:
        """This will sum up, after `findings` was walked to its end."""
        return AuditReport(findings=findings, **self._counts)

    def _read_facts(self) -> Iterator[AuditFinding]:
        for row in self._tx.all(_UNREADABLE):
            yield AuditFinding(what=Discrepancy.FACT_UNREADABLE, place="trust.fact", key=row["id"])
        for row in self._tx.all(_ALTERED_FACTS):
            yield AuditFinding(
                what=Discrepancy.FACT_ALTERED,
                place="trust.fact",
                key=row["id"],
                fact=row["id"],
                expected=row["expected"],
                found=row["found"],
            )
        self._counts["facts"] = self._tx.one("SELECT count(*) AS n FROM trust.fact")["n"]
        self._tx.execute(_MAKE_NAMED)
        self._tx.execute(_FILL_NAMED)
        self._tx.execute("CREATE INDEX ON pg_temp.named (table_name, key, version)")
        self._tx.execute("ANALYZE pg_temp.named")
        for row in self._tx.all(_BATCHES):
            known = self._batches.setdefault(row["table_name"], {})
            known[row["batch"]] = (row["count"], row["root"], row["id"])

    def _versions(self) -> Iterator[AuditFinding]:
        for row in self._tx.all(_ALTERED_VERSIONS):
            yield AuditFinding(
                what=Discrepancy.VERSION_ALTERED,
                place="trust.row_version",
                key=f"{row['table_name']} {row['key']} {row['version']}",
                fact=row["fact"],
                expected=row["digest"],
                found=row["found"] or "",
            )
        for row in self._tx.all(_UNNAMED_VERSIONS):
            yield AuditFinding(
                what=Discrepancy.ROW_ADDED,
                place="trust.row_version",
                key=f"{row['table_name']} {row['key']} {row['version']}",
                fact=row["fact"],
            )

    def _rows(self, declared: Declaration) -> Iterator[AuditFinding]:
        """Walk the table and its last named versions side by side, both in key order."""
        assert declared.value is not None
        columns = self._columns(declared, [one.name for one in dataclasses.fields(declared.value)])
        table = self._tx.stream(
            f'SELECT {columns} FROM {declared.name} AS t ORDER BY t.{declared.key} COLLATE "C"'  # noqa: S608  # declared names
        )
        named = self._tx.stream(_LAST_NAMED, (declared.name,))
        row, last = next(table, None), next(named, None)
        while row is not None or last is not None:
            if last is None or (row is not None and row[declared.key] < last["key"]):
                assert row is not None
                self._counts["rows"] += 1
                found = _content(declared, row, len(declared.shapes))
                yield AuditFinding(
                    what=Discrepancy.ROW_ADDED,
                    place=declared.name,
                    key=row[declared.key],
                    found=found,
                )
                row = next(table, None)
            elif row is None or last["key"] < row[declared.key]:
                if not _is_removal(last):
                    yield AuditFinding(
                        what=Discrepancy.ROW_REMOVED,
                        place=declared.name,
                        key=last["key"],
                        fact=last["fact"],
                        expected=_expected(last),
                    )
                last = next(named, None)
            else:
                self._counts["rows"] += 1
                yield from _compare(declared, row, last)
                row, last = next(table, None), next(named, None)

    def _columns(self, declared: Declaration, names: Sequence[str]) -> str:
        """The columns of a table as SQL; a moment outside of years 1 to 9999 is read as text.

        No command can write one, and no value of ours could hold it.
        """
        moments = [name for name in names if (declared.name, name) in self._instants]
        chosen = [
            f"CASE WHEN {_real(name)} THEN t.{name} END AS {name}"
            if name in moments
            else f"t.{name}"
            for name in names
        ]
        if moments:
            texts = ", ".join(
                f"CASE WHEN NOT {_real(name)} THEN '{name} ' || t.{name} END" for name in moments
            )
            chosen.append(f"nullif(concat_ws(', ', {texts}), '') AS {_UNREAL}")
        return ", ".join(chosen)

    def _batch_rows(self, declared: Declaration) -> Iterator[AuditFinding]:
        known = dict(self._batches.get(declared.name, {}))
        names = self._columns(declared, declared.shapes[-1])
        leaves: list[bytes] = []
        current = ""
        sql = f'SELECT batch, {names} FROM {declared.name} t ORDER BY batch COLLATE "C", position'  # noqa: S608  # declared names
        for row in self._tx.stream(sql):
            batch = row.pop("batch")
            if batch != current and current:
                yield from self._batch(declared, current, leaves, known)
                leaves = []
            current = batch
            unreal = row.pop(_UNREAL, None)
            leaves.append(batch_leaf((*row.values(), *([unreal] if unreal else []))))
        if current:
            yield from self._batch(declared, current, leaves, known)
        for batch, (count, root, fact) in known.items():
            if count != "0":
                yield AuditFinding(
                    what=Discrepancy.ROW_REMOVED,
                    place=declared.name,
                    key=batch,
                    fact=fact,
                    expected=f"{count} {root}",
                )

    def _batch(
        self,
        declared: Declaration,
        batch: str,
        leaves: list[bytes],
        known: dict[str, tuple[str, str, str]],
    ) -> Iterator[AuditFinding]:
        self._counts["batches"] += 1
        found = f"{len(leaves)} {merkle.root_of(leaves).hex()}"
        named = known.pop(batch, None)
        if named is None:
            yield AuditFinding(
                what=Discrepancy.BATCH_ADDED, place=declared.name, key=batch, found=found
            )
        elif found != f"{named[0]} {named[1]}":
            yield AuditFinding(
                what=Discrepancy.BATCH_ALTERED,
                place=declared.name,
                key=batch,
                fact=named[2],
                expected=f"{named[0]} {named[1]}",
                found=found,
            )

    def _installation(self) -> Iterator[AuditFinding]:
        """What the installation is must be what its founding fact says: a clock is for ever."""
        rows = self._tx.all(_FOUNDED)
        if rows and any(row["found"] != row["expected"] for row in rows):
            yield AuditFinding(
                what=Discrepancy.ROW_CHANGED,
                place="runtime.instance",
                key=rows[0]["id"],
                fact=rows[0]["fact"],
                expected=rows[0]["expected"],
                found=rows[0]["found"] or "",
            )

    def _figures(self, declared: Declaration) -> Iterator[AuditFinding]:
        """What the package that keeps a table finds wrong with its figures."""
        if declared.auditor is not None:
            for place, key, expected, found in declared.auditor(self._tx):
                yield AuditFinding(
                    what=Discrepancy.FIGURE_WRONG,
                    place=place,
                    key=key,
                    expected=expected,
                    found=found,
                )

    def _commands(self) -> Iterator[AuditFinding]:
        for row in self._tx.stream(_COMMANDS):
            self._counts["commands"] += 1
            if row["body"] is None:
                yield AuditFinding(
                    what=Discrepancy.COMMAND_WITHOUT_FACT, place="trust.command", key=row["id"]
                )
                continue
            try:
                entry = json.loads(row["body"])
                expected = {**entry["command"], "actor": entry["actor"], "at": entry["at"]}
            except (ValueError, KeyError, TypeError):
                yield AuditFinding(
                    what=Discrepancy.FACT_UNREADABLE, place="trust.command", key=row["id"]
                )
                continue
            found = _command_found(row, expected)
            if expected != found:
                yield AuditFinding(
                    what=Discrepancy.COMMAND_ALTERED,
                    place="trust.command",
                    key=row["id"],
                    expected=_drawn(expected),
                    found=_drawn(found),
                )
        for row in self._tx.all(_MISSING_COMMANDS):
            yield AuditFinding(
                what=Discrepancy.COMMAND_MISSING,
                place="trust.command",
                key=row["id"],
                fact=row["fact"],
            )


def _command_found(row: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, object]:
    """What stands in a command's row, in the form in which its first fact names it."""
    found = {name: row[name] for name in ("id", "name", "request", "actor", "at")}
    if "result" not in expected:  # a fact made before results were named
        return found
    if row["erased"]:
        return {**found, "result": expected["result"]}
    if row["salt"] is None:
        return {**found, "result": None}
    return {**found, "result": result_digest(bytes(row["salt"]), row["result"])}


def _is_removal(last: Mapping[str, Any]) -> bool:
    if not _proves(last):
        return False
    removed: bool = json.loads(last["content"])["row"] is None
    return removed


def _proves(last: Mapping[str, Any]) -> bool:
    """Whether the kept content is the one whose digest the fact carries."""
    if last["salt"] is None or last["content"] is None:
        return False
    proves: bool = row_digest(bytes(last["salt"]), last["content"]) == last["digest"]
    return proves


def _expected(last: Mapping[str, Any]) -> str:
    """What the row should be: its content where that is proven, else the digest alone."""
    return str(last["content"] if _proves(last) else last["digest"] or "")


def _drawn(data: Mapping[str, object]) -> str:
    """Text of data that may have been tampered with, so that it may not be canonical."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, default=str)


def _real(name: str) -> str:
    return f"(t.{name} >= '0001-01-01' AND t.{name} < '10000-01-01')"


def _content(declared: Declaration, row: Mapping[str, Any], shape: int) -> str:
    """The canonical content a row would have under an older or the newest shape."""
    assert declared.value is not None
    columns = declared.shapes[shape - 1]
    if row.get(_UNREAL):
        return _drawn({_UNREAL: row[_UNREAL]} | {column: row[column] for column in columns})
    try:
        value: object = from_row(declared.value, row)
        return row_content(
            table=declared.name,
            key=row[declared.key],
            version=row["version"],
            shape=shape,
            row={column: to_plain(getattr(value, column)) for column in columns},
        )
    except (ValueError, VerificationError):  # no command could have written such a row
        return _drawn({column: row[column] for column in columns})


def _compare(
    declared: Declaration, row: Mapping[str, Any], last: Mapping[str, Any]
) -> Iterator[AuditFinding]:
    newest = len(declared.shapes)
    shape = last["shape"] if 1 <= (last["shape"] or 0) <= newest else newest
    found = _content(declared, row, shape)
    later = set(declared.shapes[-1]) - set(declared.shapes[shape - 1])
    drifted = sorted(name for name in later if row[name] != declared.defaults.get(name))
    unprovable = last["unkept"] or last["salt"] is None
    same = not unprovable and row_digest(bytes(last["salt"]), found) == last["digest"]
    if same and not drifted:
        return
    extra = "".join(f" +{name}={to_plain(row[name])!r}" for name in drifted)
    yield AuditFinding(
        what=Discrepancy.ROW_CHANGED,
        place=declared.name,
        key=row[declared.key],
        fact=last["fact"],
        expected=_expected(last),
        found=found + extra,
    )
