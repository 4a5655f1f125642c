# SPDX-License-Identifier: Apache-2.0
"""Hides OpenID Connect: discovery, the authorization code with PKCE, and checking what comes back.

`Provider.begin` gives an address to send the browser to and what must be remembered; `finish` turns
the answer into the proven pair of issuer and subject, or a refusal. Only listed signature
algorithms are taken; keys are read again when a token names one that is not known, at most every
few seconds. Nothing else of the token is believed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lingqu.kernel import errors
from lingqu.kernel.time import Instant

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""Signatures that are taken: asymmetric ones only, so that nobody who can check can forge."""
SCOPE = "openid"
LEEWAY_S = 60
_TIMEOUT_S = 10
_BYTES_MAX = 1024 * 1024
_KEYS_AGE_MIN_S = 10


class ProviderUnavailable(errors.Unavailable):
    """The identity provider does not answer, or not with what the standard asks for."""

    code = "runtime.openid.unavailable"


class ProviderMismatch(errors.Unavailable):
    """The identity provider describes itself under another name than the one set."""

    code = "runtime.openid.mismatch"


class LoginDenied(errors.Forbidden):
    """The identity provider refused the login, or the person did there."""

    code = "runtime.openid.denied"


class TokenRefused(errors.Forbidden):
    """What the identity provider answered does not prove who signed in."""

    code = "runtime.openid.token_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A login under way: where to send the browser, and what must come back."""

    url: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Who signed in at the provider: the only two claims that name a login for ever."""

    issuer: str
    subject: str = field(repr=False)


class Provider:
    """One identity provider, by its issuer; safe to share between threads."""

    def __init__(self, *, issuer: str, client_id: str, client_secret: str | None) -> None:
        """Nothing is fetched before the first login."""
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._lock = threading.Lock()
        self._metadata: Mapping[str, str] | None = None
        self._keys: KeySet | None = None
        self._keys_at: Instant | None = None

    def begin(self, *, redirect_uri: str) -> Begun:
        """This will make the address at the provider, with fresh state, nonce and challenge.

        Raises ProviderUnavailable, ProviderMismatch.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = self._described()["authorization_endpoint"]
        joint = "&" if urlsplit(endpoint).query else "?"
        url = f"{endpoint}{joint}{urlencode(query)}"
        return Begun(url=url, state=state, nonce=nonce, verifier=verifier)

    def finish(
        self,
        answer: Mapping[str, str],
        *,
        nonce: str,
        verifier: str,
        redirect_uri: str,
        now: Instant,
    ) -> Proven:
        """This will turn the provider's answer into who signed in.

        The caller has found the login by its state. Raises LoginDenied, TokenRefused and what
        `begin` raises.
        """
        if answer.get("iss", self.issuer) != self.issuer:
            raise TokenRefused(reason="issuer")  # RFC 9207: another provider's answer
        if "error" in answer or not answer.get("code"):
            raise LoginDenied(reason=answer.get("error", "code")[:60])
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": redirect_uri,
            "client_id": self._client_id,
            "code_verifier": verifier,
        }
        if self._client_secret is not None:
            form["client_secret"] = self._client_secret
        endpoint = self._described()["token_endpoint"]
        token = _fetched("POST", endpoint, data=form).get("id_token")
        if not isinstance(token, str):
            raise TokenRefused(reason="id_token")
        return self.check_id_token(token, nonce=nonce, now=now)

    def check_id_token(self, token: str, *, nonce: str, now: Instant) -> Proven:
        """This will check an ID token's signature and claims (OpenID Connect Core, 3.1.3.7).

        Raises TokenRefused, naming what was wrong.
        """
        claims = self._verified(token, now)
        if claims.get("iss") != self.issuer:
            raise TokenRefused(reason="issuer")
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if self._client_id not in named:
            raise TokenRefused(reason="audience")
        party = claims.get("azp")
        if (len(named) > 1 and party is None) or party not in {None, self._client_id}:
            raise TokenRefused(reason="azp")
        moment = now.timestamp()
        if not _number(claims.get("exp")) or claims["exp"] + LEEWAY_S <= moment:
            raise TokenRefused(reason="expired")
        if not _number(claims.get("iat")) or claims["iat"] - LEEWAY_S > moment:
            raise TokenRefused(reason="issued_at")
        if _number(claims.get("nbf")) and claims["nbf"] - LEEWAY_S > moment:
            raise TokenRefused(reason="not_before")
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise TokenRefused(reason="nonce")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
            raise TokenRefused(reason="subject")
        return Proven(issuer=self.issuer, subject=subject)

    def _verified(self, token: str, now: Instant) -> dict[str, Any]:
        try:
            head = json.loads(_decoded(token.split(".", maxsplit=1)[0]))
            algorithm, key_id = head.get("alg"), head.get("kid")
        except (ValueError, AttributeError, RecursionError):
            raise TokenRefused(reason="form") from None
        if algorithm not in ALGORITHMS:
            raise TokenRefused(reason="algorithm")
        try:
            return dict(jwt.decode(token, self._keys_for(key_id, now), [algorithm]).claims)
        except (JoseError, ValueError, TypeError, KeyError):
            raise TokenRefused(reason="signature") from None

    def _keys_for(self, key_id: object, now: Instant) -> KeySet:
        """The provider's keys, read again where the token names one that is not among them."""
        with self._lock:
            known = self._keys
            names = set() if known is None else {key.kid for key in known.keys}
            age = None if self._keys_at is None else (now - self._keys_at).total_seconds()
            is_missing = known is None or (key_id is not None and key_id not in names)
            if is_missing and (age is None or age >= _KEYS_AGE_MIN_S):
                found = _fetched("GET", self._described_unlocked()["jwks_uri"])
                try:
                    self._keys = known = KeySet.import_key_set(found)  # type: ignore[arg-type]  # checked by it
                except (JoseError, ValueError, TypeError, KeyError):
                    raise ProviderUnavailable(issuer=self.issuer, detail="jwks") from None
                self._keys_at = now
        assert known is not None, "keys were read"
        return known

    def _described(self) -> Mapping[str, str]:
        with self._lock:
            return self._described_unlocked()

    def _described_unlocked(self) -> Mapping[str, str]:
        if self._metadata is None:
            address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = _fetched("GET", address)
            if found.get("issuer") != self.issuer:
                raise ProviderMismatch(issuer=self.issuer, said=str(found.get("issuer"))[:200])
            names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            ends = {name: found.get(name) for name in names}
            if not all(isinstance(end, str) and self._is_usable(end) for end in ends.values()):
                raise ProviderUnavailable(issuer=self.issuer, detail="metadata")
            self._metadata = {name: str(end) for name, end in ends.items()}
        return self._metadata

    def _is_usable(self, address: str) -> bool:
        """An issuer reached by HTTPS has no part that is not."""
        scheme = urlsplit(address).scheme
        return scheme == "https" or (scheme == "http" and self.issuer.startswith("http:"))


def _fetched(method: str, address: str, *, data: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One JSON object; redirections are not followed, and nothing large is read."""
    host = urlsplit(address).hostname or ""
    try:
        with (
            httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream(method, address, data=data) as answer,
        ):
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > _BYTES_MAX:
                    raise ProviderUnavailable(issuer=host, detail="size")
            status = answer.status_code
        found = json.loads(bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderUnavailable(issuer=host, detail=type(error).__name__) from None
    except (ValueError, RecursionError):
        raise ProviderUnavailable(issuer=host, detail="json") from None
    if data is not None and status in {400, 401}:
        raise TokenRefused(reason="code")
    if status != 200 or not isinstance(found, dict):
        raise ProviderUnavailable(issuer=host, detail=str(status))
    return found


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
