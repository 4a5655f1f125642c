# SPDX-License-Identifier: Apache-2.0
"""Two installations that know each other: a city's own, and the region's venue."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)
if (shared := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.insert(0, shared)

from installations import CITY, REGION, installation, listing  # found through the path above

from lingqu import interop, trust
from lingqu.runtime import new_id
from registered import register_product


@pytest.fixture(scope="module")
def world(place_type, trust_server, tmp_path_factory):
    base = tmp_path_factory.mktemp("interop")
    city = installation(place_type, trust_server, CITY, base / "city")
    region = installation(place_type, trust_server, REGION, base / "region")
    made = SimpleNamespace(city=city, region=region)
    made.operator = city.party("〈钦州数据运营公司〉（演示）")
    made.venue_there = city.party("〈北部湾数据交易中心〉（演示）")
    made.venue = region.party("〈北部湾数据交易中心〉（演示）")
    made.sender = region.party("〈钦州市数据局〉（演示）")
    made.clerk = region.account(made.venue, role=trust.Role.VENUE)
    made.code = register_product(city.database, listing().product)
    made.to_region = new_id(interop.PeerId)
    city.do(
        interop.register_peer,
        peer=made.to_region,
        verifier_key=str(interop.own_key(region.ring, REGION)),
        name="北部湾数据交易中心平台",
        party=made.venue_there,
    )
    made.from_city = new_id(interop.PeerId)
    region.do(
        interop.register_peer,
        peer=made.from_city,
        verifier_key=str(interop.own_key(city.ring, CITY)),
        name="钦州市数据平台",
        party=made.sender,
        handler=made.venue,
    )
    yield made
    city.close()
    region.close()
