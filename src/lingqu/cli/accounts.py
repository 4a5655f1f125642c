# SPDX-License-Identifier: Apache-2.0
"""`lingqu account`, `lingqu role`, `lingqu key`: who can sign in, as what, and with which key.

Passwords are asked for without echo, read from standard input, or made here and shown once; they
never stand on a command line, where other accounts of the machine could read them.
"""

from __future__ import annotations

import secrets
import sys

import click

from lingqu import trust
from lingqu.cli.acting import act, can_be_repeated, chosen, do, made_by, opened, reading
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.parties import PARTY, account_lines
from lingqu.cli.text import labelled
from lingqu.cli.values import IdType, Member
from lingqu.kernel import errors
from lingqu.kernel.values import Hidden
from lingqu.trust import identity
from lingqu.wiring import App

ACCOUNT = IdType(trust.AccountId)
ASSIGNMENT = IdType(trust.AssignmentId)
API_KEY = IdType(trust.ApiKeyId)
GIVEN_TO_NOBODY = (trust.Role.PLATFORM, trust.Role.SIGNED_IN, trust.Role.VISITOR)
_PASSWORD_LINE_MAX = 4096


class PasswordNotGiven(errors.Rejected):
    """There is no terminal to ask for the password, and no other way was chosen."""

    code = "cli.password.not_given"


class OneWayOnly(errors.Rejected):
    """A password comes from standard input or is made here, not both."""

    code = "cli.password.two_ways"


class SecretShownBefore(errors.Conflict):
    """This command was done before; a secret made then is not kept and cannot be shown again."""

    code = "cli.secret.shown_before"


@group("account")
def account() -> None:
    """Accounts of parties."""


@account.command("open")
@argument("party_id", type=PARTY)
@option("--login")
@option(
    "--kind",
    type=Member(trust.AccountKind),
    default=trust.AccountKind.PERSON.value,
    show_default=True,
)
@option("--password-stdin", "from_stdin", is_flag=True)
@option("--generate", is_flag=True)
@can_be_repeated
@click.pass_obj
def open_account(
    run: Invocation,
    party_id: trust.PartyId,
    login: str | None,
    kind: trust.AccountKind,
    from_stdin: bool,  # noqa: FBT001  # a flag of the command line
    generate: bool,  # noqa: FBT001  # a flag of the command line
    command_id: trust.CommandId | None,
) -> None:
    """Open an account."""
    command = chosen(run, command_id)
    made = made_by(command, trust.AccountId)
    shown: str | None = None
    hashed: Hidden | None = None
    if kind is trust.AccountKind.PERSON:
        password = _password(run, from_stdin=from_stdin, generate=generate)
        hashed = trust.hash_password(password)
        shown = password if generate else None
    with opened(run) as app:
        if shown is not None:
            _refuse_second_showing(app, party_id, command)
        act(
            run,
            app,
            trust.open_account,
            command,
            account=made,
            party=party_id,
            kind=kind,
            login=login,
            password=hashed,
        )
    document = {"command": command, "account": made, "party": party_id, "login": login}
    run.answer(
        document if shown is None else document | {"password": shown},
        lambda: [
            run.word("account.opened"),
            *labelled([
                (run.word("head.account"), made),
                (run.word("head.login"), login),
                (run.word("head.password"), shown),
            ]),
            *([] if shown is None else ["", run.word("secret.once")]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


@account.command("list")
@argument("party_id", type=PARTY)
@click.pass_obj
def show_all(run: Invocation, party_id: trust.PartyId) -> None:
    """List a party's accounts."""
    with reading(run) as (_, tx):
        trust.get_party(tx, party_id)
        accounts = trust.find_accounts(tx, party=party_id)
    run.answer({"items": plain_data(accounts)}, lambda: account_lines(run, accounts))


@account.command("close")
@argument("account_id", type=ACCOUNT)
@can_be_repeated
@click.pass_obj
def close(run: Invocation, account_id: trust.AccountId, command_id: trust.CommandId | None) -> None:
    """Close an account for good."""
    command = chosen(run, command_id)
    do(run, trust.close_account, command, account=account_id)
    run.answer(
        {"command": command, "account": account_id},
        [run.word("account.closed", account=account_id), run.word("command.done", command=command)],
    )


@account.command("password")
@argument("account_id", type=ACCOUNT)
@option("--password-stdin", "from_stdin", is_flag=True)
@option("--generate", is_flag=True)
@can_be_repeated
@click.pass_obj
def change_password(
    run: Invocation,
    account_id: trust.AccountId,
    from_stdin: bool,  # noqa: FBT001  # a flag of the command line
    generate: bool,  # noqa: FBT001  # a flag of the command line
    command_id: trust.CommandId | None,
) -> None:
    """Replace an account's password."""
    if generate and command_id is not None:
        # A command sent again changes nothing, so a password made now would not be the account's.
        raise SecretShownBefore(command=command_id)
    command = chosen(run, command_id)
    password = _password(run, from_stdin=from_stdin, generate=generate)
    hashed = trust.hash_password(password)
    do(run, trust.change_password, command, account=account_id, password=hashed)
    shown = password if generate else None
    document = {"command": command, "account": account_id}
    run.answer(
        document if shown is None else document | {"password": shown},
        lambda: [
            run.word("account.password_changed", account=account_id),
            *labelled([(run.word("head.password"), shown)]),
            *([] if shown is None else ["", run.word("secret.once")]),
            run.word("command.done", command=command),
        ],
    )


@account.command("unlock")
@argument("account_id", type=ACCOUNT)
@can_be_repeated
@click.pass_obj
def unlock(
    run: Invocation, account_id: trust.AccountId, command_id: trust.CommandId | None
) -> None:
    """Let an account sign in again after too many failures."""
    command = chosen(run, command_id)
    do(run, identity.unlock_account, command, account=account_id)
    run.answer(
        {"command": command, "account": account_id},
        [
            run.word("account.unlocked", account=account_id),
            run.word("command.done", command=command),
        ],
    )


@account.command("reset-second-factor")
@argument("account_id", type=ACCOUNT)
@can_be_repeated
@click.pass_obj
def reset_second_factor(
    run: Invocation, account_id: trust.AccountId, command_id: trust.CommandId | None
) -> None:
    """Switch an account's second factor off."""
    command = chosen(run, command_id)
    do(run, identity.disable_second_factor, command, account=account_id)
    run.answer(
        {"command": command, "account": account_id},
        [
            run.word("account.second_factor_off", account=account_id),
            run.word("command.done", command=command),
        ],
    )


@group("role")
def role() -> None:
    """Roles of accounts."""


@role.command("assign")
@argument("account_id", type=ACCOUNT)
@argument("role_name", metavar="ROLE", type=Member(trust.Role, without=GIVEN_TO_NOBODY))
@argument("party_id", type=PARTY)
@can_be_repeated
@click.pass_obj
def assign(
    run: Invocation,
    account_id: trust.AccountId,
    role_name: trust.Role,
    party_id: trust.PartyId,
    command_id: trust.CommandId | None,
) -> None:
    """Give an account a role for a party."""
    command = chosen(run, command_id)
    given = do(
        run,
        trust.assign_role,
        command,
        assignment=made_by(command, trust.AssignmentId),
        account=account_id,
        role=role_name,
        party=party_id,
    )
    run.answer(
        {"command": command, "assignment": plain_data(given)},
        lambda: [
            run.word("role.assigned"),
            *labelled([
                (run.word("head.assignment"), given.id),
                (run.word("head.account"), given.account),
                (run.word("head.role"), run.word(f"role_name.{given.role.value}")),
                (run.word("head.party"), given.party),
            ]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


@role.command("withdraw")
@argument("assignment_id", type=ASSIGNMENT)
@can_be_repeated
@click.pass_obj
def withdraw(
    run: Invocation, assignment_id: trust.AssignmentId, command_id: trust.CommandId | None
) -> None:
    """End a role."""
    command = chosen(run, command_id)
    ended = do(run, trust.withdraw_role, command, assignment=assignment_id)
    run.answer(
        {"command": command, "assignment": plain_data(ended)},
        [
            run.word("role.withdrawn", assignment=assignment_id),
            run.word("command.done", command=command),
        ],
    )


@group("key")
def key() -> None:
    """API keys of machines."""


@key.command("issue")
@argument("account_id", type=ACCOUNT)
@option("--label", required=True)
@can_be_repeated
@click.pass_obj
def issue(
    run: Invocation, account_id: trust.AccountId, label: str, command_id: trust.CommandId | None
) -> None:
    """Issue an API key."""
    command = chosen(run, command_id)
    made, secret = made_by(command, trust.ApiKeyId), Hidden(trust.new_secret())
    with opened(run) as app:
        act(
            run,
            app,
            trust.issue_api_key,
            command,
            api_key=made,
            account=account_id,
            label=label,
            secret=secret,
        )
        try:
            trust.identify_api_key(app.database, str(secret))
        except errors.Forbidden:
            # The command was done before, with another secret.
            raise SecretShownBefore(command=command) from None
    run.answer(
        {"command": command, "api_key": made, "account": account_id, "secret": str(secret)},
        lambda: [
            run.word("key.issued"),
            *labelled([
                (run.word("head.api_key"), made),
                (run.word("head.account"), account_id),
                (run.word("head.secret"), str(secret)),
            ]),
            "",
            run.word("secret.once"),
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


@key.command("revoke")
@argument("api_key_id", type=API_KEY)
@can_be_repeated
@click.pass_obj
def revoke(run: Invocation, api_key_id: trust.ApiKeyId, command_id: trust.CommandId | None) -> None:
    """Stop an API key from working."""
    command = chosen(run, command_id)
    do(run, trust.revoke_api_key, command, api_key=api_key_id)
    run.answer(
        {"command": command, "api_key": api_key_id},
        [run.word("key.revoked", key=api_key_id), run.word("command.done", command=command)],
    )


def new_password() -> str:
    """This will make a password of 118 random bits in groups that can be read to someone."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(6)) for _ in range(4))


def _password(run: Invocation, *, from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise OneWayOnly
    if generate:
        return new_password()
    if from_stdin:
        line = sys.stdin.readline(_PASSWORD_LINE_MAX)
        return line.rstrip("\r\n")
    if not sys.stdin.isatty():
        raise PasswordNotGiven
    password: str = click.prompt(
        run.word("password.prompt"),
        hide_input=True,
        confirmation_prompt=run.word("password.again"),
        err=True,
    )
    return password


def _refuse_second_showing(app: App, party: trust.PartyId, command: trust.CommandId) -> None:
    with app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        accounts = trust.find_accounts(tx, party=party)
    if made_by(command, trust.AccountId) in {one.id for one in accounts}:
        raise SecretShownBefore(command=command)
