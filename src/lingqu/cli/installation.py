# SPDX-License-Identifier: Apache-2.0
"""`lingqu init`, `status`, `settings` and `clock`: what this installation is and how it is set."""

from __future__ import annotations

import dataclasses
import os
import socket
import tomllib
from collections.abc import Mapping
from typing import Any

import click

from lingqu import __version__, trust
from lingqu.cli.acting import caller, can_be_repeated, chosen, do, opened
from lingqu.cli.grammar import argument, command, group, option
from lingqu.cli.invocation import Invocation, plain_data, stamp
from lingqu.cli.text import labelled, table
from lingqu.cli.values import INSTANT
from lingqu.kernel.errors import LingquError
from lingqu.kernel.time import Instant
from lingqu.runtime.settings import PREFIX, Settings, key_location
from lingqu.trust.log import LogForked, LogStatus
from lingqu.wiring import App, initialize

_ANSWER_S = 0.5


@command("init")
@option("--story-clock", type=INSTANT)
@option("--origin")
@click.pass_obj
def init(run: Invocation, story_clock: Instant | None, origin: str | None) -> None:
    """Make an installation in the data folder."""
    settings = run.settings(origin=origin)
    with run.step("init.step"):
        made = initialize(settings, story_from=story_clock, origin=settings.origin)
    apart = settings.key_passphrase_file or key_location(settings)
    run.answer(
        {
            "installation": plain_data(made),
            "data_dir": settings.data_dir,
            "key_file": apart,
        },
        lambda: [
            run.word("init.done", folder=str(settings.data_dir)),
            *labelled([
                (run.word("head.installation"), made.id),
                (run.word("head.origin"), made.origin),
                (run.word("head.clock"), run.word(f"clock_kind.{made.clock}")),
                (run.word("head.key_file"), apart),
            ]),
            "",
            run.word("init.key_apart"),
            run.word("init.next"),
        ],
    )  # fmt: skip


@command("status")
@click.pass_obj
def status(run: Invocation) -> None:
    """Say how the installation stands."""
    settings = run.settings()
    with opened(run, settings) as app:
        log = standing(app)
        with app.database.reading(caller(run)) as tx:
            counts = trust.count_facts(tx)
            now = tx.now
        here, postgres = app.installation, app.postgres.version
    serving = _answers(settings)
    document = {
        "version": __version__,
        "data_dir": settings.data_dir,
        "installation": plain_data(here),
        "now": stamp(now),
        "postgres": postgres,
        "serving": serving,
        "facts": counts.facts,
        "refused": counts.refused,
        "log": log_data(log),
    }
    run.answer(
        document,
        lambda: [
            run.word("status.head"),
            *labelled([
                (run.word("head.version"), __version__),
                (run.word("head.data_dir"), settings.data_dir),
                (run.word("head.installation"), here.id),
                (run.word("head.clock"), run.word(f"clock_kind.{here.clock}")),
                (run.word("head.now"), run.moment(now)),
                (run.word("head.postgres"), postgres),
                (run.word("head.serving"), run.word(f"serving.{'yes' if serving else 'no'}")),
                (run.word("head.facts"), counts.facts),
                (run.word("head.refused"), counts.refused),
            ]),
            "",
            *log_lines(run, log),
        ],
    )  # fmt: skip


@command("settings")
@click.pass_obj
def settings(run: Invocation) -> None:
    """Show every setting, its value and where it comes from."""
    loaded = run.settings()
    sources = _sources(run)
    rows = []
    for field in dataclasses.fields(Settings):
        value = getattr(loaded, field.name)
        hidden = field.metadata["secret"] and value is not None
        rows.append({
            "name": field.name,
            "value": "[hidden]" if hidden else plain_data(value),
            "source": sources.get(field.name, "default"),
            "meaning": field.metadata["zh" if run.language == "zh-CN" else "en"],
        })  # fmt: skip

    def lines() -> list[str]:
        cells = [
            (row["name"], _value(row["value"]), run.word(f"source.{row['source']}")) for row in rows
        ]
        return table(run.heads("setting", "value", "source"), cells)

    run.answer({"settings": rows}, lines)


@group("clock")
def clock() -> None:
    """The installation's clock."""


@clock.command("show")
@click.pass_obj
def show_clock(run: Invocation) -> None:
    """Say what moment it is for the installation."""
    with opened(run) as app:
        with app.database.reading(caller(run)) as tx:
            now = tx.now
        kind = app.installation.clock
    run.answer(
        {"clock": kind, "now": stamp(now)},
        labelled([
            (run.word("head.clock"), run.word(f"clock_kind.{kind}")),
            (run.word("head.now"), run.moment(now)),
        ]),
    )  # fmt: skip


@clock.command("move")
@argument("to", type=INSTANT)
@can_be_repeated
@click.pass_obj
def move_clock(run: Invocation, to: Instant, command_id: trust.CommandId | None) -> None:
    """Move a demonstration clock forward."""
    command = chosen(run, command_id)
    now = do(run, trust.move_story_clock, command, to=to)
    run.answer(
        {"command": command, "now": stamp(now)},
        [
            run.word("clock.moved", now=run.moment(now)),
            run.word("command.done", command=command),
        ],
    )


def standing(app: App) -> LogStatus:
    """This will say how the log stands, having asked whether it may be signed at all."""
    forked, trouble = None, None
    try:
        app.sequencer.step(publish=False)
    except LogForked as error:
        forked = error
    except LingquError as error:
        trouble = error.code
    found = app.sequencer.status()
    return dataclasses.replace(
        found, forked=forked or found.forked, trouble=trouble or found.trouble
    )


def log_data(log: LogStatus) -> dict[str, Any]:
    """This will give how the log stands, for machines."""
    return {
        "origin": log.origin,
        "number": log.number,
        "size": log.size,
        "root": None if log.root is None else log.root.hex(),
        "sequenced": log.sequenced,
        "pending": log.pending,
        "checkpoint_at": stamp(log.checkpoint_at),
        "cosigned": [{"witness": one.witness, "size": one.size} for one in log.cosigned],
        "forked": None if log.forked is None else log.forked.code,
        "trouble": log.trouble,
    }


def log_lines(run: Invocation, log: LogStatus) -> list[str]:
    """This will say how the log stands, for people."""
    witnesses = "、".join(f"{one.witness} ({one.size})" for one in log.cosigned)
    lines = [
        run.word("log.head"),
        *labelled([
            (run.word("head.origin"), log.origin),
            (run.word("head.log_number"), log.number),
            (run.word("head.log_size"), log.size),
            (run.word("head.pending"), log.pending),
            (run.word("head.root"), None if log.root is None else log.root.hex()),
            (
                run.word("head.checkpoint"),
                None if log.checkpoint_at is None else run.moment(log.checkpoint_at),
            ),
            (run.word("head.witnesses"), witnesses or run.word("log.no_witness")),
        ]),
    ]  # fmt: skip
    if log.forked is not None:
        lines += ["", run.word("log.forked", known=log.forked.parameters.get("known"))]
    if log.trouble is not None:
        lines += ["", run.word("log.trouble", value=log.trouble)]
    return lines


def _answers(settings: Settings) -> bool:
    """Whether something listens where the platform would."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)  # noqa: S104  # compared, not bound
    try:
        with socket.create_connection((host, settings.port), timeout=_ANSWER_S):
            return True
    except OSError:
        return False


def _sources(run: Invocation) -> Mapping[str, str]:
    """Where each setting that is not a default comes from; the last one wins."""
    found: dict[str, str] = {}
    if run.config is not None:
        # It was read a moment ago, so it can be read.
        found |= dict.fromkeys(tomllib.loads(run.config.read_text(encoding="utf-8")), "file")
    for name, value in os.environ.items():
        if name.startswith(PREFIX) and value:
            found[name.removeprefix(PREFIX).lower()] = "environment"
    if run.data_dir is not None:
        found["data_dir"] = "command_line"
    found.setdefault("language", "locale")
    return found


def _value(value: object) -> str:
    if value is None or value == []:
        return "—"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
