# SPDX-License-Identifier: Apache-2.0
"""Saved views: filters and order of a list under a name, kept in the visitor's own browser.

They say what somebody looks for, which may be a person's name; so they are not kept here.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from lingqu.kernel.time import Instant
from lingqu.ui.forms import local_path
from lingqu.ui.rendering import SavedView

COOKIE = "lingqu_views"
SEEN_COOKIE = "lingqu_seen"
"""Until when somebody has seen what moved in their matters, in seconds."""
VIEWS_MAX = 12
NAME_MAX = 30
QUERY_MAX = 200
_BYTES_MAX = 3500


def read_views(cookie: str | None) -> tuple[SavedView, ...]:
    """This will read the views a browser sends; what is not sound is left out."""
    try:
        packed = json.loads(base64.urlsafe_b64decode((cookie or "").encode()))
        found = [make_view(str(path), str(name), str(query)) for path, name, query in packed]
    except (ValueError, TypeError, RecursionError):
        return ()
    return tuple(one for one in found if one is not None)[:VIEWS_MAX]


def read_seen(cookie: str | None) -> Instant | None:
    """This will read until when somebody has looked; None where the browser does not say."""
    text = cookie or ""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def make_view(path: str, name: str, query: str) -> SavedView | None:
    """This will make a view of a list of ours; None where it says nothing or leads elsewhere."""
    plain = "".join(one for one in name if one.isprintable()).strip()[:NAME_MAX]
    try:
        asked = parse_qsl(query[:QUERY_MAX], max_num_fields=20)
    except ValueError:
        return None
    kept = urlencode([(key, value) for key, value in asked if key not in {"page", "format"}])
    if not plain or not kept or local_path(path) != path or "?" in path:
        return None
    return SavedView(path=path[:100], name=plain, query=kept)


def pack_views(views: tuple[SavedView, ...]) -> str:
    """This will write views for a cookie; the oldest give way where they do not fit."""
    kept = [(one.path, one.name, one.query) for one in views[:VIEWS_MAX]]
    packed = _packed(kept)
    while len(packed) > _BYTES_MAX:
        kept.pop()
        packed = _packed(kept)
    return packed


def _packed(kept: list[tuple[str, str, str]]) -> str:
    said = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(said.encode()).decode()
