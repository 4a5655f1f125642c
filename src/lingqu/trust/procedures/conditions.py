# SPDX-License-Identifier: Apache-2.0
"""The conditions every chart may name; other packages register their own beside their matters."""

from __future__ import annotations

from lingqu.runtime import Tx
from lingqu.trust.procedures.charts import guard
from lingqu.trust.procedures.records import Procedure, SamePerson

_LAST_OF_FILING = """
    SELECT source, target, account FROM trust.procedure_step
    WHERE procedure = %s ORDER BY ordinal DESC LIMIT 200
"""
_GIVEN_BACK = frozenset({"drafting"})


@guard("trust.procedure.another_person")
def another_person(tx: Tx, procedure: Procedure) -> None:
    """This will refuse whoever made a step of the present round, from the draft until now.

    A round begins in the latest state called `drafting`. Raises SamePerson.
    """
    for row in tx.all(_LAST_OF_FILING, (procedure.id,)):
        if row["account"] == tx.caller.account:
            raise SamePerson(state=procedure.state)
        if row["source"].rpartition(".")[2] in _GIVEN_BACK:
            return
