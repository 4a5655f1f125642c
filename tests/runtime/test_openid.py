# SPDX-License-Identifier: Apache-2.0
"""A login at a provider proves issuer and subject, and every lie of a provider is refused."""

import base64
import json
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)

from identity_provider import lying_provider  # found through the path above

from lingqu.runtime import REAL_TIME
from lingqu.runtime.openid import (
    LoginDenied,
    Provider,
    ProviderMismatch,
    ProviderUnavailable,
    TokenRefused,
)

BACK = "http://127.0.0.1:1/login/openid/return"


@pytest.fixture
def lying():
    with lying_provider() as made:
        yield made


@pytest.fixture
def provider(lying):
    return Provider(issuer=lying.issuer, client_id="lingqu", client_secret="secret")


@pytest.fixture(scope="module")
def honest():
    """Another project's provider, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            try:
                httpx.get(f"{issuer}/jwks")
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the provider ended"
                time.sleep(0.05)
        yield issuer
    finally:
        process.terminate()
        process.wait(10)


def finish(provider, begun, answer, **changes):
    given = {"nonce": begun.nonce, "verifier": begun.verifier, "redirect_uri": BACK}
    return provider.finish(answer, now=REAL_TIME.now(), **(given | changes))


def login(provider, lying, **changes):
    begun = provider.begin(redirect_uri=BACK)
    return finish(provider, begun, lying.authorize(begun.url), **changes)


def test_a_login_at_a_real_provider_proves_issuer_and_subject(honest):
    provider = Provider(issuer=honest, client_id="lingqu", client_secret="secret")
    begun = provider.begin(redirect_uri=BACK)
    sent = httpx.post(begun.url, data={"sub": "user-1"})
    assert sent.status_code == 302, sent.text[:300]
    query = {
        name: one[0] for name, one in parse_qs(urlsplit(sent.headers["location"]).query).items()
    }
    assert query["state"] == begun.state
    proven = finish(provider, begun, query)
    assert (proven.issuer, proven.subject) == (honest, "user-1")
    with pytest.raises(TokenRefused) as replayed:
        finish(provider, begun, query)
    assert replayed.value.parameters == {"reason": "code"}


def test_a_real_providers_token_of_another_login_or_client_is_refused(honest):
    provider = Provider(issuer=honest, client_id="lingqu", client_secret="secret")
    other = Provider(issuer=honest, client_id="other", client_secret="secret")
    for begun_by, reason in ((provider, "nonce"), (other, None)):
        begun = begun_by.begin(redirect_uri=BACK)
        sent = httpx.post(begun.url, data={"sub": "user-1"})
        query = {n: one[0] for n, one in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        with pytest.raises(TokenRefused) as refused:
            finish(provider, begun, query, nonce="another")
        assert refused.value.parameters == {"reason": reason or "code"}


def test_an_honest_answer_is_taken_and_each_login_is_fresh(provider, lying):
    assert login(provider, lying).subject == "someone"
    first, second = (provider.begin(redirect_uri=BACK) for _ in range(2))
    assert not {first.state, first.nonce, first.verifier} & {
        second.state,
        second.nonce,
        second.verifier,
    }
    query = parse_qs(urlsplit(first.url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["scope"] == ["openid"]
    assert first.verifier not in first.url


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": ["lingqu", "other"]}, "azp"),
        ({"azp": "other"}, "azp"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": "2030"}, "expired"),
        ({"iat": 2**33}, "issued_at"),
        ({"iat": None}, "issued_at"),
        ({"nbf": 2**33}, "not_before"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": None}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": "x" * 256}, "subject"),
        ({"sub": 7}, "subject"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(provider, lying, claims, reason):
    lying.claims = claims
    with pytest.raises(TokenRefused) as refused:
        login(provider, lying)
    assert refused.value.parameters == {"reason": reason}


def test_several_audiences_are_taken_where_we_are_the_authorized_party(provider, lying):
    lying.claims = {"aud": ["lingqu", "other"], "azp": "lingqu"}
    assert login(provider, lying).subject == "someone"


def test_an_unsigned_token_is_refused(provider, lying):
    lying.head = {"alg": "none"}
    with pytest.raises(TokenRefused) as refused:
        login(provider, lying)
    assert refused.value.parameters == {"reason": "algorithm"}


def test_a_token_signed_with_a_public_key_as_a_password_is_refused(provider, lying):
    lying.head = {"alg": "HS256"}
    with pytest.raises(TokenRefused) as refused:
        login(provider, lying)
    assert refused.value.parameters == {"reason": "algorithm"}


def test_another_key_of_the_same_name_is_refused(provider, lying):
    lying.key = RSAKey.generate_key(2048, {"kid": "one"})
    with pytest.raises(TokenRefused) as refused:
        login(provider, lying)
    assert refused.value.parameters == {"reason": "signature"}


def test_keys_are_read_again_when_the_provider_changes_them(provider, lying):
    later = REAL_TIME.now() + timedelta(seconds=30)
    login(provider, lying)
    login(provider, lying)
    assert lying.reads == 1
    lying.rotate(kind=ECKey)
    lying.head = {"alg": "ES256"}
    begun = provider.begin(redirect_uri=BACK)
    answer = lying.authorize(begun.url)
    given = {"nonce": begun.nonce, "verifier": begun.verifier, "redirect_uri": BACK}
    assert provider.finish(answer, now=later, **given).subject == "someone"
    assert lying.reads == 2


def test_unknown_key_names_do_not_make_us_read_the_keys_again_and_again(provider, lying):
    login(provider, lying)
    lying.rotate(publish=False)
    for _ in range(5):
        with pytest.raises(TokenRefused):
            login(provider, lying)
    assert lying.reads == 1


def test_a_code_is_good_once_with_its_own_verifier(provider, lying):
    begun = provider.begin(redirect_uri=BACK)
    answer = lying.authorize(begun.url)
    with pytest.raises(TokenRefused):
        finish(provider, begun, answer, verifier="v" * 43)
    begun = provider.begin(redirect_uri=BACK)
    answer = lying.authorize(begun.url)
    finish(provider, begun, answer)
    with pytest.raises(TokenRefused) as replayed:
        finish(provider, begun, answer)
    assert replayed.value.parameters == {"reason": "code"}


def test_an_answer_of_another_provider_is_refused_before_the_code_is_used(provider, lying):
    lying.answer = {"iss": "https://evil.example"}
    begun = provider.begin(redirect_uri=BACK)
    answer = lying.authorize(begun.url)
    with pytest.raises(TokenRefused) as refused:
        finish(provider, begun, answer)
    assert refused.value.parameters == {"reason": "issuer"}
    assert answer["code"] in lying.codes


def test_a_denied_login_is_said_to_be_denied(provider):
    begun = provider.begin(redirect_uri=BACK)
    for answer in ({"error": "access_denied"}, {"state": begun.state}, {"code": ""}):
        with pytest.raises(LoginDenied):
            finish(provider, begun, answer)


@pytest.mark.parametrize(
    ("metadata", "refusal"),
    [
        ({"issuer": "https://evil.example"}, ProviderMismatch),
        ({"token_endpoint": None}, ProviderUnavailable),
        ({"jwks_uri": "ftp://x"}, ProviderUnavailable),
        ({"authorization_endpoint": 7}, ProviderUnavailable),
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_refused(lying, metadata, refusal):
    lying.metadata = metadata
    provider = Provider(issuer=lying.issuer, client_id="lingqu", client_secret="secret")
    with pytest.raises(refusal):
        provider.begin(redirect_uri=BACK)


def test_a_provider_that_is_not_there_is_a_refusal():
    provider = Provider(issuer="http://127.0.0.1:1", client_id="lingqu", client_secret=None)
    with pytest.raises(ProviderUnavailable):
        provider.begin(redirect_uri=BACK)


NESTED = base64.urlsafe_b64encode(b"[" * 3000).decode() + ".x.y"
NUMBERED = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": 7}).encode()).decode()


@pytest.mark.parametrize(
    "token",
    ["", ".", "a.b.c", "..", "e30.e30.", "\ud800.x.y", "W10.W10.W10",
     NESTED, f"{NUMBERED}.e30.AA"],
)  # fmt: skip
def test_what_is_no_token_is_refused(provider, token):
    with pytest.raises(TokenRefused):
        provider.check_id_token(token, nonce="n", now=REAL_TIME.now())


def test_no_secret_is_shown_in_any_form(provider):
    begun = provider.begin(redirect_uri=BACK)
    assert not re.search(f"{begun.nonce}|{begun.verifier}", repr(begun).replace(begun.url, ""))
