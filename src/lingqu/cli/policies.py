# SPDX-License-Identifier: Apache-2.0
"""`lingqu policy`: say what a policy of a foreign format permits, and convert it to another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from lingqu import rights
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, json_text
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
    with _reasons(run):
        written = exchange.write_policy(read, wanted)
    run.answer(written, [json_text(written)])


def _read(run: Invocation, file: Path) -> tuple[exchange.PolicyFormat, exchange.Policy]:
    with _reasons(run):
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


@contextmanager
def _reasons(run: Invocation) -> Iterator[None]:
    """The refusal says where; the reason in words stands before it."""
    try:
        yield
    except errors.Rejected as refusal:
        words = exchange.explain_reason(refusal, run.language)
        if words is not None:
            run.say(run.word("policy.reason", words=words))
        raise
