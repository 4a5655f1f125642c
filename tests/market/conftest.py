# SPDX-License-Identifier: Apache-2.0
"""One venue with seller and buyer for all tests of a module."""

import sys
from pathlib import Path

import pytest

from lingqu import market

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

from bazaars import Bazaar  # found through the path above


@pytest.fixture(scope="module")
def bazaar(trust_server, place_type):
    """One venue for all tests of a module, with seller and buyer admitted."""
    place = place_type(trust_server)
    made = Bazaar(place)
    made.admit(made.seller, made.operator, market.MemberRole.SELLER)
    made.admit(made.buyer, made.banker, market.MemberRole.BUYER)
    yield made
    assert place.audit() == []
    place.close()
