# SPDX-License-Identifier: Apache-2.0
"""`lingqu document`: which letters can be written, what they ask for, and writing one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from lingqu import trust
from lingqu.cli.acting import caller, can_be_repeated, chosen, opened, reading
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.papers import FORMAT, free_file
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled, table
from lingqu.cli.values import PATH
from lingqu.errands import attach_copy, check_paper
from lingqu.kernel import errors
from lingqu.runtime import documents
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.trust import copies

DATA_LONGEST = 8 << 20


class DataUnreadable(errors.Rejected):
    """The data of a document are not one JSON object in UTF-8."""

    code = "cli.document.data_unreadable"


@group("document")
def document() -> None:
    """Letters, certificates and statements from templates."""


@document.command("list")
@click.pass_obj
def show_all(run: Invocation) -> None:
    """List the templates."""
    found = documents.find_templates()
    rows = [(one.name, one.zh, one.en) for one in found]
    run.answer(
        {"items": [{"name": one.name, "zh": one.zh, "en": one.en} for one in found]},
        table(run.heads("template", "title", "meaning"), rows),
    )


@document.command("fields")
@argument("template")
@click.pass_obj
def fields(run: Invocation, template: str) -> None:
    """List what a template asks for."""
    found = documents.get_template(template)
    rows = [*_rows(run, found.fields)]
    run.answer(
        {
            "name": found.name,
            "zh": found.zh,
            "en": found.en,
            "fields": [_field_data(one) for one in found.fields],
        },
        table(run.heads("field", "kind", "needed", "title", "meaning"), rows),
    )


@document.command("render")
@argument("template")
@argument("data", type=click.Path(path_type=Path, allow_dash=True))
@option(
    "--format",
    "to",
    type=FORMAT,
    default=documents.Format.DOCX.value,
    show_default=True,
)
@option("--output", type=PATH)
@click.pass_obj
def render(
    run: Invocation, template: str, data: Path, to: documents.Format, output: Path | None
) -> None:
    """Write a document from a template and a file of data; nobody signs it."""
    settings = run.settings()
    documents.get_template(template)
    file = free_file(output or Path(f"{template}.{to.value}"))
    made = documents.render(template, _read(data), to=to, fonts=settings.fonts_dir)
    replace_file(file, made.content, mode=0o644)
    run.answer(
        {
            "file": file,
            "template": made.template,
            "media_type": made.media_type,
            "size": len(made.content),
            "sha256": made.sha256,
        },
        [
            run.word("document.written", title=made.title, file=str(file)),
            *labelled([(run.word("head.size"), len(made.content)), ("SHA-256", made.sha256)]),
            run.word("document.unsigned"),
        ],
    )


@document.command("check")
@argument("file", type=PATH)
@click.pass_obj
def check(run: Invocation, file: Path) -> None:
    """Check that a file is a paper of this platform, to the last byte."""
    with reading(run) as (app, tx):
        found = check_paper(app, _content(file))
        scans = copies.find_copies(tx, paper=found.sha256)
    run.answer(
        {
            "template": found.paper.template,
            "subject": found.paper.subject,
            "sha256": found.sha256,
            "key": found.key,
            "data": plain_data(found.paper.data),
            "copies": plain_data(scans),
        },
        [
            run.word("document.ours", title=documents.get_template(found.paper.template).zh),
            *labelled([
                (run.word("head.subject"), found.paper.subject),
                ("SHA-256", found.sha256),
                (run.word("document.key"), found.key),
                (run.word("document.copies"), str(len(scans))),
            ]),
        ],
    )  # fmt: skip


@document.command("attach")
@argument("paper", type=PATH)
@argument("scan", type=PATH)
@option("--party", type=PARTY, required=True)
@can_be_repeated
@click.pass_obj
def attach(
    run: Invocation,
    paper: Path,
    scan: Path,
    party: trust.PartyId,
    command_id: trust.CommandId | None,
) -> None:
    """Attach the scan of a sealed paper to the paper it was printed from."""
    command = chosen(run, command_id)
    with opened(run) as app:
        made = attach_copy(
            app,
            caller(run),
            command,
            paper=_content(paper),
            scan=_content(scan),
            party=party,
        )
    run.answer(
        {"command": command, "copy": plain_data(made)},
        [run.word("document.attached"), *labelled([("SHA-256", made.sha256)])],
    )


def _content(file: Path) -> bytes:
    with storage_errors(file):
        content = file.read_bytes()
    if len(content) > copies.COPY_BYTES_MOST:
        raise copies.BadScan(bytes=len(content))
    return content


def _read(data: Path) -> dict[str, object]:
    try:
        if str(data) == "-":
            raw = sys.stdin.buffer.read(DATA_LONGEST + 1)
        else:
            with data.open("rb") as stream:
                raw = stream.read(DATA_LONGEST + 1)
        if len(raw) > DATA_LONGEST:
            raise DataUnreadable(file=str(data), detail=f"> {DATA_LONGEST}")
        plain = json.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise DataUnreadable(file=str(data), detail=error.strerror or "") from None
    except (ValueError, RecursionError):
        raise DataUnreadable(file=str(data), detail="JSON") from None
    if not isinstance(plain, dict):
        raise DataUnreadable(file=str(data), detail="JSON")
    return plain


def _rows(
    run: Invocation, declared: tuple[documents.Field, ...], prefix: str = ""
) -> Iterator[tuple[str, ...]]:
    for one in declared:
        needed = run.word("document.optional" if one.optional else "document.needed")
        kind = run.word(f"document.kind_{one.kind.value}")
        yield f"{prefix}{one.name}", kind, needed, one.zh, one.en
        yield from _rows(run, one.columns, f"{prefix}{one.name}[].")


def _field_data(one: documents.Field) -> dict[str, object]:
    known: dict[str, object] = {
        "name": one.name,
        "kind": one.kind,
        "optional": one.optional,
        "zh": one.zh,
        "en": one.en,
    }
    if one.columns:
        known["columns"] = [_field_data(column) for column in one.columns]
    return known
