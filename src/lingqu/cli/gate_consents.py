# SPDX-License-Identifier: Apache-2.0
"""`lingqu gate consent`: put persons' consents on record, withdraw them, list them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from lingqu import gate as gates
from lingqu import trust
from lingqu.cli import gate_lists  # noqa: F401  # its commands stand in the same group
from lingqu.cli.acting import (
    act,
    caller,
    can_be_repeated,
    chosen,
    listed,
    made_by,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.gate import PATH, PRODUCT, gate
from lingqu.cli.grammar import argument, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled
from lingqu.cli.values import INSTANT, IdType
from lingqu.errands import record_consent as record
from lingqu.gate import consents
from lingqu.kernel.time import Instant, Period
from lingqu.runtime.blobs import storage_errors

CONSENT = IdType(consents.ConsentId)


@gate.group("consent")
def consent() -> None:
    """Consents of persons."""


@consent.command("record")
@argument("product_id", type=PRODUCT)
@argument("holder", type=PARTY)
@argument("subject")
@option("--purpose", required=True)
@option("--from", "start", type=INSTANT, required=True)
@option("--until", "end", type=INSTANT, required=True)
@option("--document", type=PATH, required=True)
@can_be_repeated
@click.pass_obj
def record_consent(
    run: Invocation,
    product_id: gates.ProductId,
    holder: trust.PartyId,
    subject: str,
    purpose: str,
    start: Instant,
    end: Instant,
    document: Path,
    command_id: trust.CommandId | None,
) -> None:
    """Record that a person lets a party ask about them."""
    command = chosen(run, command_id)
    with storage_errors(document):
        evidence = hashlib.sha256(document.read_bytes()).digest()
    with opened(run) as app:
        made = record(
            app,
            caller(run),
            command,
            consent=made_by(command, consents.ConsentId),
            product=product_id,
            holder=holder,
            key=subject,
            purpose=purpose,
            valid=Period(start, end),
            evidence=evidence,
        )
    _answer(run, command, made, "gate.consent.recorded")


@consent.command("withdraw")
@argument("consent_id", type=CONSENT)
@can_be_repeated
@click.pass_obj
def withdraw_consent(
    run: Invocation, consent_id: consents.ConsentId, command_id: trust.CommandId | None
) -> None:
    """Withdraw a consent at once."""
    command = chosen(run, command_id)
    with opened(run) as app:
        gone = act(run, app, consents.withdraw_consent, command, consent=consent_id)
    _answer(run, command, gone, "gate.consent.withdrawn")


@consent.command("list")
@argument("holder", type=PARTY)
@option("--product", "product_id", type=PRODUCT)
@paged
@click.pass_obj
def list_consents(
    run: Invocation,
    holder: trust.PartyId,
    product_id: gates.ProductId | None,
    limit: int,
    after: str | None,
) -> None:
    """List the consents a party holds."""
    with reading(run) as (_, tx):
        page = consents.find_consents(
            tx, page=page_of(limit, after), holder=holder, product=product_id
        )
    heads = run.heads("consent", "product", "purpose", "until", "withdrawn")
    rows = [
        (one.id, one.product, one.purpose, run.moment(one.until_at),
         "" if one.withdrawn_at is None else run.moment(one.withdrawn_at))
        for one in page.items
    ]  # fmt: skip
    listed(run, page, heads, rows)


def _answer(run: Invocation, command: trust.CommandId, one: consents.Consent, word: str) -> None:
    run.answer(
        {"command": command, "consent": plain_data(one)},
        lambda: [
            run.word(word),
            *labelled([
                (run.word("head.consent"), one.id),
                (run.word("head.product"), one.product),
                (run.word("head.purpose"), one.purpose),
                (run.word("head.until"), run.moment(one.until_at)),
            ]),
        ],
    )  # fmt: skip
