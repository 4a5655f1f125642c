# SPDX-License-Identifier: Apache-2.0
"""`lingqu document`: which letters can be written, what they ask for, and writing one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from lingqu.cli.facts import FileExists
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation
from lingqu.cli.text import labelled, table
from lingqu.cli.values import PATH, Member
from lingqu.kernel import errors
from lingqu.runtime import documents
from lingqu.runtime.blobs import replace_file, storage_errors

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
    type=Member(documents.Format),
    default=documents.Format.DOCX.value,
    show_default=True,
)
@option("--output", type=PATH)
@click.pass_obj
def render(
    run: Invocation, template: str, data: Path, to: documents.Format, output: Path | None
) -> None:
    """Write a document from a template and a file of data."""
    settings = run.settings()
    file = (output or Path(f"{template}.{to.value}")).absolute()
    documents.get_template(template)
    with storage_errors(file.parent):
        if file.exists():
            raise FileExists(file=str(file))
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
        ],
    )


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
