# SPDX-License-Identifier: Apache-2.0
"""`lingqu policy`: say what a policy of a foreign format permits, convert it, grant by it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lingqu import rights, trust
from lingqu.cli.acting import act, can_be_repeated, chosen, made_by, opened
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.grants import GRANT, answer_issued, reasons
from lingqu.cli.invocation import Invocation, json_text
from lingqu.cli.parties import PARTY
from lingqu.cli.values import PATH, Member
from lingqu.kernel import errors

exchange = rights.exchange


class PolicyFileUnreadable(errors.NotFound):
    """The file of a policy is not there or cannot be read."""

    code = "cli.policy.file"


@group("policy")
def policy() -> None:
    """Policies of ODRL 2.2 and TC609-6-2025-14."""


@policy.command("show")
@argument("file", type=PATH)
@click.pass_obj
def show(run: Invocation, file: Path) -> None:
    """Say what a policy permits and demands."""
    found, read = _read(run, file)
    lines = exchange.explain_policy(read, run.language)
    run.answer({"format": found.value, "explanation": list(lines)}, lines)


@policy.command("convert")
@argument("file", type=PATH)
@option("--to", "wanted", type=Member(exchange.PolicyFormat), required=True)
@click.pass_obj
def convert(run: Invocation, file: Path, wanted: exchange.PolicyFormat) -> None:
    """Write a policy in the other format."""
    _, read = _read(run, file)
    with reasons(run):
        written = exchange.write_policy(read, wanted)
    run.answer(written, [json_text(written)])


@policy.command("grant")
@argument("file", type=PATH)
@argument("parent", type=GRANT)
@argument("holder", type=PARTY)
@option("--kind", type=Member(rights.GrantKind), required=True)
@can_be_repeated
@click.pass_obj
def issue_by_policy(
    run: Invocation,
    file: Path,
    parent: rights.GrantId,
    holder: trust.PartyId,
    kind: rights.GrantKind,
    command_id: trust.CommandId | None,
) -> None:
    """Issue a grant below another under exactly what a policy says."""
    text = _text(file)
    command = chosen(run, command_id)
    with opened(run) as app, reasons(run):
        made = act(
            run,
            app,
            exchange.issue_by_policy,
            command,
            grant=made_by(command, rights.GrantId),
            parent=parent,
            holder=holder,
            kind=kind,
            text=text,
        )
    answer_issued(run, command, made)


def _read(run: Invocation, file: Path) -> tuple[exchange.PolicyFormat, exchange.Policy]:
    with reasons(run):
        return exchange.read_policy(_bytes(file), vocabulary=exchange.built_in_vocabulary())


def _bytes(file: Path) -> bytes:
    """The file, or standard input for `-`; one byte more than is read shows that it is too long."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(exchange.POLICY_BYTES_MAX + 1)
        with file.open("rb") as stream:
            return stream.read(exchange.POLICY_BYTES_MAX + 1)
    except OSError as error:
        raise PolicyFileUnreadable(path=str(file), problem=error.strerror) from None


def _text(file: Path) -> str:
    """The document as a command takes it."""
    try:
        return _bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyFileUnreadable(path=str(file), problem="UTF-8") from None
