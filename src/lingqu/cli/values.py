# SPDX-License-Identifier: Apache-2.0
"""What the words of a command line become: ids, instants, members of a closed list.

A word that is not one raises the refusal of the thing itself, with its own code.
"""

from __future__ import annotations

import enum
import json
from datetime import date
from pathlib import Path
from typing import Generic, TypeVar

import click

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant, parse_instant
from lingqu.kernel.values import from_plain
from lingqu.runtime.calendar import parse_day

SomeId = TypeVar("SomeId", bound=Id)
SomeEnum = TypeVar("SomeEnum", bound=enum.Enum)
SomeValue = TypeVar("SomeValue")


FILE_BYTES_MAX = 4 * 1024 * 1024


class NotJson(errors.Rejected):
    """The file cannot be read, is larger than 4 MiB, or is not JSON."""

    code = "cli.file.not_json"


class JsonFile(click.ParamType[SomeValue], Generic[SomeValue]):
    """A value in a JSON file (its plain form); raises NotJson, BadValue."""

    name = "file"

    def __init__(self, kind: type[SomeValue]) -> None:
        """Know what the file holds."""
        self.kind = kind

    def convert(
        self, value: str | SomeValue, param: click.Parameter | None, ctx: click.Context | None
    ) -> SomeValue:
        """This will read the file."""
        if not isinstance(value, str):
            return value
        try:
            with Path(value).open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
            if len(content) > FILE_BYTES_MAX:
                raise NotJson(file=value)
            plain = json.loads(content)
        except (OSError, ValueError, RecursionError):
            raise NotJson(file=value) from None
        return from_plain(self.kind, plain)


class IdType(click.ParamType[SomeId], Generic[SomeId]):
    """An id of one kind; raises BadId."""

    def __init__(self, kind: type[SomeId]) -> None:
        """Know the kind."""
        self.kind = kind
        self.name = f"{kind.prefix}_…"

    def convert(
        self, value: str | SomeId, param: click.Parameter | None, ctx: click.Context | None
    ) -> SomeId:
        """This will check the text."""
        return self.kind(value)


class InstantType(click.ParamType[Instant]):
    """A moment in RFC 3339; raises BadInstant."""

    name = "2026-03-02T08:00:00Z"

    def convert(
        self, value: str | Instant, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        """This will read the text."""
        return value if isinstance(value, Instant) else parse_instant(value)


class DayType(click.ParamType[date]):
    """A local day; raises BadDay."""

    name = "2026-03-02"

    def convert(
        self, value: str | date, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        """This will read the text."""
        return value if isinstance(value, date) else parse_day(value)


class Member(click.Choice, Generic[SomeEnum]):  # type: ignore[type-arg]  # the words are str
    """A member of an enumeration by its value, refused like any word that is not in a list."""

    def __init__(self, kind: type[SomeEnum], *, without: tuple[SomeEnum, ...] = ()) -> None:
        """Offer every member except those of `without`."""
        self.kind = kind
        super().__init__([member.value for member in kind if member not in without])

    def convert(
        self, value: str | SomeEnum, param: click.Parameter | None, ctx: click.Context | None
    ) -> SomeEnum:
        """This will give the member."""
        if isinstance(value, self.kind):
            return value
        return self.kind(super().convert(value, param, ctx))


DAY = DayType()
INSTANT = InstantType()
PATH = click.Path(path_type=Path)
