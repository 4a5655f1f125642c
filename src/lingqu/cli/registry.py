# SPDX-License-Identifier: Apache-2.0
"""`lingqu registry`: registrars, the registries, looking a code up, writing a certificate."""

from __future__ import annotations

from pathlib import Path

import click

from lingqu import trust
from lingqu.cli.acting import (
    can_be_repeated,
    chosen,
    do,
    listed,
    made_by,
    page_of,
    paged,
    reading,
)
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.papers import write_paper
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled, table
from lingqu.cli.values import PATH, IdType, Member
from lingqu.rights import registry as registries
from lingqu.runtime import documents
from lingqu.runtime.i18n import translate

REGISTRAR = IdType(registries.RegistrarId)


@group("registry")
def registry() -> None:
    """The two registries of public data and of data property."""


@registry.command("name")
@argument("party", type=PARTY)
@option("--registry", "kept", type=Member(registries.Registry), required=True)
@option("--area", required=True)
@option("--number", type=int, required=True)
@can_be_repeated
@click.pass_obj
def name_registrar(
    run: Invocation,
    party: trust.PartyId,
    kept: registries.Registry,
    area: str,
    number: int,
    command_id: trust.CommandId | None,
) -> None:
    """Name a registrar."""
    command = chosen(run, command_id)
    made = do(
        run,
        registries.name_registrar,
        command,
        registrar=made_by(command, registries.RegistrarId),
        party=party,
        registry=kept,
        area=area,
        number=number,
    )
    run.answer(
        {"command": command, "registrar": plain_data(made)},
        [run.word("registry.named", registrar=made.id)],
    )


@registry.command("end")
@argument("registrar", type=REGISTRAR)
@can_be_repeated
@click.pass_obj
def end_registrar(
    run: Invocation, registrar: registries.RegistrarId, command_id: trust.CommandId | None
) -> None:
    """End that a party is registrar."""
    command = chosen(run, command_id)
    ended = do(run, registries.end_registrar, command, registrar=registrar)
    run.answer(
        {"command": command, "registrar": plain_data(ended)},
        [run.word("registry.ended", registrar=ended.id)],
    )


@registry.command("registrars")
@click.pass_obj
def list_registrars(run: Invocation) -> None:
    """List who keeps the registries."""
    with reading(run) as (_, tx):
        found = registries.find_registrars(tx)
    rows = [(one.id, one.party, one.registry.value, f"{one.area}{one.number}") for one in found]
    run.answer(
        {"items": plain_data(found)},
        table(run.heads("registrar", "party", "registry", "number"), rows)
        if rows
        else [run.word("list.empty")],
    )


@registry.command("list")
@option("--party", type=PARTY)
@option("--kind", type=Member(registries.RegistrationKind))
@paged
@click.pass_obj
def list_registrations(
    run: Invocation,
    party: trust.PartyId | None,
    kind: registries.RegistrationKind | None,
    limit: int,
    after: str | None,
) -> None:
    """List registrations."""
    with reading(run) as (_, tx):
        page = registries.find_registrations(tx, page=page_of(limit, after), party=party, kind=kind)
    rows = [(one.id, one.title, _state(run, one), one.code or "") for one in page.items]
    heads = run.heads("registration", "title", "state", "code")
    listed(run, page, heads, rows)


@registry.command("find")
@argument("code")
@click.pass_obj
def find(run: Invocation, code: str) -> None:
    """Look a code up."""
    with reading(run) as (_, tx):
        entry = registries.public_entry(tx, registries.find_by_code(tx, code))
    held = entry.registration
    valid = held.valid
    run.answer(
        {
            "registration": plain_data(held),
            "registrant": entry.registrant,
            "registrar": entry.registrar,
            "in_force": entry.in_force,
        },
        lambda: labelled([
            (run.word("head.code"), held.code or ""),
            (run.word("head.title"), held.title),
            (run.word("head.registrant"), entry.registrant),
            (run.word("head.registrar"), entry.registrar),
            (run.word("head.state"), _state(run, held)),
            (
                run.word("head.valid"),
                ""
                if valid is None or valid.end is None
                else f"{run.moment(valid.start)} – {run.moment(valid.end)}",
            ),
        ]),
    )  # fmt: skip


@registry.command("certificate")
@argument("code")
@argument("link")
@option("--output", type=PATH)
@click.pass_obj
def certificate(run: Invocation, code: str, link: str, output: Path | None) -> None:
    """Write the certificate of a code as PDF; `link` is where its QR code leads."""
    with reading(run) as (app, tx):
        found = registries.find_by_code(tx, code)
        paper = registries.certificate_paper(tx, found.id, link=link)
        write_paper(run, app, paper, documents.Format.PDF, output or Path(f"{found.code}.pdf"))


def _state(run: Invocation, one: registries.Registration) -> str:
    return translate(f"rights.registration_state.{one.state.value}", run.language)
