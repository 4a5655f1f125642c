# SPDX-License-Identifier: Apache-2.0
"""What of procedures goes when a person is erased: the person's own words, never what was done.

An opinion, a reason or the name of a file is the person's own where the person moved for itself.
What somebody wrote in office, for an organisation, is the office's record and stays. The step with
its move, role, day and rules stays in every case (decision 0027).
"""

from __future__ import annotations

from collections.abc import Sequence

from lingqu.runtime import Tx
from lingqu.trust.access import AccountId, PartyId
from lingqu.trust.procedures.records import ATTACHMENTS, PROCEDURES, STEPS

EMPTIED = "—"
"""What stands where a text of a person stood."""

_OWN_STEPS = """
    SELECT id FROM trust.procedure_step
    WHERE party = %s OR (party IS NULL AND timer IS NULL AND account = ANY(%s)) ORDER BY id
"""
_EMPTY_STEP = "SELECT trust.empty_step(%s, %s) AS done"
_EMPTY_ATTACHMENT = "SELECT trust.empty_attachment(%s, %s) AS done"


def forget_person(
    tx: Tx, *, party: PartyId, accounts: Sequence[AccountId]
) -> list[tuple[str, str, int]]:
    """This will empty what a person wrote in procedures, inside the command that erases it.

    Gives tables, keys and versions whose earlier contents go.
    """
    touched: list[tuple[str, str, int]] = []
    for matter in PROCEDURES.find(tx, "WHERE owner = %s ORDER BY id FOR UPDATE", (party,)):
        named = PROCEDURES.update(tx, matter, title=EMPTIED)
        touched.append(("trust.procedure", matter.id, named.version))
    steps = [row["id"] for row in tx.all(_OWN_STEPS, (party, list(accounts)))]
    for step in STEPS.find(tx, "WHERE id = ANY(%s) ORDER BY id", (steps,)):
        if step.opinion is not None or step.reason is not None:
            emptied = STEPS.update_through(tx, _EMPTY_STEP, step, opinion=None, reason=None)
            touched.append(("trust.procedure_step", step.id, emptied.version))
    for file in ATTACHMENTS.find(tx, "WHERE step = ANY(%s) ORDER BY id", (steps,)):
        nameless = ATTACHMENTS.update_through(tx, _EMPTY_ATTACHMENT, file, name=EMPTIED)
        touched.append(("trust.procedure_attachment", file.id, nameless.version))
    return touched
