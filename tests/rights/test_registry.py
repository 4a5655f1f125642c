# SPDX-License-Identifier: Apache-2.0
"""The two registries: 发改数据规〔2025〕26号 and 国数综政策〔2026〕35号."""

from datetime import date, timedelta

import pytest
from offices import FILE, Region, digest

from lingqu import rights, trust
from lingqu.rights import registry
from lingqu.runtime import documents, new_id
from lingqu.trust import procedures, rulebook


@pytest.fixture(scope="module")
def region(trust_server, place_type):
    place = place_type(trust_server)
    yield Region(place, date(2026, 3, 2))
    place.close()


def test_a_resource_is_registered_and_looked_up_by_its_code(region):
    made = region.registered("body")
    assert made.state is registry.RegistrationState.REGISTERED
    assert rulebook.evaluate("identifier.is_valid", code=made.code)
    assert made.code.startswith("7")
    found = region.read(registry.find_by_code, made.code.lower())
    assert found.id == made.id
    assert region.place.audit() == []
