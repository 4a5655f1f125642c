# SPDX-License-Identifier: Apache-2.0
"""Tables as Excel files: written in constant memory, read back bounded and cell by cell.

Columns have official names, by which they are found in whatever order they come. A text is a text
also when it looks like a formula; a formula in a file that comes in is refused where it stands.
"""

from __future__ import annotations

import enum
import io
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO

from lingqu.kernel import errors

ROWS_MOST = 1_048_575
TEXT_LONGEST = 32_767
FIGURES_MOST = 15
COLUMNS_LOOKED_AT = 256
PROBLEMS_MOST = 500

Cell = str | int | Decimal | date | bool | None
SheetRow = Mapping[str, Cell]

_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001  # the library wants it bare; it is the same always
_FIRST_SERIAL_DAY = date(1900, 3, 1)  # before it, Excel counts a day that never was
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?\Z")
_NUMBER = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{1,30})?\Z")
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_DECLARATIONS = tuple(
    mark.encode(encoding)
    for mark in ("<!DOCTYPE", "<!ENTITY")
    for encoding in ("ascii", "utf-16-le", "utf-16-be")
)
_CHUNK = 1 << 20
# What the library raises on a damaged package; it has no error of its own for most of them.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class NotASheet(errors.Rejected):
    """The file is not an Excel workbook (.xlsx) that can be read."""

    code = "runtime.documents.not_a_sheet"


class SheetTooLarge(errors.Rejected):
    """The file, its unpacked content or the number of its rows is larger than allowed."""

    code = "runtime.documents.sheet_too_large"


class ColumnMissing(errors.Rejected):
    """The table has no column of an official name that is needed."""

    code = "runtime.documents.column_missing"


class ColumnUnknown(errors.Rejected):
    """The table has a column nobody asked for, or the same one twice."""

    code = "runtime.documents.column_unknown"


class BadCell(errors.Rejected):
    """A cell does not hold what its column asks for."""

    code = "runtime.documents.bad_cell"


class CellMissing(errors.Rejected):
    """A cell that must be filled is empty."""

    code = "runtime.documents.cell_missing"


class CellFormula(errors.Rejected):
    """A cell holds a formula, whose value nobody has confirmed."""

    code = "runtime.documents.cell_formula"


class CellKind(enum.Enum):
    """What the cells of a column hold."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DAY = "day"
    FLAG = "flag"  # 是 or 否


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetColumn:
    """A column: its key, its official name, what it holds; `scale` is the decimals of DECIMAL."""

    name: str
    zh: str
    kind: CellKind = CellKind.TEXT
    scale: int = 2
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLimits:
    """How much is taken in from outside."""

    file_bytes: int = 16 << 20
    unpacked_bytes: int = 128 << 20
    rows: int = 100_000
    parts: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetReading:
    """The sound rows, and what is wrong with the others: refusals with `row` and `column`.

    `numbers` are the rows of the sheet in which the sound ones stand; the heading is row 1.
    """

    rows: tuple[SheetRow, ...]
    problems: tuple[errors.Rejected, ...]
    numbers: tuple[int, ...] = ()


DEFAULT_LIMITS = SheetLimits()


def write_sheet(
    target: BinaryIO, *, title: str, columns: Sequence[SheetColumn], rows: Iterable[SheetRow]
) -> int:
    """This will write rows as an Excel workbook and give their number; the same rows, same bytes.

    Raises SheetTooLarge, BadCell or CellMissing; what was written until then is no workbook.
    """
    # Half a second to load: not at the start of every command, only where a workbook is made.
    import xlsxwriter

    book = xlsxwriter.Workbook(
        target,
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
    )
    book.set_properties({"title": title, "created": _CREATED})
    sheet = book.add_worksheet(_sheet_name(title))
    head = book.add_format({
        "bold": True, "bg_color": "#F0F0F0", "border": 1, "align": "center", "text_wrap": True,
    })  # fmt: skip
    writers = [_Writer(book, sheet, at, column) for at, column in enumerate(columns)]
    for at, column in enumerate(columns):
        sheet.set_column(at, at, max(12, min(40, 2 * len(column.zh) + 6)))
        sheet.write_string(0, at, column.zh, head)
    sheet.freeze_panes(1, 0)
    count = 0
    try:
        for row in rows:
            count += 1
            if count > ROWS_MOST:
                raise SheetTooLarge(what="rows", limit=ROWS_MOST)
            for writer in writers:
                writer.write(count, row.get(writer.column.name))
    finally:
        # Closed also when refused: the library keeps its rows in temporary files until then.
        sheet.autofilter(0, 0, count, len(columns) - 1)
        book.close()
    return count


class _Writer:
    """Writes the cells of one column."""

    def __init__(self, book: Any, sheet: Any, at: int, column: SheetColumn) -> None:
        """Make the formats once."""
        self.sheet, self.at, self.column = sheet, at, column
        form = {
            CellKind.DAY: "yyyy-mm-dd",
            CellKind.INTEGER: "0",
            CellKind.DECIMAL: f"0.{'0' * column.scale}" if column.scale else "0",
        }.get(column.kind, "@")
        self.plain = book.add_format({"num_format": form})
        self.text = book.add_format({"num_format": "@"})
        self.quoted = book.add_format({"num_format": "@", "quote_prefix": True})

    def write(self, row: int, value: Cell) -> None:
        """Write one value, or refuse it."""
        if value is None or value == "":
            if not self.column.optional:
                raise CellMissing(row=row + 1, column=self.column.zh)
            return
        match self.column.kind, value:
            case CellKind.TEXT, str():
                self._string(row, value)
            case CellKind.FLAG, bool():
                self._string(row, "是" if value else "否")
            case CellKind.INTEGER, int() if not isinstance(value, bool):
                self._figures(row, Decimal(value))
            case CellKind.DECIMAL, Decimal() if value.is_finite():
                if _scaled(value, self.column.scale) != value:
                    raise self._bad(row)
                self._figures(row, value)
            case CellKind.DAY, date() if not isinstance(value, datetime):
                if value < _FIRST_SERIAL_DAY:
                    self._string(row, value.isoformat())
                else:
                    self.sheet.write_datetime(row, self.at, value, self.plain)
            case _:
                raise self._bad(row)

    def _figures(self, row: int, number: Decimal) -> None:
        # Excel keeps 15 significant figures; a longer number stays whole as a text.
        if len(number.normalize().as_tuple().digits) > FIGURES_MOST or abs(number) >= Decimal(
            10**FIGURES_MOST
        ):
            self._string(row, f"{number:f}")
        else:
            self.sheet.write_number(row, self.at, number, self.plain)

    def _string(self, row: int, text: str) -> None:
        if len(text.encode("utf-16-le", "surrogatepass")) > 2 * TEXT_LONGEST or any(
            unicodedata.category(character) == "Cs" for character in text
        ):
            raise self._bad(row)
        # The prefix keeps it a text also when somebody edits the cell.
        form = self.quoted if text.startswith(_STARTS_FORMULA) else self.text
        self.sheet.write_string(row, self.at, text, form)

    def _bad(self, row: int) -> BadCell:
        return BadCell(row=row + 1, column=self.column.zh, expected=self.column.kind.value)


def read_sheet(
    content: bytes, *, columns: Sequence[SheetColumn], limits: SheetLimits = DEFAULT_LIMITS
) -> SheetReading:
    """This will read the first sheet of a workbook by the official names in its first row.

    Raises NotASheet, SheetTooLarge, ColumnMissing or ColumnUnknown. A row that is not sound is not
    among the rows; its problems name row and column. Empty rows are passed over.
    """
    import openpyxl  # loaded where a workbook is read, for the same reason

    _inspect(content, limits)
    book = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about extensions that are not read
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # what the file says of its own size is not believed
            lines = sheet.iter_rows(max_row=limits.rows + 2, max_col=COLUMNS_LOOKED_AT)
            return _read(lines, columns, limits)
    except _DAMAGE as error:
        raise NotASheet(detail=type(error).__name__) from None
    finally:
        if book is not None:
            book.close()


def _inspect(content: bytes, limits: SheetLimits) -> None:
    """Refuse what is too large when unpacked, or declares types, before a parser sees it."""
    if len(content) > limits.file_bytes:
        raise SheetTooLarge(what="file", limit=limits.file_bytes)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            parts = package.infolist()
            if len(parts) > limits.parts:
                raise SheetTooLarge(what="parts", limit=limits.parts)
            # Python unpacks no more of a part than is declared here.
            if sum(part.file_size for part in parts) > limits.unpacked_bytes:
                raise SheetTooLarge(what="unpacked", limit=limits.unpacked_bytes)
            names = {part.filename for part in parts}
            if len(names) != len(parts) or "xl/workbook.xml" not in names:
                raise NotASheet(detail="parts")
            for part in parts:
                _search(package, part)
    except _DAMAGE as error:
        raise NotASheet(detail=type(error).__name__) from None


def _search(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    if part.flag_bits & 1 or part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise NotASheet(detail="package")
    if not part.filename.lower().endswith((".xml", ".rels", ".vml")):
        return
    before = b""
    with package.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            piece = before + chunk
            if any(mark in piece for mark in _DECLARATIONS):
                raise NotASheet(detail="DOCTYPE")
            before = piece[-32:]


def _read(
    lines: Iterator[tuple[Any, ...]], columns: Sequence[SheetColumn], limits: SheetLimits
) -> SheetReading:
    places = _places(next(lines, ()), columns)
    rows: list[SheetRow] = []
    numbers: list[int] = []
    problems: list[errors.Rejected] = []
    for number, cells in enumerate(lines, 2):
        if all(_is_empty(cell) for cell in cells):
            continue
        if number > limits.rows + 1:
            raise SheetTooLarge(what="rows", limit=limits.rows)
        row: dict[str, Cell] = {}
        sound = True
        for column, at in places:
            try:
                row[column.name] = _value(cells[at] if at < len(cells) else None, column, number)
            except errors.Rejected as problem:
                problems.append(problem)
                sound = False
        if sound:
            rows.append(row)
            numbers.append(number)
        if len(problems) >= PROBLEMS_MOST:
            break
    return SheetReading(
        rows=tuple(rows), problems=tuple(problems[:PROBLEMS_MOST]), numbers=tuple(numbers)
    )


def _places(
    heads: tuple[Any, ...], columns: Sequence[SheetColumn]
) -> tuple[tuple[SheetColumn, int], ...]:
    known = {column.zh: column for column in columns}
    found: dict[str, int] = {}
    for at, cell in enumerate(heads):
        if _is_empty(cell):
            continue
        name = _unescaped(str(cell.value)).strip()
        if name not in known or name in found:
            raise ColumnUnknown(column=name[:60], known="、".join(known))
        found[name] = at
    for column in columns:
        if column.zh not in found and not column.optional:
            raise ColumnMissing(column=column.zh)
    return tuple((known[name], at) for name, at in found.items())


def _value(cell: Any, column: SheetColumn, row: int) -> Cell:
    if cell is None or _is_empty(cell):
        if column.optional:
            return None
        raise CellMissing(row=row, column=column.zh)
    if cell.data_type == "f":
        raise CellFormula(row=row, column=column.zh)
    value = _unescaped(cell.value) if isinstance(cell.value, str) else cell.value
    read: Cell = None
    match column.kind:
        case CellKind.TEXT:
            read = _as_text(value)
        case CellKind.INTEGER | CellKind.DECIMAL:
            number = _as_number(value, 0 if column.kind is CellKind.INTEGER else column.scale)
            read = int(number) if number is not None and column.kind is CellKind.INTEGER else number
        case CellKind.DAY:
            read = _as_day(value)
        case CellKind.FLAG:
            known: dict[object, bool] = {"是": True, "否": False}
            read = value if isinstance(value, bool) else known.get(str(value).strip())
    if read is None or cell.data_type == "e":
        raise BadCell(row=row, column=column.zh, expected=column.kind.value)
    return read


def _is_empty(cell: Any) -> bool:
    return cell is None or cell.value is None or cell.value == ""


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Excel turns digits somebody typed into a number.
        return f"{value:.15g}" if abs(value) < 10**FIGURES_MOST else None
    return None


def _as_number(value: object, scale: int) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        # A float is what Excel keeps; 15 figures are what the person saw.
        value = f"{value:.15g}"
    if not isinstance(value, str):
        return None
    text = value.strip().replace(",", "")
    try:
        number = Decimal(text) if _NUMBER.match(text) or "e" in text else None
        return number if number is not None and _scaled(number, scale) == number else None
    except InvalidOperation:
        return None


def _scaled(number: Decimal, scale: int) -> Decimal | None:
    """The number cut to `scale` decimals; None where it is out of all bounds."""
    if abs(number.adjusted()) > 100:
        return None if number else number
    digits = number.as_tuple()
    assert isinstance(digits.exponent, int), "finite"
    excess = -digits.exponent - scale
    if excess <= 0:
        return number
    return number if all(figure == 0 for figure in digits.digits[-excess:]) else None


def _as_day(value: object) -> date | None:
    if isinstance(value, datetime):
        midnight = value.time().isoformat() == "00:00:00"
        return value.date() if midnight else None
    if isinstance(value, date):
        return value
    match = _DAY.match(value.strip()) if isinstance(value, str) else None
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def _sheet_name(title: str) -> str:
    name = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", title).strip(" '")[:31].strip(" '")
    return name or "Sheet1"


def _unescaped(text: str) -> str:
    """Give back the characters that a workbook writes as `_x000D_`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
