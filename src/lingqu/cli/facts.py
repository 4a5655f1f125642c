# SPDX-License-Identifier: Apache-2.0
"""`lingqu fact`: what happened, and a proof of it that stands without this platform."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import click

from lingqu import trust
from lingqu.cli.acting import caller, more, opened, page_of, paged, reading
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, stamp
from lingqu.cli.text import labelled, table
from lingqu.cli.values import PATH, IdType
from lingqu.kernel import errors
from lingqu.runtime import Tx
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.trust import log as logs
from lingqu.wiring import App

FACT = IdType(trust.FactId)
WAIT_S = 10.0
_PAUSE_S = 0.05


class FileExists(errors.Conflict):
    """A file of this name is there already and is not overwritten."""

    code = "cli.output.exists"


@group("fact")
def fact() -> None:
    """Facts: evidence, audit entry and message at once."""


@fact.command("list")
@option("--kind")
@option("--subject", metavar="ID")
@paged
@click.pass_obj
def show_all(
    run: Invocation, kind: str | None, subject: str | None, limit: int, after: str | None
) -> None:
    """List facts, newest first."""
    with reading(run) as (_, tx):
        page = trust.find_facts(tx, page=page_of(limit, after), kind=kind, subject=subject)
    rows = [
        ("—" if one.index is None else one.index, run.moment(one.at), one.kind, one.id)
        for one in page.items
    ]
    heads = run.heads("index", "at", "fact_kind", "fact")
    run.answer(
        {"items": [fact_data(one) for one in page.items], "next": page.next},
        [*(table(heads, rows) if rows else [run.word("list.empty")]), *more(run, page.next)],
    )


@fact.command("show")
@argument("fact_id", type=FACT)
@click.pass_obj
def show(run: Invocation, fact_id: trust.FactId) -> None:
    """Show one fact as it stands in the log."""
    with reading(run) as (_, tx):
        found = trust.get_fact(tx, fact_id)
    place = run.word("fact.not_sequenced") if found.index is None else str(found.index)
    run.answer(
        fact_data(found) | {"entry": dict(found.entry)},
        lambda: [
            *labelled([
                (run.word("head.fact"), found.id),
                (run.word("head.fact_kind"), found.kind),
                (run.word("head.at"), run.moment(found.at)),
                (run.word("head.actor"), found.actor),
                (run.word("head.command"), f"{found.command_name}  {found.command}"),
                (run.word("head.index"), place),
            ]),
            "",
            json.dumps(dict(found.entry), ensure_ascii=False, indent=2),
        ],
    )  # fmt: skip


@fact.command("prove")
@argument("fact_ids", type=FACT, nargs=-1, required=True)
@option("--output", type=PATH)
@option("--older", type=click.IntRange(min=0), metavar="SIZE")
@option("--digests-only", is_flag=True)
@click.pass_obj
def prove(
    run: Invocation,
    fact_ids: Sequence[trust.FactId],
    output: Path | None,
    older: int | None,
    digests_only: bool,  # noqa: FBT001  # a flag of the command line
) -> None:
    """Write an evidence bundle that anyone can verify."""
    file = (output or Path(f"{fact_ids[0]}.evidence.json")).absolute()
    with storage_errors(file.parent):
        if file.exists():
            raise FileExists(file=str(file))
    with opened(run) as app:
        with run.step("fact.step_prove"):
            wait_until_sequenced(run, app, fact_ids)
        with app.database.reading(caller(run)) as tx:
            text = logs.bundle(tx, logs_of(app), fact_ids, disclose=not digests_only, older=older)
            key = str(logs.own_log(tx, _origin_of(tx, fact_ids[0])).keys[0].verifier)
    replace_file(file, text.encode(), mode=0o644)
    words = verify_command(file, key)
    run.answer(
        {
            "file": file,
            "facts": list(fact_ids),
            "verifier_key": key,
            "verify": words,
        },
        [
            run.word("fact.proven", count=len(fact_ids), file=str(file)),
            "",
            run.word("fact.verify_with"),
            f"  {shlex.join(words)}",
            "",
            run.word("fact.key_elsewhere"),
        ],
    )


def fact_data(one: trust.FactRecord) -> dict[str, object]:
    """This will give a fact for machines."""
    return {
        "id": one.id,
        "kind": one.kind,
        "at": stamp(one.at),
        "actor": one.actor,
        "command": one.command,
        "command_name": one.command_name,
        "origin": one.origin,
        "index": one.index,
    }


def logs_of(app: App) -> Path:
    """This will give the folder that holds a folder for each log."""
    return app.log_directory.parent


def verify_command(file: Path, key: str) -> list[str]:
    """This will give the words with which anyone verifies a bundle."""
    return ["lingqu-verify", "bundle", str(file), "--key", key]


def wait_until_sequenced(run: Invocation, app: App, facts: Sequence[trust.FactId]) -> None:
    """This will see that facts are in a signed checkpoint, by the platform that runs or by itself.

    Raises FactNotFound, NotYetSequenced after ten seconds, or what keeps the log from signing.
    """
    deadline = time.monotonic() + WAIT_S
    while True:
        app.sequencer.step()
        try:
            with app.database.reading(caller(run)) as tx:
                for one in facts:
                    trust.get_fact(tx, one)
                logs.receipts(tx, logs_of(app), tuple(facts))
        except logs.NotYetSequenced:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _origin_of(tx: Tx, fact_id: trust.FactId) -> str | None:
    return trust.get_fact(tx, fact_id).origin
