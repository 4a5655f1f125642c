# SPDX-License-Identifier: Apache-2.0
"""How a run ends that could not do what was asked: words, exit status, and never a traceback."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import click

from lingqu.cli.invocation import Invocation, json_text
from lingqu.cli.text import plain, terminal_width, wrapped
from lingqu.kernel.errors import LingquError
from lingqu.runtime.i18n import explain
from lingqu.runtime.observability import configure_logging, get_logger

OK, FINDINGS, USAGE, INTERNAL, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 70, 130, 141
FAMILY_STATUS: Mapping[str, int] = MappingProxyType({
    "rejected": 3,
    "not_found": 4,
    "forbidden": 5,
    "conflict": 6,
    "unavailable": 7,
})  # fmt: skip
"""The exit status of each family of refusals."""


class Found(click.exceptions.Exit):
    """A check ran to its end and found something: exit status 1."""

    def __init__(self) -> None:
        super().__init__(FINDINGS)


def refuse(run: Invocation, error: LingquError) -> int:
    """This will say what was refused and what to do now, and give the exit status."""
    words = explain(error, run.language)
    # Only then it may be unknown whether the command was done.
    unsure = run.command if error.family == "unavailable" else None
    status = FAMILY_STATUS.get(error.family, INTERNAL)
    document = {
        "error": {
            "code": words.code,
            "family": words.family,
            "title": words.title,
            "next_step": words.next_step,
            "article": words.article,
            "parameters": dict(error.parameters),
            **({} if unsure is None else {"command": unsure}),
        }
    }
    next_step = words.next_step
    if unsure is not None:
        next_step += "\n" + run.word("command.again", command=unsure)
    _show(run, document, words.title, next_step, words.code, words.article)
    return status


def misuse(run: Invocation, error: click.ClickException) -> int:
    """This will say what is wrong with the command line itself, and give exit status 2."""
    title = _misuse_text(run, error)
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "lingqu"
    next_step = run.word("usage.see_help", command=path)
    code = "cli.usage"
    document = {"error": {"code": code, "family": "usage", "title": title, "next_step": next_step}}
    _show(run, document, title, next_step, code, None)
    return USAGE


def break_down(run: Invocation, error: BaseException) -> int:
    """This will write an unexpected error to a file and say in one line where; gives 70."""
    place = _keep_trace(run, error)
    title = run.word("internal", correlation=run.correlation, place=place)
    document = {
        "error": {
            "code": "cli.internal",
            "family": "internal",
            "title": title,
            "parameters": {"correlation": run.correlation, "log": place},
        }
    }
    if run.as_json and not run.answered:
        sys.stdout.write(json_text(document) + "\n")
    else:
        sys.stderr.write(f"✗ {title}\n")
    if run.debug:
        traceback.print_exception(error)
    return INTERNAL


def _show(
    run: Invocation,
    document: object,
    title: str,
    next_step: str,
    code: str,
    article: str | None,
) -> None:
    if run.as_json and not run.answered:
        sys.stdout.write(json_text(document) + "\n")
        sys.stdout.flush()
        return
    columns = terminal_width()
    lines = wrapped(f"✗ {plain(title)}", columns, indent="  ")
    if next_step:
        for step in next_step.split("\n"):
            lines += wrapped(f"  → {plain(step)}", columns, indent="    ")
    tail = f"  {run.word('refusal.code', value=code)}"
    if article:
        tail += "  " + run.word("refusal.article", value=article)
    sys.stderr.write("\n".join([*lines, tail]) + "\n")
    sys.stderr.flush()


def _misuse_text(run: Invocation, error: click.ClickException) -> str:
    match error:
        case click.NoSuchOption():
            near = ", ".join(error.possibilities or ())
            return _near(run, "no_such_option", error.option_name, near)
        case click.exceptions.NoSuchCommand():
            near = ", ".join(error.possibilities or ())
            return _near(run, "no_such_command", error.command_name, near)
        case click.MissingParameter():
            return run.word("usage.missing", name=_name(error))
        case click.BadParameter():
            return _bad_value(run, error)
        case click.BadOptionUsage():
            return run.word("usage.bad_option", name=error.option_name)
        case click.UsageError() if error.ctx is not None and isinstance(
            error.ctx.command, click.Group
        ):
            return run.word("usage.missing_command")
        case _:
            words = error.format_message().partition("(")[2].rstrip(").")
            return run.word("usage.extra", words=words) if words else error.format_message()


def _near(run: Invocation, code: str, name: str, near: str) -> str:
    return run.word(f"usage.{code}{'_near' if near else ''}", name=name, near=near)


def _bad_value(run: Invocation, error: click.BadParameter) -> str:
    kind = error.param.type if error.param is not None else None
    if isinstance(kind, click.Choice):
        allowed = " | ".join(map(str, kind.choices))
        return run.word("usage.choice", name=_name(error), allowed=allowed)
    if isinstance(kind, click.IntRange):
        allowed = f"{kind.min if kind.min is not None else ''} .. "
        allowed += f"{kind.max if kind.max is not None else ''}"
        return run.word("usage.number", name=_name(error), allowed=allowed.strip())
    return run.word("usage.bad_value", name=_name(error), detail=error.message)


def _name(error: click.BadParameter) -> str:
    parameter = error.param
    if parameter is None:
        return ""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.make_metavar(error.ctx or click.Context(click.Command("lingqu")))


def _keep_trace(run: Invocation, error: BaseException) -> str:
    """The file the error was written to: in the data folder if it can be, else a temporary one."""
    name = f"lingqu-{run.correlation}.log"
    folders = [] if run.home is None else [run.home / "errors"]
    for folder in (*folders, Path(tempfile.gettempdir())):
        try:
            if folder.parent.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
            with (folder / name).open("x", encoding="utf-8", errors="backslashreplace") as stream:
                configure_logging("json", "debug", stream=stream)
                get_logger(__name__).error(
                    "cli.failed", correlation=run.correlation, exc_info=error
                )
                configure_logging(stream=sys.stderr)
            return str(folder / name)
        except OSError:
            continue
    return "-"
