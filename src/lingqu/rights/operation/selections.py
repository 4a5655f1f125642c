# SPDX-License-Identifier: Apache-2.0
"""运营机构选择: by which fair way the operator of a filed scheme is chosen, and its publicity."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.rights.grounds import confirm_party
from lingqu.rights.operation.schemes import SCHEMES, SchemeId, lock_filed_scheme
from lingqu.rights.standing import find_states, get_state
from lingqu.rights.statements import cite
from lingqu.runtime import Tx, new_id
from lingqu.trust import procedures

SELECTION_CHART = "operation.selection"
WAYS = "operation.selection_ways"


class SelectionId(Id):
    """The id of one selection of an operator."""

    prefix = "sel"


class Way(enum.Enum):
    """By which fair competition the operator is chosen (第十二条)."""

    OPEN_TENDER = "open_tender"
    INVITED_TENDER = "invited_tender"
    NEGOTIATION = "negotiation"


class SelectionState(enum.Enum):
    """Where a selection stands: the states of its chart."""

    ANNOUNCED = "announced"
    PUBLISHED = "published"
    RECHECKING = "rechecking"
    SELECTED = "selected"
    FAILED = "failed"


class SelectionNotFound(errors.NotFound):
    """There is no such selection, or the caller may not know of it."""

    code = "rights.selection.not_found"


class NothingSelected(errors.Conflict):
    """The selection has not ended with an operator."""

    code = "rights.selection.nothing_selected"


class OperatorUnfit(errors.Rejected):
    """Who authorises, implements or files is not the operator."""

    code = "rights.selection.operator_unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRecord:
    """A selection as it is stored; `operator` is known once somebody was chosen."""

    id: SelectionId
    scheme: SchemeId
    way: Way
    operator: trust.PartyId | None
    procedure: procedures.ProcedureId
    opened_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection(SelectionRecord):
    """A selection with where its procedure stands."""

    state: SelectionState


SELECTIONS = trust.Table("rights.selection", SelectionRecord, not_found=SelectionNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionOpened(trust.Fact):
    """An implementing body began to look for an operator."""

    kind = "rights.selection.opened"
    selection: SelectionId
    scheme: SchemeId
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorChosen(trust.Fact):
    """An implementing body chose whom it wants as operator, and published it."""

    kind = "rights.selection.chosen"
    selection: SelectionId
    operator: trust.PartyId


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionObjected(trust.Fact):
    """Somebody objected to a published choice."""

    kind = "rights.selection.objected"
    selection: SelectionId
    objector: trust.PartyId


@trust.command("rights.selection.open")
def open_selection(tx: Tx, *, selection: SelectionId, scheme: SchemeId, way: Way) -> Selection:
    """This will begin to select the operator of a filed scheme.

    Raises SchemeNotFound, SchemeNotFiled, IdTaken.
    """
    held = lock_filed_scheme(tx, scheme)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OPERATION, owner=held.body)
    procedure = new_id(procedures.ProcedureId)
    procedures.begin_procedure(
        tx,
        procedure=procedure,
        chart=SELECTION_CHART,
        subject=selection,
        title=held.title,
        owner=held.body,
        parts=(procedures.Part(role="body", party=held.body),),
    )
    made = SelectionRecord(
        id=selection, scheme=scheme, way=way, operator=None, procedure=procedure, opened_at=tx.now
    )
    SELECTIONS.insert(tx, made)
    trust.record(tx, SelectionOpened(selection=selection, scheme=scheme, way=way))
    return _selection(made, SelectionState.ANNOUNCED)


@trust.command("rights.selection.choose")
def choose_operator(
    tx: Tx,
    *,
    selection: SelectionId,
    operator: trust.PartyId,
    opinion: str,
    files: tuple[procedures.GivenFile, ...],
    publicity_days: int | None = None,
) -> Selection:
    """This will choose the operator and publish the choice, with the minutes as `files`.

    `publicity_days` lengthens the publicity, in working days. Raises SelectionNotFound,
    OperatorUnfit, PartyUnknown and what a move of a procedure raises.
    """
    held = SELECTIONS.lock(tx, selection)
    scheme = SCHEMES.get(tx, held.scheme)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPERATION, owner=scheme.body)
    confirm_party(tx, operator)
    if operator in {scheme.body, scheme.authority, scheme.department}:
        raise OperatorUnfit(operator=operator).grounded_in(cite(tx, WAYS))
    procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move="choose",
        given=procedures.Given(
            opinion=opinion,
            files=files,
            terms={} if publicity_days is None else {"publicity": publicity_days},
        ),
    )
    made = SELECTIONS.update(tx, held, operator=operator)
    trust.record(tx, OperatorChosen(selection=selection, operator=operator))
    return _selection(made, SelectionState.PUBLISHED)


@trust.command("rights.selection.object")
def object_to_selection(
    tx: Tx,
    *,
    selection: SelectionId,
    objector: trust.PartyId,
    reason: str,
    files: tuple[procedures.GivenFile, ...],
) -> Selection:
    """This will object to a published choice, under the objector's name and with evidence.

    Raises SelectionNotFound, RolesNotApart and what a move of a procedure raises.
    """
    held = SELECTIONS.lock(tx, selection)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OBJECTION, owner=objector)
    procedures.add_participant(
        tx,
        participant=new_id(procedures.ParticipantId),
        procedure=held.procedure,
        part=procedures.Part(role="objector", party=objector),
    )
    procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move="object",
        given=procedures.Given(reason=reason, files=files),
    )
    trust.record(tx, SelectionObjected(selection=selection, objector=objector))
    return _selection(held, SelectionState.RECHECKING)


def _selection(held: SelectionRecord, state: SelectionState) -> Selection:
    return Selection(**{one.name: getattr(held, one.name) for one in fields(held)}, state=state)


def get_selected(tx: Tx, selection: SelectionId) -> tuple[SelectionRecord, trust.PartyId]:
    """This will read a selection with its operator. Raises SelectionNotFound, NothingSelected."""
    held = SELECTIONS.get(tx, selection)
    state = SelectionState(get_state(tx, held.procedure))
    if state is not SelectionState.SELECTED or held.operator is None:
        raise NothingSelected(selection=selection, state=state.value).grounded_in(cite(tx, WAYS))
    return held, held.operator


def get_selection(tx: Tx, selection: SelectionId) -> Selection:
    """This will read a selection; open to everyone. Raises SelectionNotFound."""
    held = SELECTIONS.get(tx, selection)
    return _selection(held, SelectionState(get_state(tx, held.procedure)))


def find_selections(tx: Tx, *, scheme: SchemeId) -> tuple[Selection, ...]:
    """This will list the selections under a scheme, newest first; open to everyone."""
    found = SELECTIONS.find(tx, "WHERE scheme = %s ORDER BY id DESC LIMIT 200", (scheme,))
    states = find_states(tx, [one.procedure for one in found])
    return tuple(_selection(one, SelectionState(states[one.procedure])) for one in found)
