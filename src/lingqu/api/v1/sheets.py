# SPDX-License-Identifier: Apache-2.0
"""Documents as files over the API: a sheet is rendered after its transaction has ended."""

from __future__ import annotations

from typing import Literal

from litestar import Response

from lingqu import rights
from lingqu.runtime import documents
from lingqu.trust import procedures
from lingqu.wiring import App

FormatName = Literal["docx", "pdf"]


def sheet_file(
    platform: App, sheet: rights.Sheet | procedures.Paper, to: FormatName, *, name: str
) -> Response[bytes]:
    """This will write a document and give it as a file. Raises what rendering raises."""
    made = documents.render(
        sheet.template, sheet.data, to=documents.Format(to), fonts=platform.settings.fonts_dir
    )
    return Response(
        made.content,
        media_type=made.media_type,
        headers={"content-disposition": f'attachment; filename="{name}.{to}"'},
    )
