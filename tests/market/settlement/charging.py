# SPDX-License-Identifier: Apache-2.0
"""A process that charges what was metered, batch after batch, until it is done or killed.

Its arguments: the database, the grant, and how many batches. What the meter has is the same in
every process: `metered` makes it from the number of the batch.
"""

import hashlib
import sys

from lingqu import rights, trust, wiring
from lingqu.kernel.time import parse_instant
from lingqu.market import bills, settlement
from lingqu.runtime import Database

AT = parse_instant("2026-03-06T04:00:00Z")


def metered(number):
    """The calls of one batch: a handful, some refused, some about many subjects."""
    seed = hashlib.sha256(f"batch {number}".encode()).digest()
    calls = tuple(
        settlement.MeteredCall(
            call=f"call-{number}-{at}",
            at=AT,
            yes=seed[at % 32] % 5,
            no=seed[at % 32] % 3,
            refusal="gate.call.over" if seed[at % 32] % 11 == 0 else None,
        )
        for at in range(40)
    )
    return bills.MeteredBatch(batch=f"mtb_{number}", calls=calls)


def command_of(number):
    """The id under which a batch is charged follows from the batch."""
    return trust.CommandId.make(unix_ms=number, entropy=bytes(10))


def main(conninfo, grant, count):
    assert wiring.DOMAINS
    database = Database(conninfo, size=2)
    database.use_story_clock(story=True)
    for number in range(int(count)):
        one = metered(number)
        trust.execute(
            database,
            settlement.charge_calls,
            trust.PLATFORM,
            command_of(number),
            batch=one.batch,
            grant=rights.GrantId(grant),
            calls=one.calls,
        )
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
