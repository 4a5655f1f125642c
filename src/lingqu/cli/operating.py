# SPDX-License-Identifier: Apache-2.0
"""`lingqu operation`: schemes and agreements of authorised operation, and their documents."""

from __future__ import annotations

from pathlib import Path

import click

from lingqu import trust
from lingqu.cli.acting import more, page_of, paged, reading
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.papers import write_paper
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled, table
from lingqu.cli.values import PATH, IdType, Member
from lingqu.rights import operation as operating
from lingqu.runtime import documents
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
    with reading(run) as (app, tx):
        paper = operating.scheme_paper(tx, scheme_id)
        write_paper(run, app, paper, to, output or Path(f"{scheme_id}.{to.value}"))


@operation.command("write-agreement")
@argument("agreement_id", type=AGREEMENT)
@option("--format", "to", type=FORMAT, default=documents.Format.DOCX.value, show_default=True)
@option("--output", type=PATH)
@click.pass_obj
def write_agreement(
    run: Invocation, agreement_id: operating.AgreementId, to: documents.Format, output: Path | None
) -> None:
    """Write an agreement as Word or PDF."""
    with reading(run) as (app, tx):
        paper = operating.agreement_paper(tx, agreement_id)
        write_paper(run, app, paper, to, output or Path(f"{agreement_id}.{to.value}"))


def _state(run: Invocation, one: operating.Agreement) -> str:
    return translate(f"rights.agreement_state.{one.state.value}", run.language)


def _none(run: Invocation) -> str:
    return run.word("list.empty")
