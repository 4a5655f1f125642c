# SPDX-License-Identifier: Apache-2.0
"""两表比对: two uploaded code books beside each other, and which key joins them safely."""

from __future__ import annotations

import hashlib
import hmac
import io
from dataclasses import dataclass

from litestar import Response, get, post

from lingqu import supply
from lingqu.kernel import errors
from lingqu.runtime import documents
from lingqu.runtime.documents import CellKind, SheetColumn
from lingqu.supply import Comparison, DeliveredTable, KeyBook
from lingqu.ui import tables
from lingqu.ui.forms import Form, Upload
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.uploads import UploadTooLarge, read_kept

PATH = "/supply/compare"
_SHOWN = 200
_SIDES = ("left", "right")
_PARTS = ("key", "name", "parent")
_GUESSES = {
    "key": ("代码", "编码", "编号", "code", "key", "id"),
    "name": ("名称", "姓名", "name", "title"),
    "parent": ("上级", "所属", "父", "parent", "city", "county", "区县"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One uploaded table: what it is called, its columns, and the mark that finds it again."""

    name: str
    mark: str
    columns: tuple[str, ...]
    chosen: dict[str, str]
    rows: int


@get(PATH, sync_to_thread=True)
def compare_page(desk: FromDesk) -> Response[str]:
    """This will ask for two tables."""
    desk.require()
    return _show(desk)


@post(PATH, sync_to_thread=True)
def compare(desk: FromDesk, form: FromForm) -> Response[str] | Response[bytes]:
    """This will compare two tables on the columns that were chosen or stand to reason."""
    desk.require()
    try:
        read = [_table(desk, form, side) for side in _SIDES]
        sides = [
            _side(form, side, table, mark) for side, (table, mark) in zip(_SIDES, read, strict=True)
        ]
        books = [
            KeyBook(
                table=table,
                key=side.chosen["key"],
                name=side.chosen["name"],
                parent=side.chosen["parent"],
            )
            for side, (table, _) in zip(sides, read, strict=True)
        ]
        found = supply.compare_tables(books[0], books[1])
    except (errors.Rejected, errors.NotFound) as refusal:
        return _show(desk, refusal=refusal)
    if form.maybe("format") == "xlsx":
        return _sheet(found)
    return _show(desk, sides=sides, found=found)


def _table(desk: Desk, form: Form, side: str) -> tuple[DeliveredTable, str]:
    """The table of one side, uploaded now or a moment ago by the same browser."""
    file = form.file(side)
    most = desk.platform.settings.upload_bytes_max
    if file is not None and file.content:
        if len(file.content) > most:
            raise UploadTooLarge(most=most)
        kept = desk.platform.blobs.put(file.content, limit_bytes=most)
        mark = f"{kept.sha256}.{kept.size}.{_seal(desk, kept.sha256, kept.size)}"
    else:
        mark = form.maybe(f"{side}_mark") or ""
        file = _kept(desk, mark, form.maybe(f"{side}_name") or side)
    if file is None:
        raise FormIncomplete(field=desk.text(f"ui.compare.{side}"))
    return supply.parse_table(file.name[:100], file.content), mark


def _kept(desk: Desk, mark: str, name: str) -> Upload | None:
    """A digest alone opens nothing: the seal says that this session uploaded the content."""
    sha256, _, rest = mark.partition(".")
    size, _, seal = rest.partition(".")
    if not (size.isascii() and size.isdigit() and len(size) < 12):
        return None
    if not hmac.compare_digest(seal.encode(), _seal(desk, sha256, int(size)).encode()):
        return None
    return Upload(name=name, content=read_kept(desk.platform, sha256=sha256, size=int(size)))


def _seal(desk: Desk, sha256: str, size: int) -> str:
    said = f"lingqu compare {sha256} {size}".encode()
    return hmac.new(desk.visit.csrf.encode(), said, hashlib.sha256).hexdigest()


def _side(form: Form, side: str, table: DeliveredTable, mark: str) -> Side:
    chosen = {}
    for place, part in enumerate(_PARTS):
        given = form.maybe(f"{side}_{part}")
        chosen[part] = given if given in table.columns else _guess(table.columns, part, place)
    return Side(
        name=table.name, mark=mark, columns=table.columns, chosen=chosen, rows=len(table.rows)
    )


def _guess(columns: tuple[str, ...], part: str, place: int) -> str:
    """The column whose head says what it is, the upper ones last; else the one at that place."""
    upper = _GUESSES["parent"]
    for word in _GUESSES[part]:
        for column in columns:
            plain = column.casefold()
            if word in plain and (part == "parent" or not any(one in plain for one in upper)):
                return column
    return columns[min(place, len(columns) - 1)]


def _show(
    desk: Desk,
    *,
    sides: list[Side] | None = None,
    found: Comparison | None = None,
    refusal: errors.LingquError | None = None,
) -> Response[str]:
    return desk.show(
        "supply/compare.html",
        status=200 if refusal is None else status_of(refusal),
        sides=() if sides is None else tuple(zip(_SIDES, sides, strict=True)),
        parts=_PARTS,
        found=found,
        shown=_SHOWN,
        refusal=desk.explain(refusal),
    )


_SHEET = (
    SheetColumn(name="kind", zh="差异类别"),
    SheetColumn(name="key", zh="代码"),
    SheetColumn(name="left", zh="甲表名称", optional=True),
    SheetColumn(name="right", zh="乙表名称", optional=True),
    SheetColumn(name="left_elsewhere", zh="甲表名称在乙表的代码", optional=True),
    SheetColumn(name="right_elsewhere", zh="乙表名称在甲表的代码", optional=True),
    SheetColumn(name="parent", zh="上级", optional=True),
    SheetColumn(name="swapped", zh="名称错位", kind=CellKind.FLAG, optional=True),
)


def _sheet(found: Comparison) -> Response[bytes]:
    conflicts = [
        {
            "kind": "同码异名",
            "key": one.key,
            "left": one.left_name,
            "right": one.right_name,
            "left_elsewhere": one.left_elsewhere,
            "right_elsewhere": one.right_elsewhere,
            "swapped": one.left_elsewhere is not None,
        }
        for one in found.conflicts
    ]
    alone = [
        {"kind": kind, "key": one.key, side: one.name, "parent": one.parent}
        for kind, side, rows in (
            ("仅甲表有", "left", found.left_only),
            ("仅乙表有", "right", found.right_only),
        )
        for one in rows
    ]
    target = io.BytesIO()
    documents.write_sheet(target, title="两表比对", columns=_SHEET, rows=[*conflicts, *alone])
    return tables.file_answer(target.getvalue(), name="两表比对.xlsx", media_type=tables.XLSX)
