# SPDX-License-Identifier: Apache-2.0
"""Hides how another installation is called: one bounded JSON request, and what it refused.

Redirections are not followed, proxies of the environment are not used, and nothing large is read.
A refusal of the other side comes back as a refusal with its code; whatever else goes wrong is
unavailability, so that the caller may ask again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from lingqu.kernel import errors

TIMEOUT_S = 20
BYTES_MAX = 1024 * 1024
_STATUSES = range(400, 500)


class RemoteUnavailable(errors.Unavailable):
    """The other installation does not answer, or not with what was agreed."""

    code = "runtime.remote.unavailable"


class RemoteRefused(errors.Rejected):
    """The other installation refused the request, with a code of its own."""

    code = "runtime.remote.refused"


def call_remote(
    method: Literal["GET", "POST"],
    address: str,
    *,
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    transport: httpx.BaseTransport | None = None,
) -> dict[str, Any]:
    """This will make one request and give the JSON object that came back.

    Raises RemoteRefused with the other side's `refusal` code, RemoteUnavailable.
    """
    host = urlsplit(address).hostname or ""
    try:
        with (
            httpx.Client(
                timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, transport=transport
            ) as client,
            client.stream(method, address, json=body, headers=headers) as answer,
        ):
            content = bytearray()
            for part in answer.iter_bytes():
                content += part
                if len(content) > BYTES_MAX:
                    raise RemoteUnavailable(host=host, detail="size")
            status = answer.status_code
        found = json.loads(bytes(content))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RemoteUnavailable(host=host, detail=type(error).__name__) from None
    except (ValueError, RecursionError):
        raise RemoteUnavailable(host=host, detail="json") from None
    if not isinstance(found, dict):
        raise RemoteUnavailable(host=host, detail="json")
    if status in _STATUSES and isinstance(found.get("code"), str):
        raise RemoteRefused(host=host, status=status, refusal=found["code"][:80])
    if status // 100 != 2:
        raise RemoteUnavailable(host=host, detail=str(status))
    return found
