# SPDX-License-Identifier: Apache-2.0
"""The static files of the pages: named by their content, compressed once, cached for ever."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from lingqu.ui.refusals import PageNotFound

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file as it is served; `packed` is gzip, for browsers that take it."""

    url: str
    media_type: str
    content: bytes
    packed: bytes


def _load() -> Mapping[str, Asset]:
    found: dict[str, Asset] = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _TYPES and path.is_file():
            content = path.read_bytes()
            name = path.relative_to(FOLDER).as_posix()
            mark = hashlib.sha256(content).hexdigest()[:16]
            found[name] = Asset(
                url=f"/static/{mark}/{name}",
                media_type=_TYPES[path.suffix],
                content=content,
                packed=gzip.compress(content, 9, mtime=0),
            )
    return MappingProxyType(found)


ASSETS = _load()
"""Every file by its path below `static`."""
_BY_URL = {asset.url: asset for asset in ASSETS.values()}


def asset_url(name: str) -> str:
    """This will give the address of a static file; a name that is none is a mistake."""
    return ASSETS[name].url


@get("/static/{name:path}", sync_to_thread=False)
def static_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """This will serve a static file under the address that names its content."""
    asset = _BY_URL.get(f"/static/{name.lstrip('/')}")
    if asset is None:
        raise PageNotFound
    return _answer(asset, request, IMMUTABLE)


@get("/favicon.ico", sync_to_thread=False)
def favicon(request: Request[Any, Any, Any]) -> Response[bytes]:
    """This will give the logo to browsers that ask for an icon by its old name."""
    return _answer(ASSETS["logo.svg"], request, "public, max-age=86400")


def _answer(asset: Asset, request: Request[Any, Any, Any], cached: str) -> Response[bytes]:
    headers = {"cache-control": cached, "vary": "accept-encoding"}
    packed = "gzip" in request.headers.get("accept-encoding", "")
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(
        asset.packed if packed else asset.content, media_type=asset.media_type, headers=headers
    )
