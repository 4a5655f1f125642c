# SPDX-License-Identifier: Apache-2.0
"""What follows the log of a real platform: uses are charged, and contracts that can pay go on."""

import sys
from datetime import date
from pathlib import Path

import pytest

if (there := str(Path(__file__).parents[1] / "supervision")) not in sys.path:
    sys.path.insert(0, there)

from market_world import PRICE, Supervised  # found through the path above

from lingqu import market, supervision, trust, wiring
from lingqu.kernel.errors import LingquError
from lingqu.kernel.time import parse_instant
from lingqu.market import settlement
from lingqu.runtime import new_id
from lingqu.runtime.postgres import discard_postgres
from lingqu.runtime.settings import load_settings

BEFORE_MIDNIGHT = parse_instant("2026-03-06T15:59:59Z")  # at the venue it is 23:59:59
AFTER_MIDNIGHT = parse_instant("2026-03-06T16:00:01Z")
DAY, NEXT_DAY = date(2026, 3, 6), date(2026, 3, 7)


class Platform(Supervised):
    """A bank and a product on an opened platform, whose own followers read its log."""

    def __init__(self, app, place, folder):
        self.app = app
        super().__init__(place, folder)

    @property
    def now(self):
        return self.read(lambda tx: tx.now)

    def look(self):
        self.app.sequencer.step()
        return wiring.follow_log(self.app)


@pytest.fixture
def platform(place_type, tmp_path):
    class Opened(place_type):
        def __init__(self, app):
            self.server, self.name = app.postgres, "lingqu"
            self.database = app.database

    tmp_path.chmod(0o755)
    settings = load_settings({}, overrides={"data_dir": tmp_path / "data"})
    try:
        wiring.initialize(settings, story_from=BEFORE_MIDNIGHT)
        with wiring.open_app(settings) as app:
            made = Platform(app, Opened(app), tmp_path)
            yield made
            made.engine.close()
    finally:
        discard_postgres(data_dir=tmp_path / "data")


def test_uses_are_charged_once_on_their_day_and_a_contract_without_funds_waits_for_some(platform):
    deal, desk = platform.contract(frozen=2 * PRICE), platform.desk()
    platform.use(desk, deal, 2)
    platform.do(trust.move_story_clock, to=AFTER_MIDNIGHT)
    platform.look()
    tally = platform.read(settlement.get_tally, deal.id)
    assert (tally.units, tally.charged, tally.posted) == (2, 2 * PRICE, 2 * PRICE)
    assert tally.hold is not None

    def day(which):
        made = supervision.reconcile_day(platform.app.database, platform.regulator, day=which)
        return [(one.calls, one.metered, one.billed, one.posted, one.found) for one in made]

    assert day(DAY) == [(2, 2 * PRICE, 2 * PRICE, 2 * PRICE, 0)]
    assert day(NEXT_DAY) == []

    with pytest.raises(LingquError) as refusal:
        platform.use(desk, deal)
    assert refusal.value.code == "rights.grant.held"
    platform.do(
        market.record_deposit,
        platform.clearing,
        deposit=new_id(market.DepositId),
        venue=platform.venue,
        party=platform.buyer,
        direction=market.Direction.IN,
        amount=3 * PRICE,
        reference="more",
        paid_on=NEXT_DAY,
    )
    platform.do(settlement.freeze_more, platform.banker, contract=deal.id, amount=3 * PRICE)
    platform.look()
    platform.look()  # freeing is itself a fact
    assert platform.read(settlement.get_tally, deal.id).hold is None
    platform.use(desk, deal)
    platform.look()
    assert platform.read(settlement.get_tally, deal.id).units == 3

    # A follower that was killed before it wrote down where it is reads everything again.
    platform.place.sql("UPDATE trust.subscription SET next = 0 WHERE name LIKE 'market.%'")
    assert platform.look() > 0
    assert platform.read(settlement.get_tally, deal.id).units == 3
    assert [(line[0], line[-1]) for line in day(DAY)] == [(2, 0)]
    desk.close()
