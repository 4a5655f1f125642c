# SPDX-License-Identifier: Apache-2.0
"""The papers a procedure produces: which template, and the words of the step that fill it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TypeVar

from lingqu.kernel.charts import Compiled, Document, Label, Unit, compile_chart
from lingqu.kernel.values import Plain
from lingqu.runtime import Tx, documents
from lingqu.runtime.calendar import local_day
from lingqu.trust.access import PartyId
from lingqu.trust.parties import PARTIES
from lingqu.trust.procedures.grounds import article_of, rule_of
from lingqu.trust.procedures.reads import ProcedureView, get_procedure
from lingqu.trust.procedures.records import (
    TIMERS,
    DocumentNotFound,
    ProcedureId,
    ProcedureTimer,
    Step,
)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper(documents.Paper):
    """One document of a procedure: a paper, and which step of the procedure produced it.

    `is_story` says that business time came from a demonstration clock.
    """

    name: str
    label: Label
    procedure: ProcedureId
    step: str
    is_story: bool


def document_data(tx: Tx, *, procedure: ProcedureId, document: str) -> Paper:
    """This will give the data of a document, for the last step that produced it.

    Only the fields its template has are there. Raises ProcedureNotFound, DocumentNotFound.
    """
    view = get_procedure(tx, procedure)
    table = compile_chart(view.chart)
    known = next((one for one in view.chart.documents if one.name == document), None)
    steps = [one for one in view.steps if document in table.moves[one.move].documents]
    if known is None or not steps:
        raise DocumentNotFound(document=document[:60])
    step = steps[-1]
    telling = _Told(tx, view, table, step)
    told = telling.all()
    fields = documents.get_template(known.template).fields
    named = [field.name for field in fields if told.get(field.name) is not None]
    return Paper(
        name=known.name,
        label=known.label,
        template=known.template,
        procedure=procedure,
        step=step.id,
        data=MappingProxyType({name: told[name] for name in named}),
        subject=procedure,
        sealers=(telling.issuer(),),
        is_story=tx.clock == "story",
    )


def find_documents(tx: Tx, *, procedure: ProcedureId) -> tuple[Document, ...]:
    """This will list the documents a procedure has produced so far; raises ProcedureNotFound."""
    view = get_procedure(tx, procedure)
    moves = compile_chart(view.chart).moves
    made = {name for step in view.steps for name in moves[step.move].documents}
    return tuple(one for one in view.chart.documents if one.name in made)


class _Told:
    """Everything a letter may say about one step, by the names templates use."""

    def __init__(self, tx: Tx, view: ProcedureView, table: Compiled, step: Step) -> None:
        self._tx = tx
        self._view = view
        self._table = table
        self._step = step
        self._timer = self._started()

    def all(self) -> dict[str, Plain]:
        """The fields that can be told; those that cannot are None."""
        held, step, chart = self._view.procedure, self._step, self._view.chart
        rule = rule_of(self._table, self._table.moves[step.move])
        opinion, reason = _lines(step.opinion), _lines(step.reason)
        told: dict[str, Plain] = {
            "issuer": self._name(self.issuer()),
            "number": f"{held.id[-8:]}-{step.ordinal}",
            "addressee": self._addressee(),
            "dated_on": _day(step.day),
            "matter": f"{chart.label.zh}（{held.title}）",
            "application": held.id,
            "received_on": _day(self._received_on()),
            "accepted_on": _day(step.day),
            "done_on": _day(step.day),
            "found_on": _day(local_day(held.opened_at)),
            "ground": article_of(self._tx, rule) or f"本单位《{chart.label.zh}》流程规定",
            "step": self._table.moves[step.move].label.zh,
            "state": self._table.states[step.target].label.zh,
            "opinion": "\n".join(opinion) or None,
            "reasons": "\n".join(reason or opinion) or None,
            "materials": [*(reason or opinion)] or None,
            "findings": [*opinion] or None,
            "demands": [*(reason or opinion)] or None,
            "remedy": self._remedy(),
        }
        return told | self._deadline(_first(opinion) or held.title)

    def _deadline(self, summary: str) -> dict[str, Plain]:
        if self._timer is None:
            return {}
        held, row = self._view.procedure, self._timer
        timer = self._table.timers[row.name]
        waits = "、".join(self._table.states[name].label.zh for name in timer.pauses)
        told: dict[str, Plain] = {
            "due_on": _day(row.due_on),
            "period": timer.label.zh,
            "excluded": f"{waits}的时间不计入前款期限。" if waits else None,
            "begins_on": _day(row.started_on),
            "ends_on": _day(row.due_on),
        }
        if timer.length.unit is Unit.WORKING_DAYS:
            told["days"] = row.count
        row_of_publicity: dict[str, Plain] = {
            "subject": self._name(held.owner),
            "kind": self._view.chart.label.zh,
            "title": held.title,
            "summary": summary,
        }
        return told | {"rows": [row_of_publicity]}

    def _started(self) -> ProcedureTimer | None:
        """The clock that began with this step, or else the one that ran on after it."""
        target, step = self._step.target, self._step
        rows = TIMERS.find(
            self._tx,
            "WHERE procedure = %s AND started_on <= %s ORDER BY id DESC",
            (step.procedure, step.day),
        )
        begins = {timer.name for timer in self._table.starting[target]}
        fresh = [row for row in rows if row.name in begins and row.started_on == step.day]
        running = [row for row in rows if target in self._table.timers[row.name].runs]
        return _first([*fresh, *running])

    def _received_on(self) -> date:
        earlier = [one for one in self._view.steps if one.ordinal < self._step.ordinal]
        return earlier[-1].day if earlier else local_day(self._view.procedure.opened_at)

    def issuer(self) -> PartyId:
        """Whose letter it is: the office that made the step; for a clock the one that was late."""
        if self._step.party is not None:
            return self._step.party
        turn = self._table.states[self._step.source].turn
        return self._player(turn) or self._view.procedure.owner

    def _addressee(self) -> str:
        """Whom it concerns: whoever must act now, where that is somebody else; else the owner."""
        turn = self._table.states[self._step.target].turn
        if turn is not None and turn != self._step.role:
            found = self._player(turn)
            if found is not None and found != self.issuer():
                return self._name(found)
        return self._name(self._view.procedure.owner)

    def _remedy(self) -> str:
        above = {timer.escalates for timer in self._table.timers.values() if timer.escalates}
        found = _first([party for role in sorted(above) if (party := self._player(role))])
        return f"如有异议，可在收到本通知后向{self._name(found or self.issuer())}提出。"

    def _player(self, role: str | None) -> PartyId | None:
        parts = [one for one in self._view.participants if one.role == role]
        return _first([one.party for one in parts if one.party is not None])

    def _name(self, party: PartyId) -> str:
        return PARTIES.get(self._tx, party).name or party


def _first(items: Sequence[Item]) -> Item | None:
    return items[0] if items else None


def _day(day: date) -> str:
    return day.isoformat()


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]
