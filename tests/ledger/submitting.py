# SPDX-License-Identifier: Apache-2.0
"""A process that submits and queues transfers until it is killed, and writes down what it was told.

Its arguments: the database, the clerk's account, a file, and the accounts between which it moves.
"""

import random
import sys
from pathlib import Path

from lingqu import ledger, trust
from lingqu.runtime import Caller, Database, new_id


def main(conninfo, clerk, told, *accounts):
    database = Database(conninfo, size=2)
    caller = Caller(account=trust.AccountId(clerk), channel="api")
    known = [ledger.LedgerAccountId(one) for one in accounts]
    with Path(told).open("w", encoding="utf-8") as file:
        while True:
            transfers = tuple(some(known) for _ in range(random.randint(1, 20)))
            found = trust.execute(
                database,
                ledger.submit_transfers,
                caller,
                new_id(trust.CommandId),
                transfers=transfers,
            )
            file.writelines(f"{one.transfer} {one.outcome.value}\n" for one in found)
            queued = tuple(some(known) for _ in range(random.randint(1, 20)))
            command = new_id(trust.CommandId)
            trust.execute(database, ledger.hand_in_transfers, caller, command, transfers=queued)
            file.writelines(f"{one.id} queued\n" for one in queued)
            file.flush()


def some(accounts):
    debit, credit = random.sample(accounts, 2)
    return ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=debit,
        credit=credit,
        amount=random.randint(1, 50),
        kind="t",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
