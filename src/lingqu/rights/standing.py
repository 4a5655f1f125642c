# SPDX-License-Identifier: Apache-2.0
"""Where the procedure of a matter stands: matters keep no state of their own beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from lingqu.runtime import Tx
from lingqu.trust import procedures

_STATES = "SELECT id, state FROM trust.procedure WHERE id = ANY(%s)"
_DUE = """
    SELECT due_on FROM trust.procedure_timer
    WHERE procedure = %s AND name = %s AND ended_at IS NULL ORDER BY id DESC LIMIT 1
"""


def find_states(tx: Tx, known: Sequence[procedures.ProcedureId]) -> dict[str, str]:
    """This will give the states of procedures, by id."""
    return {row["id"]: row["state"] for row in tx.all(_STATES, (list(known),))}


def get_state(tx: Tx, procedure: procedures.ProcedureId) -> str:
    """This will give the state of one procedure."""
    return find_states(tx, (procedure,))[procedure]


def find_due(tx: Tx, procedure: procedures.ProcedureId, timer: str) -> date | None:
    """This will give the last day of a clock that has not ended, or None."""
    row = tx.maybe(_DUE, (procedure, timer))
    return None if row is None else row["due_on"]
