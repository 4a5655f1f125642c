# SPDX-License-Identifier: Apache-2.0
"""The built-in territories are the divisions of every region there is a profile for."""

import pytest

from lingqu.rights import vocabulary
from lingqu.trust import divisions, rulebook

DAY = rulebook.open_rulebook().day


@pytest.fixture(scope="module")
def territories():
    found = vocabulary.built_in_labels()
    return {one.code: one for one in found if one.tree is vocabulary.TreeName.TERRITORIES}


@pytest.mark.parametrize("profile", rulebook.profiles(), ids=lambda one: one.name)
def test_a_region_has_its_cities_and_counties_under_their_names(territories, profile):
    assert profile.division in territories
    inside = divisions.children(profile.division, on=DAY)
    assert len(inside) > 3
    for city in inside:
        known = territories[city.code]
        assert (known.zh, known.parent) == (city.name, profile.division)
        for county in divisions.children(city.code, on=DAY):
            if county.level is divisions.DivisionLevel.COUNTY:
                assert territories[county.code].parent == city.code
    above = divisions.ancestors(profile.division, on=DAY)
    line = [*(one.code for one in above), profile.division]
    assert [territories[code].parent for code in line] == ["china", *line[:-1]]


def test_no_town_and_nothing_of_other_regions_is_built_in(territories):
    codes = {code for code in territories if code.isdecimal()}
    assert all(len(code) == 6 and code[:2] in {"44", "45"} for code in codes)
    assert "440300" not in codes
    assert len(codes) == len(set(codes)) > 100
