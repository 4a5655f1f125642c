# SPDX-License-Identifier: Apache-2.0
"""Client certificates of machines: registered once, by who may, and ended for good."""

import dataclasses
from datetime import timedelta

import pytest

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime import new_id
from lingqu.trust import identity


@pytest.fixture
def machine(place):
    party, account = place.party(), new_id(trust.AccountId)
    place.do(trust.open_account, account=account, party=party, kind=trust.AccountKind.MACHINE)
    return account


def registered(place, account, **changes):
    given = {
        "certificate": new_id(identity.CertificateId),
        "account": account,
        "fingerprint": "ab" * 32,
        "expires_at": place.database.time.now() + timedelta(days=30),
        "label": "gate",
    }
    return place.do(identity.register_certificate, **(given | changes))


def test_a_revoked_certificate_is_ended_for_good_and_may_be_registered_anew(place, machine):
    made = registered(place, machine)
    ended = place.do(identity.revoke_certificate, certificate=made.id)
    assert ended == dataclasses.replace(made, ended_at=ended.ended_at, version=2)
    assert ended.ended_at is not None
    with pytest.raises(errors.Conflict):
        place.do(identity.revoke_certificate, certificate=made.id)
    assert registered(place, machine).fingerprint == made.fingerprint
    assert place.audit() == []


def test_one_certificate_opens_one_account(place, machine):
    registered(place, machine)
    with pytest.raises(errors.Conflict):
        registered(place, machine)


@pytest.mark.parametrize(
    "wrong",
    [{"fingerprint": "ab"}, {"fingerprint": "AB" * 32}, {"label": ""}, {"label": "x" * 500}],
)
def test_what_is_no_certificate_is_refused(place, machine, wrong):
    with pytest.raises(errors.Rejected):
        registered(place, machine, **wrong)
    past = place.database.time.now() - timedelta(days=1)
    with pytest.raises(errors.Rejected):
        registered(place, machine, expires_at=past)


def test_a_member_of_another_party_neither_registers_nor_revokes(place, machine):
    made = registered(place, machine)
    stranger = place.account(role=trust.Role.MEMBER)
    with pytest.raises(errors.LingquError):
        place.do(identity.revoke_certificate, stranger, certificate=made.id)
    with place.database.reading() as tx:
        assert tx.one("SELECT ended_at FROM trust.certificate")["ended_at"] is None
