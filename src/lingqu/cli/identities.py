# SPDX-License-Identifier: Apache-2.0
"""`lingqu organization`, `mandate`, `certificate` and `link`: who a party is, who acts, by what."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import click

from lingqu import trust
from lingqu.cli.accounts import ACCOUNT, GIVEN_TO_NOBODY
from lingqu.cli.acting import can_be_repeated, chosen, do, made_by, reading
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled, table
from lingqu.cli.values import INSTANT, PATH, IdType, Member
from lingqu.kernel.values import Hidden
from lingqu.runtime.blobs import storage_errors
from lingqu.runtime.certificates import read_certificate_file
from lingqu.runtime.i18n import translate
from lingqu.trust import identity

MANDATE = IdType(identity.MandateId)
CERTIFICATE = IdType(identity.CertificateId)
LINK = IdType(identity.LoginLinkId)


@group("organization")
def organization() -> None:
    """Organisations: kind, credit code, region, level."""


@organization.command("register")
@argument("name")
@option("--kind", metavar="KIND", type=Member(identity.OrganizationKind), required=True)
@option("--region", required=True)
@option("--code")
@option("--level", type=Member(identity.OrganizationLevel))
@can_be_repeated
@click.pass_obj
def register_organization(
    run: Invocation,
    name: str,
    kind: identity.OrganizationKind,
    region: str,
    code: str | None,
    level: identity.OrganizationLevel | None,
    command_id: trust.CommandId | None,
) -> None:
    """Register an organisation."""
    command = chosen(run, command_id)
    made = do(
        run,
        identity.register_organization,
        command,
        party=made_by(command, trust.PartyId),
        name=name,
        kind=kind,
        region=region,
        code=code,
        level=level,
    )
    _answer_organization(run, command, made)


@organization.command("describe")
@argument("party_id", type=PARTY)
@option("--kind", metavar="KIND", type=Member(identity.OrganizationKind), required=True)
@option("--region", required=True)
@option("--code")
@option("--level", type=Member(identity.OrganizationLevel))
@can_be_repeated
@click.pass_obj
def describe_organization(
    run: Invocation,
    party_id: trust.PartyId,
    kind: identity.OrganizationKind,
    region: str,
    code: str | None,
    level: identity.OrganizationLevel | None,
    command_id: trust.CommandId | None,
) -> None:
    """Say what kind of organisation a party is."""
    command = chosen(run, command_id)
    made = do(
        run,
        identity.describe_organization,
        command,
        party=party_id,
        kind=kind,
        region=region,
        code=code,
        level=level,
    )
    _answer_organization(run, command, made)


@organization.command("show")
@argument("party_id", type=PARTY)
@click.pass_obj
def show_organization(run: Invocation, party_id: trust.PartyId) -> None:
    """Show what is known of an organisation."""
    with reading(run) as (_, tx):
        found = identity.get_organization(tx, party_id)
    run.answer({"organization": plain_data(found)}, lambda: _organization_lines(run, found))


@group("mandate")
def mandate() -> None:
    """Accounts that act for an organisation."""


@mandate.command("give")
@argument("account_id", type=ACCOUNT)
@argument("party_id", type=PARTY)
@option(
    "--role",
    "roles",
    metavar="ROLE",
    multiple=True,
    required=True,
    type=Member(trust.Role, without=GIVEN_TO_NOBODY),
)
@option("--from", "from_at", type=INSTANT, required=True)
@option("--until", "until_at", type=INSTANT, required=True)
@option("--document", type=PATH, required=True)
@can_be_repeated
@click.pass_obj
def give_mandate(
    run: Invocation,
    account_id: trust.AccountId,
    party_id: trust.PartyId,
    roles: tuple[trust.Role, ...],
    from_at: datetime,
    until_at: datetime,
    document: Path,
    command_id: trust.CommandId | None,
) -> None:
    """Let an account act for a party."""
    command = chosen(run, command_id)
    with storage_errors(document), document.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    given = do(
        run,
        identity.give_mandate,
        command,
        mandate=made_by(command, identity.MandateId),
        account=account_id,
        party=party_id,
        roles=roles,
        from_at=from_at,
        until_at=until_at,
        document=digest,
    )
    run.answer(
        {"command": command, "mandate": plain_data(given)},
        lambda: [
            run.word("mandate.given"),
            *labelled([
                (run.word("head.mandate"), given.id),
                (run.word("head.account"), given.account),
                (run.word("head.party"), given.party),
                (run.word("head.role"), _roles(run, given)),
                (run.word("head.until"), run.moment(given.until_at)),
                (run.word("head.document"), given.document),
            ]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


@mandate.command("end")
@argument("mandate_id", type=MANDATE)
@can_be_repeated
@click.pass_obj
def end_mandate(
    run: Invocation, mandate_id: identity.MandateId, command_id: trust.CommandId | None
) -> None:
    """End a mandate."""
    command = chosen(run, command_id)
    ended = do(run, identity.end_mandate, command, mandate=mandate_id)
    run.answer(
        {"command": command, "mandate": plain_data(ended)},
        [run.word("mandate.ended", mandate=mandate_id), run.word("command.done", command=command)],
    )


@mandate.command("list")
@argument("party_id", type=PARTY)
@click.pass_obj
def list_mandates(run: Invocation, party_id: trust.PartyId) -> None:
    """List the mandates for a party or of its accounts."""
    with reading(run) as (_, tx):
        found = identity.find_mandates(tx, party=party_id)
    rows = [
        (one.id, one.account, one.party, _roles(run, one), run.moment(one.until_at),
         "" if one.ended_at is None else run.moment(one.ended_at))
        for one in found
    ]  # fmt: skip
    heads = run.heads("mandate", "account", "party", "role", "until", "ended")
    run.answer(
        {"items": plain_data(found)},
        table(heads, rows) if rows else [run.word("list.empty")],
    )


@group("certificate")
def certificate() -> None:
    """Client certificates of machines."""


@certificate.command("register")
@argument("account_id", type=ACCOUNT)
@argument("file", type=PATH)
@option("--label", required=True)
@can_be_repeated
@click.pass_obj
def register_certificate(
    run: Invocation,
    account_id: trust.AccountId,
    file: Path,
    label: str,
    command_id: trust.CommandId | None,
) -> None:
    """Let a machine act by a certificate."""
    command = chosen(run, command_id)
    known = read_certificate_file(file)
    made = do(
        run,
        identity.register_certificate,
        command,
        certificate=made_by(command, identity.CertificateId),
        account=account_id,
        fingerprint=known.fingerprint,
        expires_at=known.not_after,
        label=label,
    )
    run.answer(
        {"command": command, "certificate": plain_data(made)},
        lambda: [
            run.word("certificate.registered"),
            *labelled([
                (run.word("head.certificate"), made.id),
                (run.word("head.account"), made.account),
                (run.word("head.fingerprint"), made.fingerprint),
                (run.word("head.until"), run.moment(made.expires_at)),
            ]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


@certificate.command("revoke")
@argument("certificate_id", type=CERTIFICATE)
@can_be_repeated
@click.pass_obj
def revoke_certificate(
    run: Invocation, certificate_id: identity.CertificateId, command_id: trust.CommandId | None
) -> None:
    """Stop a certificate from working."""
    command = chosen(run, command_id)
    revoked = do(run, identity.revoke_certificate, command, certificate=certificate_id)
    run.answer(
        {"command": command, "certificate": plain_data(revoked)},
        [
            run.word("certificate.revoked", certificate=certificate_id),
            run.word("command.done", command=command),
        ],
    )


@group("link")
def link() -> None:
    """Logins at the identity provider."""


@link.command("make")
@argument("account_id", type=ACCOUNT)
@option("--issuer", required=True)
@option("--subject", required=True)
@can_be_repeated
@click.pass_obj
def make_link(
    run: Invocation,
    account_id: trust.AccountId,
    issuer: str,
    subject: str,
    command_id: trust.CommandId | None,
) -> None:
    """Let a login open an account."""
    command = chosen(run, command_id)
    made = do(
        run,
        identity.link_login,
        command,
        link=made_by(command, identity.LoginLinkId),
        account=account_id,
        issuer=issuer,
        subject=Hidden(subject),
    )
    run.answer(
        {"command": command, "link": made, "account": account_id},
        [run.word("link.made", link=made), run.word("command.done", command=command)],
    )


@link.command("end")
@argument("link_id", type=LINK)
@can_be_repeated
@click.pass_obj
def end_link(
    run: Invocation, link_id: identity.LoginLinkId, command_id: trust.CommandId | None
) -> None:
    """Stop a login from opening its account."""
    command = chosen(run, command_id)
    do(run, identity.unlink_login, command, link=link_id)
    run.answer(
        {"command": command, "link": link_id},
        [run.word("link.ended", link=link_id), run.word("command.done", command=command)],
    )


def _answer_organization(
    run: Invocation, command: trust.CommandId, made: identity.Organization
) -> None:
    run.answer(
        {"command": command, "organization": plain_data(made)},
        lambda: [
            run.word("organization.kept"),
            *_organization_lines(run, made),
            "",
            run.word("command.done", command=command),
        ],
    )


def _organization_lines(run: Invocation, one: identity.Organization) -> list[str]:
    mark = translate("trust.organization.demonstration", run.language)
    level = one.level
    code = one.code if not one.demonstration else f"{one.code}（{mark}）"
    kind = translate(f"trust.organization.kind.{one.kind.value}", run.language)
    return labelled([
        (run.word("head.party"), one.party),
        (run.word("head.kind"), kind),
        (run.word("head.credit_code"), code),
        (run.word("head.division"), one.region),
        (
            run.word("head.level"),
            level and translate(f"trust.organization.level.{level.value}", run.language),
        ),
    ])  # fmt: skip


def _roles(run: Invocation, one: identity.Mandate) -> str:
    return "、".join(run.word(f"role_name.{role.value}") for role in one.roles)
