# SPDX-License-Identifier: Apache-2.0
"""An actor's own program: it speaks HTTP with the platform that runs, by a key of its account."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from lingqu import trust
from lingqu.cli.story import Stage
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id

_TIMEOUT_S = 60


class HttpMachine:
    """Sends one request after the other over one connection, opened again where it was lost."""

    def __init__(self, address: str, secret: str) -> None:
        """Connect at the first request."""
        found = urlsplit(address)
        self._connection = http.client.HTTPConnection(
            found.hostname or "", found.port, timeout=_TIMEOUT_S
        )
        self._headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}

    def __call__(
        self, method: str, path: str, body: object | None = None, /, **headers: str
    ) -> tuple[int, object]:
        """Send a request and give its status and the JSON (or the text) of the answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | self._headers
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        try:
            answer, content = self._send(method, path, data, sent)
        except (ConnectionError, http.client.HTTPException):
            # The server closes what is idle; every request here can be sent again under its id.
            self._connection.close()
            answer, content = self._send(method, path, data, sent)
        if "json" in (answer.getheader("Content-Type") or ""):
            return answer.status, json.loads(content)
        return answer.status, content

    def _send(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        return answer, answer.read()


def connect(stage: Stage, actor: str) -> HttpMachine:
    """This will give an actor's account a new API key and make its program."""
    secret = Hidden(trust.new_secret())
    trust.execute(
        stage.app.database,
        trust.issue_api_key,
        stage.caller("machine"),
        new_id(trust.CommandId),
        api_key=new_id(trust.ApiKeyId),
        account=stage.account(actor),
        label=stage.cast[actor].name,
        secret=secret,
    )
    return HttpMachine(stage.address, str(secret))
