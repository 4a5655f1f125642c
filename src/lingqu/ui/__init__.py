# SPDX-License-Identifier: Apache-2.0
"""The platform for people: pages that work without script, in Chinese and English.

`Pages` is one ASGI part. A handler makes one command call, or some reads, at its `Desk`, and shows
a template; texts come from the catalogs by code; forms are read and checked for the session's
token before any handler. Start reading in `rendering`, then `app`, `pages`.
"""

from lingqu.ui.app import UPLOAD_PATHS, Pages

__all__ = ("UPLOAD_PATHS", "Pages")
