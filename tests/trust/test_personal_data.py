# SPDX-License-Identifier: Apache-2.0
"""No name, login, password, label or secret ever stands in a fact, whatever people are called."""

import itertools
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.trust import identity

COUNT = itertools.count()
words = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=6, max_size=60
).filter(lambda text: len(text.strip()) >= 6)


@pytest.fixture(scope="module")
def shared(trust_server, place_type):
    made = place_type(trust_server)
    made.found()
    yield made
    made.close()


def forms(text):
    """How a text might appear inside a fact's JSON."""
    for one in {text, text.strip(), text.casefold(), text.strip().casefold()}:
        yield json.dumps(one, ensure_ascii=False)[1:-1]
        yield json.dumps(one)[1:-1]
        yield one.encode().hex()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=words, second=words, login=words, label=words, subject=words)
def test_no_personal_text_is_in_any_fact(shared, name, second, login, label, subject):
    mark = f"〈{next(COUNT)}〉"
    given = (name, second, login, label, subject)
    texts = [f"{mark}{letter}{text}" for letter, text in zip("甲乙丙丁戊", given, strict=True)]
    name, second, login, label, subject = texts
    password, secret = f"pass {mark} {second}", trust.new_secret()
    texts += [password, secret]
    try:
        party = shared.party(name, trust.PartyKind.PERSON)
        caller = shared.account(party, login=login, password=password, role=trust.Role.MEMBER)
        shared.do(trust.rename_party, party=party, name=second)
        shared.do(
            trust.change_password, account=caller.account, password=trust.hash_password(password)
        )
        shared.do(
            trust.issue_api_key,
            caller,
            api_key=new_id(trust.ApiKeyId),
            account=caller.account,
            label=label,
            secret=Hidden(secret),
        )
        shared.do(
            identity.link_login,
            caller,
            link=new_id(identity.LoginLinkId),
            account=caller.account,
            issuer="https://login.example",
            subject=Hidden(subject),
        )
        with pytest.raises(trust.SignInRefused):
            trust.sign_in(shared.database, login=login, password=subject, hours=1, language="en")
        token, _ = trust.sign_in(
            shared.database, login=login, password=password, hours=1, language="en"
        )
        texts.append(token)
        with pytest.raises(trust.SignInRefused):
            trust.sign_in(
                shared.database, login=login, password=f"{password} ", hours=1, language="en"
            )
        with pytest.raises(trust.AccessDenied):
            shared.do(trust.rename_party, caller, party=party, name=name)
    except errors.Rejected:
        return  # not every text is a name; what is refused must not appear either
    finally:
        (bodies,) = shared.sql("SELECT string_agg(body, E'\\n') FROM trust.fact")[0]
        for text in texts:
            assert not [one for one in forms(text) if one in bodies]
    hashes = shared.sql("SELECT password_hash FROM trust.account WHERE id = %s", (caller.account,))[
        0
    ]
    assert hashes[0].startswith("$argon2id$")
    assert hashes[0] not in bodies
    assert "argon2" not in bodies
    assert trust.secret_hash(secret).hex() not in bodies
    assert trust.secret_hash(token).hex() not in bodies


def test_a_credit_code_or_a_certificates_label_is_in_no_fact(place):
    party, code = new_id(trust.PartyId), identity.organizations.demonstration_code(31)
    described = {"kind": identity.OrganizationKind.SOLE_TRADER, "region": "450702", "code": code}
    place.do(identity.register_organization, party=party, name="韦某小店", **described)
    account = new_id(trust.AccountId)
    place.do(trust.open_account, account=account, party=party, kind=trust.AccountKind.MACHINE)
    place.do(
        identity.register_certificate,
        certificate=new_id(identity.CertificateId),
        account=account,
        fingerprint="ab" * 32,
        expires_at=place.database.time.now() + timedelta(days=1),
        label="韦某的网关",
    )
    facts, kept = json.dumps(place.facts(), ensure_ascii=False), place.everything()
    for text in (code, "韦某小店", "韦某的网关"):
        assert text not in facts
        assert text in kept
    place.do(trust.erase_party, party=party)
    kept = place.everything()
    for text in (code, "韦某小店", "韦某的网关"):
        assert text not in kept
    assert place.audit() == []


def test_a_password_or_secret_is_kept_nowhere_in_clear(place):
    password, secret = "correct horse battery", trust.new_secret()
    caller = place.account(login="li", password=password, role=trust.Role.MEMBER)
    place.do(
        trust.issue_api_key,
        api_key=new_id(trust.ApiKeyId),
        account=caller.account,
        label="线",
        secret=Hidden(secret),
    )
    token, _ = trust.sign_in(place.database, login="li", password=password, hours=1, language="en")
    kept = place.everything()
    for text in (password, secret, token):
        assert text not in kept
    assert repr(Hidden(secret)) == "Hidden()"
