# SPDX-License-Identifier: Apache-2.0
"""The closed set of types the engine carries, and how names and types are written into SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lingqu.runtime.engine.refusals import BadDeclaration, UnsupportedType

NAME_LONGEST = 128
INSTANT = "TIMESTAMP WITH TIME ZONE"

_DECIMAL = re.compile(r"DECIMAL\((\d{1,2}),(\d{1,2})\)\Z")
_ALIASES = {
    "TIMESTAMPTZ": INSTANT,
    "INT": "INTEGER",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    "BOOL": "BOOLEAN",
    "INSTANT": INSTANT,
}
INTEGERS = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
    "HUGEINT": (-(2**127), 2**127 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, 2**64 - 1),
    "UHUGEINT": (0, 2**128 - 1),
}
_DELTA = {
    "BOOLEAN": "boolean", "TINYINT": "byte", "SMALLINT": "short", "INTEGER": "integer",
    "BIGINT": "long", "DOUBLE": "double", "VARCHAR": "string", "BLOB": "binary",
    "DATE": "date", INSTANT: "timestamp",
}  # fmt: skip
_ANSWERS = {*INTEGERS, *_DELTA, "FLOAT", "TIMESTAMP"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column with its type as the engine writes it: `BIGINT`, `DECIMAL(18,2)`, `VARCHAR` ...

    Short forms (`INT`, `TEXT`, `TIMESTAMPTZ`) become the engine's own. Raises UnsupportedType or
    BadDeclaration.
    """

    name: str
    type: str

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "type", known_type(self.type, column=self.name))


def known_type(written: str, *, column: str) -> str:
    """This will give the engine's own spelling of a type. Raises UnsupportedType."""
    spelled = " ".join(written.upper().split()).replace(", ", ",").replace(" (", "(")
    spelled = _ALIASES.get(spelled, spelled)
    if spelled in _ANSWERS or _is_decimal(spelled):
        return spelled
    raise UnsupportedType(column=column, type=written[:80])


def _is_decimal(spelled: str) -> bool:
    found = _DECIMAL.match(spelled)
    return found is not None and 1 <= int(found[1]) <= 38 and int(found[2]) <= int(found[1])


def decimal_places(spelled: str) -> tuple[int, int] | None:
    """This will give precision and scale of a decimal type; None for any other."""
    found = _DECIMAL.match(spelled)
    return (int(found[1]), int(found[2])) if found else None


def delta_type(column: Column) -> str:
    """This will give the type a Delta table stores a column as. Raises UnsupportedType.

    Integers beyond 64 bits are stored as `DECIMAL(38,0)`; the caller has to say so.
    """
    if places := decimal_places(column.type):
        return f"decimal({places[0]},{places[1]})"
    if column.type not in _DELTA:
        raise UnsupportedType(column=column.name, type=column.type)
    return _DELTA[column.type]


def engine_type(stored: str) -> str:
    """This will give the engine's type for a Delta table's. Raises UnsupportedType."""
    back = {there: here for here, there in _DELTA.items()}
    return back.get(stored) or known_type(stored, column="")


def check_name(name: str) -> str:
    """This will give the name back when it can name a table or column. Raises BadDeclaration."""
    if not 0 < len(name) <= NAME_LONGEST or not name.isprintable():
        raise BadDeclaration(what="name", given=repr(name)[:80])
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadDeclaration(what="name", given=repr(name)[:80]) from None
    return name


def quoted(name: str) -> str:
    """This will write a name as a quoted identifier, whatever is in it."""
    return '"' + check_name(name).replace('"', '""') + '"'


def literal(text: str) -> str:
    """This will write a text of ours, a path or an option, as a literal."""
    return "'" + text.replace("'", "''") + "'"


def view_of(name: str, columns: Sequence[Sequence[str]], paths: Sequence[str]) -> str:
    """This will write a view of columns (name, type) over Parquet files, empty without a file."""
    if not paths:
        empty = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(column)}" for column, kind in columns)
        return f"CREATE VIEW {quoted(name)} AS SELECT {empty} WHERE false"
    cells = ", ".join(f"CAST({quoted(one)} AS {kind}) AS {quoted(one)}" for one, kind in columns)
    source = f"read_parquet([{', '.join(map(literal, paths))}])"
    return f"CREATE VIEW {quoted(name)} AS SELECT {cells} FROM {source}"  # noqa: S608  # quoted names


def check_columns(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """This will refuse no columns, and names that the engine, blind to case, takes for one."""
    names = {column.name.casefold() for column in columns}
    if not columns or len(names) != len(columns):
        raise BadDeclaration(what="columns", given=str(len(columns)))
    return columns
