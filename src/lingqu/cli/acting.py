# SPDX-License-Identifier: Apache-2.0
"""How the command line acts: as the local administrator, by commands that can be sent again.

The id of a thing that a command makes is the command's own id in another form, so that sending the
same `--id` again means the same thing and not another one.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import click

from lingqu import trust
from lingqu.cli.grammar import option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import table
from lingqu.cli.values import IdType
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import SIZE_MAX, Page, PageRequest
from lingqu.runtime import Caller, Tx, new_id
from lingqu.runtime.blobs import storage_errors
from lingqu.runtime.settings import Settings
from lingqu.wiring import App, open_app

P = ParamSpec("P")
R = TypeVar("R")
SomeId = TypeVar("SomeId", bound=Id)
Function = TypeVar("Function", bound=Callable[..., Any])

COMMAND_ID = IdType(trust.CommandId)


def can_be_repeated(function: Function) -> Function:
    """This will give a command that changes something the option `--id`."""
    return option("--id", "command_id", type=COMMAND_ID)(function)


def paged(function: Function) -> Function:
    """This will give a command that lists the options `--limit` and `--after`."""
    limit = option("--limit", type=click.IntRange(1, SIZE_MAX), default=50, show_default=True)
    return limit(option("--after", metavar="…")(function))


def page_of(limit: int, after: str | None) -> PageRequest:
    """This will make the page that was asked for."""
    return PageRequest(size=limit, after=after)


def listed(
    run: Invocation,
    page: Page[Any],
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    empty: str = "list.empty",
) -> None:
    """This will answer with one page of a list: its things, or a table of `rows` under `heads`."""
    run.answer(
        {"items": plain_data(page.items), "next": page.next},
        [*(table(heads, rows) if rows else [run.word(empty)]), *more(run, page.next)],
    )


def more(run: Invocation, cursor: str | None) -> list[str]:
    """This will say how to see the page after this one."""
    return [] if cursor is None else ["", run.word("list.more", after=cursor)]


def caller(run: Invocation) -> Caller:
    """This will give who acts here: whoever works on the machine, with this run's correlation."""
    return replace(trust.LOCAL_ADMINISTRATOR, correlation=run.correlation)


class NothingHere(errors.NotFound):
    """There is no installation in this data folder."""

    code = "cli.installation.none"


def refuse_without_installation(settings: Settings) -> None:
    """This will refuse a data folder that holds no installation, before anything is made there.

    Raises NothingHere, StorageUnavailable.
    """
    if settings.database_url is not None:
        return
    with storage_errors(settings.data_dir):
        try:
            there = stat.S_ISREG((settings.data_dir / "postgres.json").stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            there = False
    if not there:
        raise NothingHere(folder=str(settings.data_dir))


@contextmanager
def opened(run: Invocation, settings: Settings | None = None) -> Iterator[App]:
    """This will open the installation, beside a running platform or alone."""
    chosen_settings = settings or run.settings()
    refuse_without_installation(chosen_settings)
    with open_app(chosen_settings) as app:
        yield app


@contextmanager
def reading(run: Invocation) -> Iterator[tuple[App, Tx]]:
    """This will open the installation and a read-only transaction as the administrator."""
    with opened(run) as app, app.database.reading(caller(run)) as tx:
        yield app, tx


def chosen(run: Invocation, given: trust.CommandId | None) -> trust.CommandId:
    """This will take the command id that was given, or make one."""
    command = given if given is not None else new_id(trust.CommandId)
    run.command = command
    return command


def made_by(command: trust.CommandId, kind: type[SomeId]) -> SomeId:
    """This will give the id of the thing a command makes."""
    return kind.of(command.uuid)


def act(
    run: Invocation,
    app: App,
    what: trust.Command[P, R],
    command: trust.CommandId,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """This will do a command as the local administrator."""
    return trust.execute(app.database, what, caller(run), command, *args, **kwargs)


def do(
    run: Invocation,
    what: trust.Command[P, R],
    command: trust.CommandId,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """This will open the installation and do one command there."""
    with opened(run) as app:
        return act(run, app, what, command, *args, **kwargs)
