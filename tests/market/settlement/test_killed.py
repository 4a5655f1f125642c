# SPDX-License-Identifier: Apache-2.0
"""Killed between what was metered and what was charged, again and again, nothing differs."""

import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from lingqu import ledger
from lingqu.market import bills, settlement

PROGRAM = Path(__file__).with_name("charging.py")
BATCHES = 60
KILLS = 3

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

from charging import metered  # noqa: E402  # found through the path above


@pytest.mark.crash
def test_meter_charges_and_postings_agree_whenever_the_charging_process_is_killed(world):
    contract = world.contract(frozen=10_000_000, unit_price_minor=7, free_calls=100)
    arguments = [
        sys.executable,
        str(PROGRAM),
        world.place.database.conninfo,
        contract.grant_id,
        str(BATCHES),
    ]
    rng = random.Random(20260306)
    reached = []
    for _ in range(KILLS):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            wanted = rng.randint(5, BATCHES // 2)
            for line in process.stdout:
                if int(line) >= wanted:
                    process.kill()
                    break
            reached.append(process.wait())
    assert reached == [-9] * KILLS
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == BATCHES

    meter = [metered(number) for number in range(BATCHES)]
    span = {"contract": contract.id, "begins": date(2026, 3, 1), "ends": date(2026, 6, 1)}
    assert world.read(bills.find_differences, metered=meter, **span) == ()
    answered = [one for batch in meter for one in batch.calls if one.refusal is None]
    assert len(answered) > 2_000
    units = sum(one.yes + one.no for one in answered)
    tally, bill = world.tally(contract), world.read(bills.get_bill, **span)
    assert bill.calls == len(answered)
    assert (tally.units, tally.charged) == (units, (units - 100) * 7)
    assert tally.posted == tally.charged == bill.charged == bill.posted
    assert world.balance(contract.charged) == (tally.charged, 0)
    batches = world.read(settlement.find_batches, **span)
    posted = world.read(ledger.find_entries, transfers=[one.transfer for one in batches])
    assert sum(one.amount for one in posted) == tally.charged
    assert len(batches) == BATCHES
