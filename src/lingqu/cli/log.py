# SPDX-License-Identifier: Apache-2.0
"""`lingqu log`: how the log stands, and the rare acts that keep it going."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from lingqu import trust, wiring
from lingqu.cli.acting import act, caller, can_be_repeated, chosen, opened
from lingqu.cli.facts import logs_of
from lingqu.cli.failures import Found
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.installation import log_data, log_lines, standing
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled
from lingqu.cli.values import PATH
from lingqu.kernel import errors
from lingqu.trust import log as logs

SHOWN = 50
_HASH = re.compile(r"[0-9a-f]{64}\Z")


class FileUnreadable(errors.Rejected):
    """A file that was named cannot be read."""

    code = "cli.input.unreadable"


class BadProof(errors.Rejected):
    """A line of a consistency proof is not a hash."""

    code = "cli.input.bad_proof"


@group("log")
def log() -> None:
    """The log."""


@log.command("status")
@click.pass_obj
def status(run: Invocation) -> None:
    """Say how the log stands."""
    with opened(run) as app:
        found = standing(app)
        with app.database.reading(caller(run)) as tx:
            keys = [str(key) for key in logs.own_log(tx).verifiers]
    run.answer(
        log_data(found) | {"verifier_keys": keys},
        lambda: [
            *log_lines(run, found),
            *labelled((run.word("head.verifier_key"), key) for key in keys),
        ],
    )


@log.command("verify")
@click.pass_obj
def verify(run: Invocation) -> None:
    """Check the log throughout."""
    with opened(run) as app, run.step("log.step_verify"):
        witnesses = [logs.Witness.parse(text).key for text in app.settings.witnesses]
        folder = logs_of(app)
        published = logs.take_published(folder)
        with app.database.auditing(caller(run)) as tx:
            checked = logs.check_log(tx, folder, published=published, witnesses=witnesses)
            found = tuple(checked)
            size = logs.log_status(tx).size
    run.answer(
        {"sound": not found, "size": size, "findings": plain_data(found)},
        lambda: _findings(run, found, size),
    )
    if found:
        raise Found


@log.group("tiles")
def tiles() -> None:
    """The static files of the log."""


@tiles.command("rebuild")
@click.pass_obj
def rebuild(run: Invocation) -> None:
    """Write all static files anew."""
    with opened(run) as app, run.step("log.step_rebuild"):
        with app.database.reading(caller(run)) as tx:
            own = logs.own_log(tx)
        folder = logs.LogFolder(own.folder(logs_of(app)))
        size = logs.rebuild(app.database, folder, own)
    run.answer(
        {"origin": own.origin, "size": size, "folder": folder.path},
        [run.word("log.rebuilt", size=size)],
    )


@log.group("keys")
def keys() -> None:
    """The signing keys of the log."""


@keys.command("rotate")
@can_be_repeated
@click.pass_obj
def rotate(run: Invocation, command_id: trust.CommandId | None) -> None:
    """Go over to a new signing key."""
    command = chosen(run, command_id)
    with opened(run) as app:
        made = wiring.rotate_log_key(app, caller(run), command)
    run.answer(
        {"command": command, "number": made.number, "verifier_key": str(made.verifier)},
        [
            run.word("log.rotated"),
            *labelled([(run.word("head.verifier_key"), made.verifier)]),
            run.word("log.restart"),
            run.word("command.done", command=command),
        ],
    )


@log.command("succeed")
@can_be_repeated
@click.pass_obj
def succeed(run: Invocation, command_id: trust.CommandId | None) -> None:
    """Begin a successor of a log that refuses to sign."""
    command = chosen(run, command_id)
    with opened(run) as app:
        begun = wiring.succeed_log(app, caller(run), command)
    run.answer(
        {
            "command": command,
            "origin": begun.origin,
            "number": begun.number,
            "predecessor": begun.predecessor,
            "kept": begun.kept,
        },
        [
            run.word("log.succeeded"),
            *labelled([
                (run.word("head.origin"), begun.origin),
                (run.word("head.log_number"), begun.number),
                (run.word("head.predecessor"), begun.predecessor),
            ]),
            run.word("log.restart"),
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


@log.group("foreign")
def foreign() -> None:
    """Other logs."""


@foreign.command("register")
@argument("origin")
@argument("verifier_key")
@can_be_repeated
@click.pass_obj
def register(
    run: Invocation, origin: str, verifier_key: str, command_id: trust.CommandId | None
) -> None:
    """Register another log."""
    command = chosen(run, command_id)
    with opened(run) as app:
        what = trust.register_foreign_log
        act(run, app, what, command, origin=origin, verifier_key=verifier_key)
    run.answer(
        {"command": command, "origin": origin, "verifier_key": verifier_key},
        [
            run.word("log.foreign_registered", origin=origin),
            run.word("command.done", command=command),
        ],
    )


@foreign.command("record")
@argument("origin")
@argument("checkpoint", type=PATH)
@option("--proof", type=PATH)
@can_be_repeated
@click.pass_obj
def record(
    run: Invocation,
    origin: str,
    checkpoint: Path,
    proof: Path | None,
    command_id: trust.CommandId | None,
) -> None:
    """Record a checkpoint of another log."""
    command = chosen(run, command_id)
    note, hashes = _read_file(checkpoint), _read_proof(proof)
    with opened(run) as app:
        what = trust.record_foreign_checkpoint
        size = act(run, app, what, command, origin=origin, note=note, proof=hashes)
    run.answer(
        {"command": command, "origin": origin, "size": size},
        [
            run.word("log.foreign_recorded", origin=origin, size=size),
            run.word("command.done", command=command),
        ],
    )


def _findings(run: Invocation, found: Sequence[logs.LogFinding], size: int) -> list[str]:
    if not found:
        return [run.word("log.verified", size=size)]
    lines = [run.word("log.found", count=len(found))]
    for one in found[:SHOWN]:
        lines += ["", f"✗ {run.word(f'fault.{one.fault.value}')}"]
        lines += labelled([
            (run.word("head.origin"), one.origin),
            (run.word("head.index"), one.index),
            (run.word("head.fact"), one.fact or None),
            (run.word("head.path"), one.path or None),
            (run.word("head.expected"), one.expected or None),
            (run.word("head.found"), one.found or None),
        ])  # fmt: skip
    if len(found) > SHOWN:
        lines += ["", run.word("audit.more", count=len(found) - SHOWN)]
    return lines


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileUnreadable(file=str(path), detail=error.strerror or "") from None
    except UnicodeDecodeError:
        raise FileUnreadable(file=str(path), detail="UTF-8") from None


def _read_proof(path: Path | None) -> tuple[bytes, ...]:
    if path is None:
        return ()
    lines = _read_file(path).split()
    for number, line in enumerate(lines, 1):
        if not _HASH.match(line):
            raise BadProof(file=str(path), line=number)
    return tuple(bytes.fromhex(line) for line in lines)
