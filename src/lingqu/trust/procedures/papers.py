# SPDX-License-Identifier: Apache-2.0
"""The papers a procedure produces: which template, and the data a template may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from lingqu.kernel.charts import Compiled, Document, Label, compile_chart
from lingqu.kernel.values import Plain
from lingqu.runtime import Tx
from lingqu.runtime.calendar import local_day
from lingqu.trust.access import PartyId
from lingqu.trust.parties import PARTIES
from lingqu.trust.procedures.grounds import article_of, rule_of
from lingqu.trust.procedures.reads import ProcedureView, get_procedure
from lingqu.trust.procedures.records import DocumentNotFound, ProcedureId, Step

FIELDS: Mapping[str, str] = MappingProxyType({
    "number": "the id of the procedure",
    "title": "what the procedure is about",
    "subject": "the id of what it is about",
    "owner": "the name of the party whose matter it is",
    "chart": "the procedure's name in Chinese",
    "chart_en": "the procedure's name in English",
    "opened_on": "the local day it was opened",
    "filing": "the number of the filing",
    "move": "what was done, in Chinese",
    "move_en": "what was done, in English",
    "state": "where the procedure stood afterwards, in Chinese",
    "state_en": "where the procedure stood afterwards, in English",
    "office": "the name of the party that did it; empty for a clock",
    "day": "the local day on which it takes effect",
    "printed_on": "the local day of this copy",
    "opinion": "the written opinion, by lines",
    "reason": "the reason given, by lines",
    "files": "the names of the files given with it",
    "deadlines": "the clocks running: their name, last day, article and whether it is provisional",
    "article": "the article that grounds it",
    "clock": "real, or story for a demonstration clock: then the paper must say so",
})  # fmt: skip
"""Every field a template may use, and what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One document of a procedure, ready to be rendered: its template and the data for it."""

    name: str
    label: Label
    template: str
    procedure: ProcedureId
    data: Mapping[str, Plain]


def document_data(tx: Tx, *, procedure: ProcedureId, document: str) -> Paper:
    """This will give the data of a document for the last step that produced it.

    Only fields the chart declares for it are there. Raises ProcedureNotFound, DocumentNotFound.
    """
    view = get_procedure(tx, procedure)
    table = compile_chart(view.chart)
    known = next((one for one in view.chart.documents if one.name == document), None)
    steps = [one for one in view.steps if document in table.moves[one.move].documents]
    if known is None or not steps:
        raise DocumentNotFound(document=document[:60])
    data = _data(tx, view, table, steps[-1])
    wanted = known.fields or tuple(FIELDS)
    return Paper(
        name=known.name,
        label=known.label,
        template=known.template,
        procedure=procedure,
        data=MappingProxyType({name: data[name] for name in wanted if name in data}),
    )


def find_documents(tx: Tx, *, procedure: ProcedureId) -> tuple[Document, ...]:
    """This will list the documents a procedure has produced so far; raises ProcedureNotFound."""
    view = get_procedure(tx, procedure)
    moves = compile_chart(view.chart).moves
    made = {name for step in view.steps for name in moves[step.move].documents}
    return tuple(one for one in view.chart.documents if one.name in made)


def _data(tx: Tx, view: ProcedureView, table: Compiled, step: Step) -> dict[str, Plain]:
    held, move, state = view.procedure, table.moves[step.move], table.states[step.target]
    return {
        "number": held.id,
        "title": held.title,
        "subject": held.subject,
        "owner": _name(tx, held.owner),
        "chart": view.chart.label.zh,
        "chart_en": view.chart.label.en,
        "opened_on": _day(local_day(held.opened_at)),
        "filing": step.filing,
        "move": move.label.zh,
        "move_en": move.label.en,
        "state": state.label.zh,
        "state_en": state.label.en,
        "office": _name(tx, step.party),
        "day": _day(step.day),
        "printed_on": _day(local_day(tx.now)),
        "opinion": _lines(step.opinion),
        "reason": _lines(step.reason),
        "files": [one.name for one in view.attachments if one.step == step.id],
        "deadlines": [
            {
                "name": clock.label.zh,
                "name_en": clock.label.en,
                "last_day": _day(clock.due_on),
                "article": clock.article,
                "is_provisional": clock.is_provisional,
            }
            for clock in view.clocks
        ],
        "article": article_of(tx, rule_of(table, move)),
        "clock": tx.clock,
    }


def _name(tx: Tx, party: PartyId | None) -> str:
    return "" if party is None else PARTIES.get(tx, party).name or ""


def _day(day: date) -> str:
    return day.isoformat()


def _lines(text: str | None) -> list[Plain]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]
