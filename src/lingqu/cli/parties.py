# SPDX-License-Identifier: Apache-2.0
"""`lingqu party`: register, list, show, rename and erase parties."""

from __future__ import annotations

import click

from lingqu import trust
from lingqu.cli.acting import (
    act,
    can_be_repeated,
    chosen,
    do,
    listed,
    made_by,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, table
from lingqu.cli.values import IdType, Member

PARTY = IdType(trust.PartyId)


@group("party")
def party() -> None:
    """Organisations, persons and systems."""


@party.command("register")
@argument("name")
@option(
    "--kind",
    type=Member(trust.PartyKind),
    default=trust.PartyKind.ORGANIZATION.value,
    show_default=True,
)
@can_be_repeated
@click.pass_obj
def register(
    run: Invocation, name: str, kind: trust.PartyKind, command_id: trust.CommandId | None
) -> None:
    """Register a party."""
    command = chosen(run, command_id)
    made = do(
        run,
        trust.register_party,
        command,
        party=made_by(command, trust.PartyId),
        kind=kind,
        name=name,
    )
    run.answer(
        {"command": command, "party": plain_data(made)},
        lambda: [run.word("party.registered"), *_party_lines(run, made), *_command(run, command)],
    )


@party.command("list")
@paged
@click.pass_obj
def show_all(run: Invocation, limit: int, after: str | None) -> None:
    """List parties."""
    with reading(run) as (_, tx):
        page = trust.find_parties(tx, page=page_of(limit, after))
    rows = [
        (one.id, run.word(f"party_kind.{one.kind.value}"), _name(run, one)) for one in page.items
    ]
    heads = run.heads("party", "kind", "name")
    listed(run, page, heads, rows)


@party.command("show")
@argument("party_id", type=PARTY)
@click.pass_obj
def show(run: Invocation, party_id: trust.PartyId) -> None:
    """Show one party with its accounts."""
    with reading(run) as (_, tx):
        found = trust.get_party(tx, party_id)
        accounts = trust.find_accounts(tx, party=party_id)
    run.answer(
        {"party": plain_data(found), "accounts": plain_data(accounts)},
        lambda: [*_party_lines(run, found), "", *account_lines(run, accounts)],
    )


@party.command("rename")
@argument("party_id", type=PARTY)
@argument("name")
@can_be_repeated
@click.pass_obj
def rename(
    run: Invocation, party_id: trust.PartyId, name: str, command_id: trust.CommandId | None
) -> None:
    """Give a party another name."""
    command = chosen(run, command_id)
    renamed = do(run, trust.rename_party, command, party=party_id, name=name)
    run.answer(
        {"command": command, "party": plain_data(renamed)},
        lambda: [run.word("party.renamed"), *_party_lines(run, renamed), *_command(run, command)],
    )


@party.command("erase")
@argument("party_id", type=PARTY)
@option("--yes", is_flag=True)
@can_be_repeated
@click.pass_obj
def erase(
    run: Invocation,
    party_id: trust.PartyId,
    yes: bool,  # noqa: FBT001  # a flag of the command line
    command_id: trust.CommandId | None,
) -> None:
    """Empty a person's data."""
    command = chosen(run, command_id)
    with opened(run) as app:
        if not yes:
            question = run.word("party.erase_confirm", party=party_id)
            click.confirm(question, abort=True, err=True)
        erased = act(run, app, trust.erase_party, command, party=party_id)
    run.answer(
        {"command": command, "party": plain_data(erased)},
        lambda: [run.word("party.erased"), *_party_lines(run, erased), *_command(run, command)],
    )


def account_lines(run: Invocation, accounts: tuple[trust.Account, ...]) -> list[str]:
    """This will draw the accounts of a party."""
    if not accounts:
        return [run.word("account.none")]
    rows = [
        (
            one.id,
            run.word(f"account_kind.{one.kind.value}"),
            one.login or "",
            run.word(f"account_state.{one.state.value}"),
        )
        for one in accounts
    ]
    return table(run.heads("account", "kind", "login", "state"), rows)


def _command(run: Invocation, command: trust.CommandId) -> list[str]:
    return ["", run.word("command.done", command=command)]


def _party_lines(run: Invocation, one: trust.Party) -> list[str]:
    return labelled([
        (run.word("head.party"), one.id),
        (run.word("head.kind"), run.word(f"party_kind.{one.kind.value}")),
        (run.word("head.name"), _name(run, one)),
        (run.word("head.created"), run.moment(one.created_at)),
        (run.word("head.erased"), None if one.erased_at is None else run.moment(one.erased_at)),
    ])  # fmt: skip


def _name(run: Invocation, one: trust.Party) -> str:
    return one.name if one.name is not None else run.word("party.name_erased")
