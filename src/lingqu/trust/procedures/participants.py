# SPDX-License-Identifier: Apache-2.0
"""Naming and releasing who plays a role of a procedure that runs."""

from __future__ import annotations

from collections.abc import Sequence

from lingqu.runtime import Tx
from lingqu.trust.access import AccountId, Action, Kind, PartyId, authorize, is_allowed
from lingqu.trust.commands import command
from lingqu.trust.facts import record
from lingqu.trust.parties import PARTIES
from lingqu.trust.procedures.charts import compiled_chart
from lingqu.trust.procedures.moving import Part, check_parts
from lingqu.trust.procedures.records import (
    PARTICIPANTS,
    PROCEDURES,
    Participant,
    ParticipantId,
    ParticipantNamed,
    ParticipantNotFound,
    ParticipantReleased,
    Procedure,
    ProcedureId,
    RoleNotNamed,
)

_LIVING = "WHERE procedure = %s AND ended_at IS NULL ORDER BY id"


@command("trust.procedure.name_participant")
def name_participant(
    tx: Tx,
    *,
    participant: ParticipantId,
    procedure: ProcedureId,
    role: str,
    party: PartyId | None = None,
    account: AccountId | None = None,
) -> Participant:
    """This will name who else plays a role: a party, or one account.

    A party that plays the role names accounts of its own people; anybody else is named by an
    administrator. Raises ProcedureNotFound, RoleNotNamed, RolesNotApart, AccessDenied.
    """
    held = PROCEDURES.lock(tx, procedure)
    parts = PARTICIPANTS.find(tx, _LIVING, (procedure,))
    if is_allowed(tx, Action.ASSIGN, Kind.PROCEDURE) or any(
        part.role == role and part.party == party for part in parts
    ):
        authorize(tx, Action.ASSIGN, Kind.PROCEDURE, owner=party)
    else:
        authorize(tx, Action.ASSIGN, Kind.PROCEDURE)
    return _add(tx, held, participant, Part(role=role, party=party, account=account), parts)


def add_participant(
    tx: Tx, *, participant: ParticipantId, procedure: ProcedureId, part: Part
) -> Participant:
    """This will name who plays a role inside the command of another package, which authorised it.

    Raises ProcedureNotFound, PartyNotFound, RoleNotNamed, RolesNotApart.
    """
    held = PROCEDURES.lock(tx, procedure)
    return _add(tx, held, participant, part, PARTICIPANTS.find(tx, _LIVING, (procedure,)))


def _add(
    tx: Tx,
    held: Procedure,
    participant: ParticipantId,
    part: Part,
    parts: Sequence[Participant],
) -> Participant:
    if held.ended_at is not None:
        raise RoleNotNamed(role=part.role[:60])
    known = [Part(role=one.role, party=one.party, account=one.account) for one in parts]
    check_parts(compiled_chart(tx, held.chart), (*known, part))
    if part.party is not None:
        PARTIES.get(tx, part.party)
    named = Participant(
        id=participant,
        procedure=held.id,
        role=part.role,
        party=part.party,
        account=part.account,
        named_at=tx.now,
    )
    PARTICIPANTS.insert(tx, named)
    fact = ParticipantNamed(
        procedure=held.id,
        participant=participant,
        role=part.role,
        party=part.party,
        account=part.account,
    )
    record(tx, fact)
    return named


@command("trust.procedure.release_participant")
def release_participant(tx: Tx, *, participant: ParticipantId) -> Participant:
    """This will end a part. Raises ParticipantNotFound, AccessDenied."""
    part = PARTICIPANTS.lock(tx, participant)
    authorize(tx, Action.ASSIGN, Kind.PROCEDURE, owner=part.party)
    if part.ended_at is not None:
        raise ParticipantNotFound(id=participant)
    ended = PARTICIPANTS.update(tx, part, ended_at=tx.now)
    fact = ParticipantReleased(procedure=part.procedure, participant=participant, role=part.role)
    record(tx, fact)
    return ended
