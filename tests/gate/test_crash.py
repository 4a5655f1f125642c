# SPDX-License-Identifier: Apache-2.0
"""A gate killed in the middle of calls: what it acknowledged is metered, its leases are settled."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gate_world import shape

from lingqu import gate, trust
from lingqu.gate import Answer, Predicate, Relation, VerificationPolicy
from lingqu.kernel.paging import PageRequest
from lingqu.rights import quantities
from lingqu.runtime import new_id

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
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if world.place.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state <> 'idle'"
            " AND pid <> pg_backend_pid() AND NOT pid = ANY(%s)",
            (world.place.name, list(before)),
        ) == [(0,)]:
            return True
    return False


def metered_of(world, grant):
    with world.place.database.reading(world.banker) as tx:
        page = gate.find_calls(tx, page=PageRequest(size=200), grant=grant.id)
        calls = list(page.items)
        while page.next:
            page = gate.find_calls(tx, page=PageRequest(size=200, after=page.next), grant=grant.id)
            calls += page.items
    return calls


def opened(world):
    return world.place.sql("SELECT grant_id, id FROM rights.lease WHERE closed_at IS NULL")


def test_many_gates_that_start_at_once_settle_what_was_left_once(world, product):
    grant, database = world.buy(product, calls=10_000), world.place.database
    refused = len(world.place.facts("trust.command.refused"))
    for _ in range(3):
        trust.execute(
            database, quantities.take_lease, trust.PLATFORM, new_id(trust.CommandId),
            lease=new_id(quantities.LeaseId), grant=grant.id, currency=gate.CALL, amount=100,
            expires_at=datetime.now(UTC) + timedelta(minutes=10),
        )  # fmt: skip
    with ThreadPoolExecutor(4) as starting:
        settled = [*starting.map(lambda _: gate.settle_abandoned(database), range(4))]
    assert sum(settled) == 3
    assert opened(world) == []
    assert world.left(grant) == (10_000, 0)
    # Nobody tried what another one had done already.
    assert len(world.place.facts("trust.command.refused")) == refused


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
    assert [grant_id for grant_id, _ in opened(world)] == [grant.id], "left open by the kill"
    calls = metered_of(world, grant)
    metered = {call.call: call for call in calls}
    assert len(metered) == len(calls)
    for name, batch, digest in acknowledged:
        assert (metered[name].batch, metered[name].digest) == (batch, digest)
    unacknowledged = metered.keys() - {name for name, _, _ in acknowledged}
    assert len(unacknowledged) <= gate.lanes.CALLS_MOST
    # Another gate goes on with a lease of its own while the killed one's are settled by whoever
    # starts: its first call does it, and the meter is exact for both.
    running, other = world.desk(), world.buy(product, calls=10_000)
    held = running.ask(world.request(product, other, ("0000007", "南宁")), world.asker)
    assert [grant_id for grant_id, _ in opened(world)] == [other.id], "those of the killed are over"
    assert world.left(grant) == (10_000 - len(calls), 0)
    assert gate.settle_abandoned(world.place.database) == 0, "a running gate keeps its lease"
    again = running.ask(world.request(product, other, ("0000008", "南宁")), world.asker)
    assert {held.batch, again.batch} <= {one.batch for one in metered_of(world, other)}
    running.close()
    assert opened(world) == []
    assert world.left(other) == (10_000 - 2, 0)
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
