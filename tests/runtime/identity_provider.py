# SPDX-License-Identifier: Apache-2.0
"""A provider that lies on demand: the protocol's server side, each answer changed as a test says.

What an honest one does is tested against another project's provider, in a process of its own.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey


@functools.cache
def first_key():
    """The key every provider of this process begins with: making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": "one"})


class LyingProvider:
    """`claims` overrides what the token says, `head` its header; `key` signs."""

    def __init__(self):
        self.key = first_key()
        self.published = [self.key]
        self.claims, self.head, self.metadata, self.answer = {}, {}, {}, {}
        self.codes, self.reads, self.client_secret = {}, 0, "secret"
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def authorize(self, url, subject="someone"):
        """What the browser brings back after the person signed in: the query of the redirection."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = {**query, "subject": subject}
        return {"code": code, "state": query["state"], **self.answer}

    def token(self, asked):
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "sub": asked["subject"],
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        head = {"alg": "RS256", "kid": self.key.kid, **self.head}
        if head["alg"] == "none":
            parts = [json.dumps(one).encode() for one in (head, claims)]
            return (
                ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts) + "."
            )
        if head["alg"] == "HS256":
            parts = [json.dumps(one).encode() for one in (head, claims)]
            text = ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts)
            mac = hmac.digest(self.key.as_pem(private=False), text.encode(), hashlib.sha256)
            return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        return jwt.encode(head, claims, self.key, ["RS256", "ES256"])

    def redeem(self, form):
        """The token endpoint: a code works once, for its client, with its verifier."""
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["code_challenge_method"] != "S256"
            or asked["redirect_uri"] != form.get("redirect_uri")
            or form.get("client_secret") != self.client_secret
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked)}

    def get(self, path):
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                **self.metadata,
            }
        if path == "/keys":
            self.reads += 1
            return 200, KeySet(self.published).as_dict(private=False)
        return 404, {}

    def rotate(self, *, publish=True, kind=RSAKey):
        """Another key from now on."""
        name = f"key{len(self.published)}"
        made = kind.generate_key(2048 if kind is RSAKey else "P-256", {"kid": name})
        self.key = made
        if publish:
            self.published = [made]

    def _handler(self):
        lying = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply(*lying.get(urlsplit(self.path).path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self.reply(*lying.redeem(form))

            def reply(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


@contextlib.contextmanager
def lying_provider():
    """A provider on a free port of this machine."""
    made = LyingProvider()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


def returned(url, answer):
    """The address the browser is sent back to."""
    return f"{url}?{urlencode(answer)}"


__all__ = ("ECKey", "LyingProvider", "lying_provider", "returned")
