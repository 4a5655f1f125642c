# SPDX-License-Identifier: Apache-2.0
"""`lingqu grant`: record grounds, issue, explain, check, narrow and revoke grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import click

from lingqu import rights, trust
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
from lingqu.cli.invocation import Invocation, json_text, plain_data
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled, table
from lingqu.cli.values import IdType, Member
from lingqu.kernel import errors
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.values import BadValue, from_plain
from lingqu.rights import obligations, quantities
from lingqu.runtime.i18n import translate

GRANT, GROUND = IdType(rights.GrantId), IdType(rights.GroundId)


class TermsType(click.ParamType[TermsForm]):
    """Terms of use as the JSON that the API takes; raises BadValue."""

    name = "JSON"

    def convert(
        self, value: str | TermsForm, param: click.Parameter | None, ctx: click.Context | None
    ) -> TermsForm:
        """This will read the text."""
        if isinstance(value, TermsForm):
            return value
        try:
            return from_plain(TermsForm, json.loads(value))
        except ValueError:
            raise BadValue(where="JSON") from None


class DigestType(click.ParamType[bytes]):
    """A SHA-256 in hexadecimal; raises BadValue."""

    name = "SHA-256"

    def convert(
        self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        """This will read the text."""
        return value if isinstance(value, bytes) else from_plain(bytes, value)


class QuantityType(click.ParamType[rights.Quantity]):
    """A quantity, `calls=1000`; raises BadValue."""

    name = "currency=amount"

    def convert(
        self,
        value: str | rights.Quantity,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> rights.Quantity:
        """This will read the text; what a currency may be given is said by the command."""
        if isinstance(value, rights.Quantity):
            return value
        currency, _, amount = value.partition("=")
        if not (currency and amount.isascii() and amount.isdigit() and len(amount) <= DIGITS_MAX):
            raise BadValue(where="currency=amount")
        return rights.Quantity(currency=currency, amount=int(amount))


DIGITS_MAX = 16
TERMS, DIGEST, QUANTITY = TermsType(), DigestType(), QuantityType()


@group("grant")
def grant() -> None:
    """Grants and the grounds they stand on."""


@grant.command("ground")
@argument("party", type=PARTY)
@argument("title")
@option("--kind", type=Member(rights.GroundKind), required=True)
@option("--evidence", type=DIGEST, required=True)
@option("--article", "articles", multiple=True)
@option("--assessment", type=DIGEST)
@can_be_repeated
@click.pass_obj
def record_ground(
    run: Invocation,
    party: trust.PartyId,
    title: str,
    kind: rights.GroundKind,
    evidence: bytes,
    articles: tuple[str, ...],
    assessment: bytes | None,
    command_id: trust.CommandId | None,
) -> None:
    """Record a ground."""
    command = chosen(run, command_id)
    made = do(
        run,
        rights.record_ground,
        command,
        ground=made_by(command, rights.GroundId),
        kind=kind,
        title=title,
        party=party,
        evidence=evidence,
        articles=articles,
        assessment=assessment,
    )
    run.answer(
        {"command": command, "ground": plain_data(made)},
        [run.word("grant.ground_recorded", ground=made.id), *_done(run, command)],
    )


@grant.command("root")
@argument("ground", type=GROUND)
@argument("holder", type=PARTY)
@option("--kind", type=Member(rights.GrantKind), required=True)
@option("--terms", type=TERMS, default="{}")
@option("--quota", "quotas", type=QUANTITY, multiple=True)
@can_be_repeated
@click.pass_obj
def issue_root(
    run: Invocation,
    ground: rights.GroundId,
    holder: trust.PartyId,
    kind: rights.GrantKind,
    terms: TermsForm,
    quotas: tuple[rights.Quantity, ...],
    command_id: trust.CommandId | None,
) -> None:
    """Issue a grant from a ground."""
    command = chosen(run, command_id)
    made = do(
        run,
        rights.issue_root,
        command,
        grant=made_by(command, rights.GrantId),
        ground=ground,
        holder=holder,
        kind=kind,
        terms=terms,
        quotas=quotas,
    )
    answer_issued(run, command, made)


@grant.command("issue")
@argument("parent", type=GRANT)
@argument("holder", type=PARTY)
@option("--kind", type=Member(rights.GrantKind), required=True)
@option("--terms", type=TERMS, default="{}")
@option("--quota", "quotas", type=QUANTITY, multiple=True)
@can_be_repeated
@click.pass_obj
def issue(
    run: Invocation,
    parent: rights.GrantId,
    holder: trust.PartyId,
    kind: rights.GrantKind,
    terms: TermsForm,
    quotas: tuple[rights.Quantity, ...],
    command_id: trust.CommandId | None,
) -> None:
    """Issue a grant below another."""
    command = chosen(run, command_id)
    made = do(
        run,
        rights.issue_grant,
        command,
        grant=made_by(command, rights.GrantId),
        parent=parent,
        holder=holder,
        kind=kind,
        terms=terms,
        quotas=quotas,
    )
    answer_issued(run, command, made)


@grant.command("show")
@argument("grant_id", type=GRANT)
@click.pass_obj
def show(run: Invocation, grant_id: rights.GrantId) -> None:
    """Show a grant and whether it is alive."""
    with reading(run) as (_, tx):
        found = rights.get_grant(tx, grant_id)
        life = rights.find_life(tx, found)
        fresh = rights.get_freshness(tx, grant_id)
        quotas = quantities.get_quota(tx, grant_id)
        owed = obligations.find_obligations(tx, grant=grant_id)
    run.answer(
        {
            "grant": plain_data(found),
            "standing": plain_data(life),
            "freshness": plain_data(fresh),
            "quotas": plain_data(quotas),
            "obligations": plain_data(owed),
        },
        lambda: [
            *labelled([
                (run.word("head.grant"), found.id),
                (run.word("head.holder"), found.holder),
                (run.word("head.kind"), _kind(run, found.kind)),
                (run.word("head.standing"), _standing(run, life)),
                (run.word("head.under"), found.parent or found.ground),
                (run.word("head.issued"), run.moment(found.issued_at)),
                (run.word("head.terms"), found.effective),
            ]),
            *_quota_lines(run, quotas),
            *_owed_lines(run, owed),
        ],
    )  # fmt: skip


@grant.command("explain")
@argument("grant_id", type=GRANT)
@click.pass_obj
def explain(run: Invocation, grant_id: rights.GrantId) -> None:
    """Tell the path from a grant up to its ground."""
    with reading(run) as (_, tx):
        explained = rights.explain_grant(tx, grant_id)
    run.answer(
        {
            "path": [one.id for one in explained.path],
            "articles": list(explained.ground.articles),
            "zh": list(rights.explanation_lines(explained, "zh-CN")),
            "en": list(rights.explanation_lines(explained, "en")),
        },
        lambda: list(rights.explanation_lines(explained, run.language)),
    )


@grant.command("policy")
@argument("grant_id", type=GRANT)
@option(
    "--format",
    "wanted",
    type=Member(rights.exchange.PolicyFormat),
    default=rights.exchange.PolicyFormat.ODRL,
)
@click.pass_obj
def show_policy(
    run: Invocation, grant_id: rights.GrantId, wanted: rights.exchange.PolicyFormat
) -> None:
    """Write a grant as a policy."""
    with reading(run) as (_, tx), reasons(run):
        policy = rights.exchange.policy_of(tx, grant_id)
        written = rights.exchange.write_policy(policy, wanted)
    run.answer(written, [json_text(written)])


@grant.command("list")
@option("--holder", type=PARTY)
@option("--under", type=GRANT)
@paged
@click.pass_obj
def show_all(
    run: Invocation,
    holder: trust.PartyId | None,
    under: rights.GrantId | None,
    limit: int,
    after: str | None,
) -> None:
    """List grants."""
    with reading(run) as (_, tx):
        page = rights.find_grants(tx, page=page_of(limit, after), holder=holder, parent=under)
        lives = [rights.find_life(tx, one) for one in page.items]
    rows = [
        (one.id, one.holder, _kind(run, one.kind), _standing(run, life))
        for one, life in zip(page.items, lives, strict=True)
    ]
    heads = run.heads("grant", "holder", "kind", "standing")
    listed(run, page, heads, rows)


@grant.command("check")
@argument("grant_id", type=GRANT)
@option("--purpose", required=True)
@option("--action", required=True)
@option("--territory", required=True)
@option("--environment", required=True)
@option("--recipient", required=True)
@option("--field", "fields", multiple=True)
@option("--level", type=int, default=0)
@click.pass_obj
def check(
    run: Invocation,
    grant_id: rights.GrantId,
    purpose: str,
    action: str,
    territory: str,
    environment: str,
    recipient: str,
    fields: tuple[str, ...],
    level: int,
) -> None:
    """Ask whether a use is permitted now."""
    use = rights.Use(
        purpose=purpose,
        action=action,
        territory=territory,
        environment=environment,
        recipient=recipient,
        fields=fields,
        level=level,
    )
    with reading(run) as (_, tx):
        fresh = rights.check_grant(tx, grant=grant_id, use=use)
    run.answer({"permitted": True, "freshness": plain_data(fresh)}, [run.word("grant.permitted")])


@grant.command("revoke")
@argument("grant_id", type=GRANT)
@option("--cause", type=Member(rights.RevocationCause), required=True)
@option("--article")
@can_be_repeated
@click.pass_obj
def revoke(
    run: Invocation,
    grant_id: rights.GrantId,
    cause: rights.RevocationCause,
    article: str | None,
    command_id: trust.CommandId | None,
) -> None:
    """Revoke a grant and everything below it."""
    command = chosen(run, command_id)
    ending = do(run, rights.revoke_grant, command, grant=grant_id, cause=cause, article=article)
    run.answer(
        {"command": command, "ending": plain_data(ending)},
        [run.word("grant.revoked", grant=grant_id), *_done(run, command)],
    )


@grant.command("narrow")
@argument("grant_id", type=GRANT)
@option("--terms", type=TERMS, required=True)
@can_be_repeated
@click.pass_obj
def narrow(
    run: Invocation,
    grant_id: rights.GrantId,
    terms: TermsForm,
    command_id: trust.CommandId | None,
) -> None:
    """Bring a grant and everything below it under narrower terms."""
    command = chosen(run, command_id)
    done = do(run, rights.narrow_grant, command, grant=grant_id, terms=terms)
    _answer_succession(run, command, done)


@grant.command("adopt")
@argument("grant_id", type=GRANT)
@can_be_repeated
@click.pass_obj
def adopt(run: Invocation, grant_id: rights.GrantId, command_id: trust.CommandId | None) -> None:
    """End a grant and hang its children under its parent."""
    command = chosen(run, command_id)
    done = do(run, rights.adopt_children, command, grant=grant_id)
    _answer_succession(run, command, done)


def answer_issued(run: Invocation, command: trust.CommandId, made: rights.Grant) -> None:
    """This will say that a grant was issued."""
    run.answer(
        {"command": command, "grant": plain_data(made)},
        [run.word("grant.issued", grant=made.id), *_done(run, command)],
    )


def _answer_succession(run: Invocation, command: trust.CommandId, done: rights.Succession) -> None:
    rows = list(zip(done.old, done.new, strict=True))
    run.answer(
        {"command": command, "succession": plain_data(done)},
        lambda: [
            run.word("grant.ended", grant=done.ended),
            *(table(run.heads("before", "now"), rows) if rows else []),
            *_done(run, command),
        ],
    )


def _quota_lines(run: Invocation, quotas: tuple[quantities.QuotaState, ...]) -> list[str]:
    rows = [(one.currency, one.available, one.reserved, one.unswept) for one in quotas]
    heads = run.heads("currency", "available", "reserved", "unswept")
    return ["", *table(heads, rows)] if rows else []


def _owed_lines(run: Invocation, owed: tuple[obligations.Owed, ...]) -> list[str]:
    rows = [
        (
            one.obligation.id,
            translate(f"rights.obligation.{one.obligation.kind.value}", run.language),
            translate(f"rights.obligation_state.{one.obligation.state.value}", run.language),
            "" if one.due_at is None else run.moment(one.due_at),
        )
        for one in owed
    ]
    return ["", *table(run.heads("obligation", "kind", "state", "due"), rows)] if rows else []


def _done(run: Invocation, command: trust.CommandId) -> list[str]:
    return ["", run.word("command.done", command=command)]


def _kind(run: Invocation, kind: rights.GrantKind) -> str:
    return translate(f"rights.kind.{kind.value}", run.language)


def _standing(run: Invocation, life: rights.Life) -> str:
    return translate(f"rights.standing.{life.standing.value}", run.language)


@contextmanager
def reasons(run: Invocation) -> Iterator[None]:
    """This will put the reason of a refused policy before the refusal, which says where."""
    try:
        yield
    except errors.Rejected as refusal:
        words = rights.exchange.explain_reason(refusal, run.language)
        if words is not None:
            run.say(run.word("policy.reason", words=words))
        raise
