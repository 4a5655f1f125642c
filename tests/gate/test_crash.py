# SPDX-License-Identifier: Apache-2.0
"""A gate killed in the middle of calls: what it acknowledged is metered, its leases are settled."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gate_world import shape

from lingqu import gate
from lingqu.gate import Answer, Predicate, Relation, VerificationPolicy
from lingqu.kernel.paging import PageRequest
from lingqu.rights import quantities
from lingqu.trust import PLATFORM

HERE = Path(__file__).parent
ROWS = [{"segment": f"{number:07}", "city": "南宁"} for number in range(400)]


@pytest.fixture(scope="module")
def product(world):
    from_table = world.load("号段", ROWS, level=2)
    relation = Relation(resource=from_table, key="segment", value="city")
    return world.product(
        VerificationPolicy(subject=shape(7), predicates=(Predicate(name="city", yes=(relation,)),))
    )


def sessions(world):
    found = world.place.sql(
        "SELECT pid FROM pg_stat_activity WHERE datname = %s", (world.place.name,)
    )
    return {pid for (pid,) in found}


def ended(world, before):
    """Poll until the database has noticed that the process is gone."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if world.place.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state <> 'idle'"
            " AND pid <> pg_backend_pid() AND NOT pid = ANY(%s)",
            (world.place.name, list(before)),
        ) == [(0,)]:
            return True
    return False


def test_the_meter_is_what_was_acknowledged_after_kill_9(world, product):
    grant = world.buy(product, calls=10_000)
    told = {
        "conninfo": world.place.database.conninfo,
        "folder": str(world.folder),
        "grant": grant.id,
        "product": product.id,
        "account": world.banker.account,
    }
    before = sessions(world)
    caller = subprocess.Popen(
        [sys.executable, str(HERE / "calling_process.py"), json.dumps(told)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    acknowledged = [caller.stdout.readline().split() for _ in range(60)]
    caller.send_signal(signal.SIGKILL)
    acknowledged += [line.split() for line in caller.stdout.read().splitlines(keepends=True)
                     if line.endswith("\n")]  # fmt: skip
    caller.stdout.close()
    caller.wait()
    assert ended(world, before)
    with world.place.database.reading(world.banker) as tx:
        page = gate.find_calls(tx, page=PageRequest(size=200), grant=grant.id)
        calls = list(page.items)
        while page.next:
            page = gate.find_calls(tx, page=PageRequest(size=200, after=page.next), grant=grant.id)
            calls += page.items
    metered = {call.call: call for call in calls}
    assert len(metered) == len(calls)
    for name, batch, digest in acknowledged:
        assert (metered[name].batch, metered[name].digest) == (batch, digest)
    unacknowledged = metered.keys() - {name for name, _, _ in acknowledged}
    assert len(unacknowledged) <= gate.lanes.CALLS_MOST
    leases = world.place.sql(
        "SELECT id FROM rights.lease WHERE grant_id = %s AND closed_at IS NULL", (grant.id,)
    )
    for (lease,) in leases:
        world.do(gate.settle_by_meter, PLATFORM, lease=quantities.LeaseId(lease))
    assert world.left(grant) == (10_000 - len(calls), 0)
    # Whoever got no answer asks again under the same id: stored, and not charged.
    desk = world.desk()
    name = next(iter(unacknowledged), acknowledged[-1][0])
    request = world.request(product, grant, ("0000007", "南宁"), call=gate.CallId(name))
    again = desk.ask(request, world.asker)
    desk.close()
    assert again.repeated
    assert again.answers[0].answer is Answer.YES
    assert world.left(grant) == (10_000 - len(calls), 0)
    assert world.place.audit() == []
