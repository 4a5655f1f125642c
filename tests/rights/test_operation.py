# SPDX-License-Identifier: Apache-2.0
"""Authorised operation from the scheme to the operator's grant: 发改数据规〔2025〕27号."""

from datetime import date, timedelta

import pytest
from offices import FILE, Region, digest, only

from lingqu import rights, trust
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import operation, quantities
from lingqu.rights.quantities import Quantity
from lingqu.runtime import documents, new_id
from lingqu.trust import procedures


@pytest.fixture(scope="module")
def region(trust_server, place_type):
    place = place_type(trust_server)
    yield Region(place, date(2026, 3, 2))
    place.close()


def test_from_the_scheme_to_the_grant_of_the_operator(region):
    agreement = region.operated()
    assert agreement.state is operation.AgreementState.IN_EFFECT
    grant = region.read(rights.get_grant, agreement.grant)
    assert (grant.parent, grant.basis) == (region.root, agreement.ground)
    assert (grant.holder, grant.kind) == (region.parties["operator"], rights.GrantKind.OPERATING)
    form = rights.read_form(grant.effective)
    assert form.territories.allowed == ("450000",)
    assert form.valid == Period(agreement.effective_at, agreement.ends_at)
    (quota,) = region.read(quantities.get_quota, grant.id)
    assert quota.available == 100_000
    ground = region.read(rights.get_ground, agreement.ground)
    assert ground.evidence == agreement.digest
    assert "第十四条" in ground.articles[0]
    told = region.read(rights.explain_grant, grant.id)
    lines = "\n".join(rights.explanation_lines(told, "zh-CN"))
    assert agreement.digest.hex() in lines
    assert "第十四条" in lines
    assert region.place.audit() == []
