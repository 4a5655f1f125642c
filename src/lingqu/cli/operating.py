# SPDX-License-Identifier: Apache-2.0
"""`lingqu operation`: schemes and agreements of authorised operation, and their documents."""

from __future__ import annotations

from pathlib import Path

import click

from lingqu import rights, trust
from lingqu.cli.acting import page_of, paged, reading
from lingqu.cli.facts import FileExists
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.parties import PARTY, more
from lingqu.cli.text import labelled, table
from lingqu.cli.values import PATH, IdType, Member
from lingqu.rights import operation as operating
from lingqu.runtime import documents
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.runtime.i18n import translate

SCHEME, AGREEMENT = IdType(operating.SchemeId), IdType(operating.AgreementId)
FORMAT = Member(documents.Format)


@group("operation")
def operation() -> None:
    """Authorised operation of public data."""


@operation.command("schemes")
@option("--party", type=PARTY)
@paged
@click.pass_obj
def list_schemes(
    run: Invocation, party: trust.PartyId | None, limit: int, after: str | None
) -> None:
    """List implementation schemes."""
    with reading(run) as (_, tx):
        page = operating.find_schemes(tx, page=page_of(limit, after), party=party)
    rows = [
        (one.id, one.title, translate(f"rights.scheme_state.{one.state.value}", run.language))
        for one in page.items
    ]
    run.answer(
        {"items": plain_data(page.items), "next": page.next},
        [
            *(table(run.heads("scheme", "title", "state"), rows) if rows else [_none(run)]),
            *more(run, page.next),
        ],
    )


@operation.command("agreements")
@option("--party", type=PARTY)
@option("--scheme", type=SCHEME)
@paged
@click.pass_obj
def list_agreements(
    run: Invocation,
    party: trust.PartyId | None,
    scheme: operating.SchemeId | None,
    limit: int,
    after: str | None,
) -> None:
    """List agreements of authorised operation."""
    with reading(run) as (_, tx):
        page = operating.find_agreements(tx, page=page_of(limit, after), party=party, scheme=scheme)
    rows = [(one.id, one.title, _state(run, one), one.grant or "") for one in page.items]
    run.answer(
        {"items": plain_data(page.items), "next": page.next},
        [
            *(
                table(run.heads("agreement", "title", "state", "grant"), rows)
                if rows
                else [_none(run)]
            ),
            *more(run, page.next),
        ],
    )


@operation.command("agreement")
@argument("agreement_id", type=AGREEMENT)
@click.pass_obj
def show_agreement(run: Invocation, agreement_id: operating.AgreementId) -> None:
    """Show an agreement."""
    with reading(run) as (_, tx):
        held = operating.get_agreement(tx, agreement_id)
    ends = held.ends_at
    run.answer(
        {"agreement": plain_data(held)},
        lambda: labelled([
            (run.word("head.agreement"), held.id),
            (run.word("head.title"), held.title),
            (run.word("head.state"), _state(run, held)),
            (run.word("head.operator"), held.operator),
            (run.word("head.grant"), held.grant or ""),
            (run.word("head.valid"), "" if ends is None else run.moment(ends)),
            ("SHA-256", held.digest.hex()),
        ]),
    )  # fmt: skip


@operation.command("write-scheme")
@argument("scheme_id", type=SCHEME)
@option("--format", "to", type=FORMAT, default=documents.Format.DOCX.value, show_default=True)
@option("--output", type=PATH)
@click.pass_obj
def write_scheme(
    run: Invocation, scheme_id: operating.SchemeId, to: documents.Format, output: Path | None
) -> None:
    """Write a scheme as Word or PDF."""
    with reading(run) as (_, tx):
        sheet = operating.scheme_sheet(tx, scheme_id)
    _write(run, sheet, to, output or Path(f"{scheme_id}.{to.value}"))


@operation.command("write-agreement")
@argument("agreement_id", type=AGREEMENT)
@option("--format", "to", type=FORMAT, default=documents.Format.DOCX.value, show_default=True)
@option("--output", type=PATH)
@click.pass_obj
def write_agreement(
    run: Invocation, agreement_id: operating.AgreementId, to: documents.Format, output: Path | None
) -> None:
    """Write an agreement as Word or PDF."""
    with reading(run) as (_, tx):
        sheet = operating.agreement_sheet(tx, agreement_id)
    _write(run, sheet, to, output or Path(f"{agreement_id}.{to.value}"))


def _write(run: Invocation, sheet: rights.Sheet, to: documents.Format, path: Path) -> None:
    file = path.absolute()
    with storage_errors(file.parent):
        if file.exists():
            raise FileExists(file=str(file))
    made = documents.render(sheet.template, sheet.data, to=to, fonts=run.settings().fonts_dir)
    replace_file(file, made.content, mode=0o644)
    run.answer(
        {"file": file, "sha256": made.sha256, "size": len(made.content)},
        [run.word("document.written", title=made.title, file=str(file))],
    )


def _state(run: Invocation, one: operating.Agreement) -> str:
    return translate(f"rights.agreement_state.{one.state.value}", run.language)


def _none(run: Invocation) -> str:
    return run.word("list.empty")
