# SPDX-License-Identifier: Apache-2.0
"""Charts a release provides and charts an installation registered, by code and edition.

A release provides charts as TOML files; each is registered by its digest the first time a procedure
is opened with it, so no installation needs a step for it. A registered edition never changes.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lingqu.kernel import canon
from lingqu.kernel.charts import Chart, Compiled, compile_chart, embed_chart
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import Tx, new_id
from lingqu.trust.access import Action, Kind, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import record
from lingqu.trust.procedures.records import (
    CHARTS,
    BadChartFile,
    ChartDiffers,
    ChartId,
    ChartKnown,
    ChartNotFound,
    ChartRecord,
    ChartRegistered,
    GuardUnknown,
    Procedure,
)

Guard = Callable[[Tx, Procedure], None]
"""A condition of a move: it reads, and raises a refusal where the move may not be made."""

_provided: dict[str, Chart] = {}
_guards: dict[str, Guard] = {}
_known: dict[ChartId, Compiled] = {}
_KNOWN_MAX = 1000


def guard(code: str) -> Callable[[Guard], Guard]:
    """This will make a function the condition `code` that charts may name."""

    def register(function: Guard) -> Guard:
        known = _guards.setdefault(code, function)
        assert known.__qualname__ == function.__qualname__, f"two guards are {code}"
        return function

    return register


def guard_of(code: str) -> Guard:
    """This will give the condition of a code; raises GuardUnknown."""
    try:
        return _guards[code]
    except KeyError:
        raise GuardUnknown(guard=code[:60]) from None


def read_chart(text: str) -> Chart:
    """This will read a chart from TOML, other provided charts embedded where it says so.

    Raises BadChartFile, BadValue, ChartNotFound. Whether it is sound is another question.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise BadChartFile from None
    embeds = data.pop("embeds", [])
    chart = from_plain(Chart, data)
    if not isinstance(embeds, list):
        raise BadChartFile
    for one in embeds:
        chart = _embedded(chart, one)
    return chart


def _embedded(chart: Chart, given: object) -> Chart:
    needed, known = {"chart", "prefix", "roles", "exits"}, {"documents"}
    if not isinstance(given, Mapping) or not needed <= {*given} <= needed | known:
        raise BadChartFile
    inner = _provided.get(str(given["chart"]))
    if inner is None:
        raise ChartNotFound(id=str(given["chart"])[:60])
    try:
        return embed_chart(
            chart,
            inner,
            prefix=str(given["prefix"]),
            roles=dict(given["roles"]),
            exits=dict(given["exits"]),
            documents={move: tuple(names) for move, names in given.get("documents", {}).items()},
        )
    except (AssertionError, AttributeError, TypeError, ValueError):
        raise BadChartFile from None


def provide_chart(chart: Chart) -> Chart:
    """This will make a chart known in every installation of this release; it must be sound."""
    compile_chart(chart)
    known = _provided.setdefault(chart.code, chart)
    assert known == chart, f"two charts are {chart.code}"
    return chart


def provide_charts(folder: Path) -> tuple[Chart, ...]:
    """This will provide every chart of a folder, in the order of the names of the files."""
    files = sorted(folder.glob("*.toml"))
    return tuple(provide_chart(read_chart(file.read_text(encoding="utf-8"))) for file in files)


def provided_charts() -> tuple[Chart, ...]:
    """This will list the charts of this release, by code."""
    return tuple(_provided[code] for code in sorted(_provided))


@command("trust.chart.register")
def register_chart(tx: Tx, *, chart: Chart) -> ChartId:
    """This will register an edition of a chart; procedures that begin from now on use it.

    Raises BadChart, GuardUnknown, ChartKnown, ChartDiffers.
    """
    authorize(tx, Action.OPERATE, Kind.PROCEDURE)
    _check(chart)
    known = _find(tx, chart.code, chart.edition, chart)
    if known is not None:
        raise ChartKnown(chart=chart.code, edition=chart.edition)
    return _register(tx, chart).id


def chart_for(tx: Tx, code: str) -> tuple[ChartId, Compiled]:
    """This will give the newest edition of a chart for a procedure that begins now.

    A provided edition that is not registered yet is registered here. Raises ChartNotFound,
    ChartDiffers where this release provides other content for a registered edition.
    """
    provided = _provided.get(code)
    newest = _newest(tx, code)
    if provided is not None and (newest is None or newest.edition <= provided.edition):
        newest = _find(tx, code, provided.edition, provided) or _register(tx, provided)
    if newest is None:
        raise ChartNotFound(id=code[:60])
    return newest.id, compiled_chart(tx, newest.id)


def compiled_chart(tx: Tx, chart: ChartId) -> Compiled:
    """This will give the table of a registered chart; editions never change, so it is kept."""
    found = _known.get(chart)
    if found is None:
        found = compile_chart(from_plain(Chart, json.loads(CHARTS.get(tx, chart).body)))
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        _known[chart] = found
    return found


def find_charts(tx: Tx) -> tuple[Chart, ...]:
    """This will list the newest edition of every chart, provided or registered, by code."""
    rows = CHARTS.find(tx, "ORDER BY code, edition")
    found = {row.code: compiled_chart(tx, row.id).chart for row in rows}
    for code, chart in _provided.items():
        if code not in found or found[code].edition < chart.edition:
            found[code] = chart
    return tuple(found[code] for code in sorted(found))


def _check(chart: Chart) -> None:
    compile_chart(chart)
    for code in chart.guards:
        guard_of(code)


def _newest(tx: Tx, code: str) -> ChartRecord | None:
    rows = CHARTS.find(tx, "WHERE code = %s ORDER BY edition DESC LIMIT 1", (code,))
    return rows[0] if rows else None


def _find(tx: Tx, code: str, edition: int, chart: Chart) -> ChartRecord | None:
    rows = CHARTS.find(tx, "WHERE code = %s AND edition = %s", (code, edition))
    if rows and rows[0].digest != _digest(_body(chart)):
        raise ChartDiffers(chart=code, edition=edition)
    return rows[0] if rows else None


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('trust.chart/' || %s, 2))"


def _register(tx: Tx, chart: Chart) -> ChartRecord:
    tx.one(_LOCK, (chart.code,))
    found = _find(tx, chart.code, chart.edition, chart)
    if found is not None:
        return found
    body = _body(chart)
    made = ChartRecord(
        id=new_id(ChartId),
        code=chart.code,
        edition=chart.edition,
        digest=_digest(body),
        body=body,
        registered_at=tx.now,
    )
    CHARTS.insert(tx, made)
    fact = ChartRegistered(chart=made.id, code=made.code, edition=made.edition, digest=made.digest)
    record(tx, fact)
    return made


def _body(chart: Chart) -> str:
    return canon.encode(to_plain(chart)).decode()


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
