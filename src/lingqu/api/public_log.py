# SPDX-License-Identifier: Apache-2.0
"""The public log as static files (C2SP tlog-tiles), for witnesses and everyone who verifies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from litestar import MediaType, Response, get
from litestar.params import FromPath

from lingqu.api.refusals import LogFileNotFound
from lingqu.api.writes import FromPlatform

_SHAPE = re.compile(
    r"[0-9]{1,6}/(checkpoint"
    r"|tile/(entries|[0-9]{1,2})/([x0-9]{1,4}/){0,8}[0-9]{1,3}(\.p/[0-9]{1,3})?"
    r"|keys/[A-Za-z0-9][A-Za-z0-9._-]{0,120})\Z"
)
IMMUTABLE = "public, max-age=31536000, immutable"


def find_log_file(logs: Path, name: str) -> Path:
    """This will find a published file by its path below the folder of all logs.

    Only the shapes of checkpoints, tiles and keys exist here, so a path leads nowhere else; links
    are not followed out of the folder. Raises LogFileNotFound.
    """
    if not _SHAPE.match(name):
        raise LogFileNotFound(path=name[:80])
    found = (logs / name).resolve()
    if not found.is_relative_to(logs.resolve()) or not found.is_file():
        raise LogFileNotFound(path=name[:80])
    return found


@get("/log/{name:path}", sync_to_thread=True, include_in_schema=False)
def log_file(platform: FromPlatform, name: FromPath[str]) -> Response[bytes]:
    """This will give a file of the public log; full tiles never change, a checkpoint does."""
    name = name.lstrip("/")
    content = find_log_file(platform.log_directory.parent, name).read_bytes()
    is_text = "/checkpoint" in name or "/keys/" in name
    return Response(
        content,
        media_type=MediaType.TEXT if is_text else "application/octet-stream",
        headers=_headers(name),
    )


def _headers(name: str) -> dict[str, Any]:
    lasting = "/tile/" in name or "/keys/" in name
    return {
        "cache-control": IMMUTABLE if lasting else "no-cache",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }
