# SPDX-License-Identifier: Apache-2.0
"""The program `lingqu` as a whole: its commands by name, its language, and how every run ends."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType, MappingProxyType
from typing import NoReturn

import click
from click.shell_completion import shell_complete

from lingqu import __version__
from lingqu.cli.failures import CLOSED_PIPE, INTERRUPTED, OK, break_down, misuse, refuse
from lingqu.cli.grammar import SpokenGroup
from lingqu.cli.invocation import Invocation
from lingqu.kernel.errors import LingquError
from lingqu.runtime.i18n import Language
from lingqu.runtime.observability import configure_logging

COMMANDS: Mapping[str, str] = MappingProxyType({
    "demo": "lingqu.cli.demo:demo",
    "init": "lingqu.cli.installation:init",
    "serve": "lingqu.cli.running:serve",
    "worker": "lingqu.cli.running:worker",
    "status": "lingqu.cli.installation:status",
    "doctor": "lingqu.cli.doctor:doctor",
    "settings": "lingqu.cli.installation:settings",
    "party": "lingqu.cli.parties:party",
    "account": "lingqu.cli.accounts:account",
    "role": "lingqu.cli.accounts:role",
    "key": "lingqu.cli.accounts:key",
    "procedure": "lingqu.cli.procedures:procedure",
    "supply": "lingqu.cli.supply:supply",
    "gate": "lingqu.cli.gate_consents:gate",
    "ledger": "lingqu.cli.ledger:books",
    "market": "lingqu.cli.settlement:market",
    "grant": "lingqu.cli.grants:grant",
    "policy": "lingqu.cli.policies:policy",
    "supervise": "lingqu.cli.supervision:supervise",
    "interop": "lingqu.cli.interop:interop",
    "operation": "lingqu.cli.operating:operation",
    "registry": "lingqu.cli.registry:registry",
    "organization": "lingqu.cli.identities:organization",
    "mandate": "lingqu.cli.identities:mandate",
    "certificate": "lingqu.cli.identities:certificate",
    "link": "lingqu.cli.identities:link",
    "hold": "lingqu.cli.holds:hold",
    "division": "lingqu.cli.divisions:division",
    "fact": "lingqu.cli.facts:fact",
    "document": "lingqu.cli.documents:document",
    "log": "lingqu.cli.log:log",
    "audit": "lingqu.cli.audit:audit",
    "rules": "lingqu.cli.rules:rules",
    "backup": "lingqu.cli.operations:backup",
    "restore": "lingqu.cli.operations:restore",
    "upgrade": "lingqu.cli.operations:upgrade",
    "keys": "lingqu.cli.operations:keys",
    "jobs": "lingqu.cli.jobs:jobs",
    "clock": "lingqu.cli.installation:clock",
    "id": "lingqu.cli.ids:make_id",
    "psql": "lingqu.cli.consoles:psql",
    "shell": "lingqu.cli.consoles:shell",
})  # fmt: skip
"""Each command with the module that is loaded when it is run."""

SECTIONS: Mapping[str, Sequence[str]] = MappingProxyType({
    "begin": ("demo", "init", "serve", "worker", "status", "doctor", "settings"),
    "who": (
        "party", "account", "role", "key", "organization", "mandate", "certificate", "link", "hold",
        "division",
    ),
    "work": ("procedure",),
    "market": (
        "supply", "operation", "registry", "grant", "policy", "gate", "market", "ledger",
        "supervise", "interop",
    ),
    "proof": ("fact", "log", "audit", "document"),
    "law": ("rules",),
    "care": ("backup", "restore", "upgrade", "keys", "jobs", "clock", "id"),
    "inside": ("psql", "shell"),
})  # fmt: skip

_ENGLISH = ("en", "EN")


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's own form
    if value:
        sys.stdout.write(f"lingqu {__version__}\n")
        ctx.exit()


@click.group("lingqu", cls=SpokenGroup, later=COMMANDS, sections=SECTIONS, no_args_is_help=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
def program() -> None:
    """Nothing happens before a command is chosen."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """This will run `lingqu` with the words of the command line and end the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(given: Sequence[str]) -> int:
    """This will run one command line and give its exit status; no error leaves it."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text files here
    asked = os.environ.get("_LINGQU_COMPLETE")
    if asked is not None:
        return shell_complete(program, {}, "lingqu", "_LINGQU_COMPLETE", asked)
    invocation = Invocation(
        language=language_of(given, os.environ),
        correlation=secrets.token_hex(8),
        as_json="--json" in given,
    )
    before = signal.signal(signal.SIGTERM, _terminate)
    # Log lines are rare in an answer; `serve` chooses its own form and level.
    configure_logging("auto", "debug" if "--debug" in given else "error")
    try:
        return _invoke(invocation, given)
    except LingquError as error:
        return refuse(invocation, error)
    except click.ClickException as error:
        return misuse(invocation, error)
    except (KeyboardInterrupt, click.Abort):
        invocation.say()
        invocation.say(invocation.word("interrupted"))
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except Exception as error:  # noqa: BLE001  # the edge: nothing is above it
        return break_down(invocation, error)
    finally:
        signal.signal(signal.SIGTERM, before)


def language_of(given: Sequence[str], environ: Mapping[str, str]) -> Language:
    """This will choose the language: `--lang`, `LINGQU_LANGUAGE`, then the locale; else Chinese."""
    for at, word in enumerate(given):
        if word == "--lang" and at + 1 < len(given):
            return _language(given[at + 1])
        if word.startswith("--lang="):
            return _language(word.partition("=")[2])
    for name in ("LINGQU_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return _language(environ[name])
    return "zh-CN"


def _language(text: str) -> Language:
    return "en" if text.startswith(_ENGLISH) else "zh-CN"


def _invoke(invocation: Invocation, given: Sequence[str]) -> int:
    try:
        with program.make_context("lingqu", list(given), obj=invocation) as context:
            program.invoke(context)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stdout.write(error.ctx.get_help() + "\n")
    except click.exceptions.Exit as end:
        sys.stdout.flush()
        return int(end.exit_code)
    return OK


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM unwinds like any other end, so that half-made files are removed."""
    sys.exit(128 + signal.SIGTERM)
