# SPDX-License-Identifier: Apache-2.0
"""`lingqu interop`: other installations, listings offered to them, listings they handed in."""

from __future__ import annotations

from pathlib import Path

import click

from lingqu import interop as exchange
from lingqu import trust
from lingqu.cli.acting import (
    act,
    caller,
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
from lingqu.cli.text import labelled
from lingqu.cli.values import FILE_BYTES_MAX, PATH, IdType, JsonFile
from lingqu.kernel import errors
from lingqu.runtime.blobs import replace_file, storage_errors

PEER = IdType(exchange.PeerId)
OFFER = IdType(exchange.OfferId)
PARTY = IdType(trust.PartyId)


class Unreadable(errors.Rejected):
    """The file cannot be read as text, or is larger than 4 MiB."""

    code = "cli.file.unreadable"


@group("interop")
def interop() -> None:
    """What is exchanged with other installations."""


@interop.command("key")
@click.pass_obj
def show_key(run: Invocation) -> None:
    """Show the key that others check our documents with."""
    with opened(run) as app:
        key = exchange.own_key(app.keyring, app.installation.origin)
    run.answer(
        {"origin": key.name, "verifier_key": str(key), "fingerprint": key.fingerprint},
        lambda: labelled([
            (run.word("head.origin"), key.name),
            (run.word("head.key"), str(key)),
            (run.word("head.fingerprint"), key.fingerprint),
        ]),
    )  # fmt: skip


@interop.group("peer")
def peer() -> None:
    """Other installations that are known here."""


@peer.command("register")
@argument("verifier_key")
@option("--name", required=True)
@option("--party", type=PARTY, required=True)
@option("--url")
@option("--handler", type=PARTY)
@can_be_repeated
@click.pass_obj
def register_peer(
    run: Invocation,
    verifier_key: str,
    name: str,
    party: trust.PartyId,
    url: str | None,
    handler: trust.PartyId | None,
    command_id: trust.CommandId | None,
) -> None:
    """Register another installation."""
    command = chosen(run, command_id)
    made = do(
        run,
        exchange.register_peer,
        command,
        peer=made_by(command, exchange.PeerId),
        verifier_key=verifier_key,
        name=name,
        party=party,
        url=url,
        handler=handler,
    )
    run.answer(
        {"command": command, "peer": plain_data(made)},
        [run.word("interop.peer.registered", peer=made.id, name=made.name)],
    )


@peer.command("end")
@argument("peer_id", type=PEER)
@can_be_repeated
@click.pass_obj
def end_peer(run: Invocation, peer_id: exchange.PeerId, command_id: trust.CommandId | None) -> None:
    """End the exchange with an installation."""
    command = chosen(run, command_id)
    ended = do(run, exchange.end_peer, command, peer=peer_id)
    run.answer(
        {"command": command, "peer": plain_data(ended)},
        [run.word("interop.peer.ended", peer=peer_id)],
    )


@peer.command("list")
@paged
@click.pass_obj
def list_peers(run: Invocation, limit: int, after: str | None) -> None:
    """List other installations."""
    with reading(run) as (_, tx):
        page = exchange.find_peers(tx, page=page_of(limit, after))
    rows = [(one.id, one.name, one.origin, one.url or "") for one in page.items]
    heads = run.heads("peer", "name", "origin", "address")
    listed(run, page, heads, rows)


@interop.group("offer")
def offer() -> None:
    """Listings for venues elsewhere."""


@offer.command("prepare")
@argument("listing", type=JsonFile(exchange.Listing))
@option("--peer", "peer_id", type=PEER, required=True)
@option("--party", type=PARTY, required=True)
@can_be_repeated
@click.pass_obj
def prepare_offer(
    run: Invocation,
    listing: exchange.Listing,
    peer_id: exchange.PeerId,
    party: trust.PartyId,
    command_id: trust.CommandId | None,
) -> None:
    """Fix what is offered to a venue."""
    command = chosen(run, command_id)
    made = do(
        run,
        exchange.prepare_offer,
        command,
        offer=made_by(command, exchange.OfferId),
        peer=peer_id,
        party=party,
        listing=listing,
    )
    _answer_offer(run, command, made)


@offer.command("sign")
@argument("offer_id", type=OFFER)
@option("--output", type=PATH, required=True)
@click.pass_obj
def sign_offer(run: Invocation, offer_id: exchange.OfferId, output: Path) -> None:
    """Write the signed document of an offer into a file."""
    with reading(run) as (app, tx):
        text = exchange.signed_offer(tx, app.keyring, offer_id)
    with storage_errors(output):
        replace_file(output, text.encode())
    run.answer({"file": output}, [run.word("interop.written", file=str(output))])


@offer.command("deliver")
@argument("offer_id", type=OFFER)
@option("--status", "receipt", type=PATH)
@can_be_repeated
@click.pass_obj
def deliver_offer(
    run: Invocation,
    offer_id: exchange.OfferId,
    receipt: Path | None,
    command_id: trust.CommandId | None,
) -> None:
    """Hand an offer to its venue."""
    command = chosen(run, command_id)
    with opened(run) as app:
        if receipt is None:
            after = exchange.deliver_offer(
                app.database, app.keyring, caller(run), command, offer=offer_id
            )
        else:
            told = _read(receipt)
            with app.database.reading(caller(run)) as tx:
                document = exchange.signed_offer(tx, app.keyring, offer_id)
            after = act(
                run,
                app,
                exchange.deliver_signed_offer,
                command,
                offer=offer_id,
                document=document,
                status=told,
            )
    _answer_offer(run, command, after)


@offer.command("reconcile")
@argument("offer_id", type=OFFER)
@option("--status", "told", type=PATH)
@can_be_repeated
@click.pass_obj
def reconcile_offer(
    run: Invocation,
    offer_id: exchange.OfferId,
    told: Path | None,
    command_id: trust.CommandId | None,
) -> None:
    """Take over how an offer stands with its venue."""
    command = chosen(run, command_id)
    with opened(run) as app:
        if told is None:
            after = exchange.reconcile_offer(app.database, caller(run), command, offer=offer_id)
        else:
            status = _read(told)
            after = act(
                run, app, exchange.reconcile_signed_status, command, offer=offer_id, status=status
            )
    _answer_offer(run, command, after)


@offer.command("close")
@argument("offer_id", type=OFFER)
@can_be_repeated
@click.pass_obj
def close_offer(
    run: Invocation, offer_id: exchange.OfferId, command_id: trust.CommandId | None
) -> None:
    """Give up an offer."""
    command = chosen(run, command_id)
    closed = do(run, exchange.close_offer, command, offer=offer_id)
    _answer_offer(run, command, closed)


@offer.command("list")
@option("--party", type=PARTY)
@paged
@click.pass_obj
def list_offers(
    run: Invocation, party: trust.PartyId | None, limit: int, after: str | None
) -> None:
    """List listings for venues elsewhere."""
    with reading(run) as (_, tx):
        page = exchange.find_offers(tx, page=page_of(limit, after), party=party)
    rows = [
        (one.id, exchange.read_listing(one).title, _state(run, one), one.reference or "")
        for one in page.items
    ]
    heads = run.heads("offer", "title", "state", "reference")
    listed(run, page, heads, rows)


@interop.group("listing")
def listing() -> None:
    """Listings that other installations hand in."""


@listing.command("receive")
@argument("file", type=PATH)
@option("--output", type=PATH)
@can_be_repeated
@click.pass_obj
def receive_listing(
    run: Invocation, file: Path, output: Path | None, command_id: trust.CommandId | None
) -> None:
    """Take a signed listing out of a file, and give the signed receipt."""
    command = chosen(run, command_id)
    with opened(run) as app:
        status = exchange.accept_listing(
            app.database, app.keyring, caller(run), command, _read(file)
        )
    _answer_status(run, status, output)


@listing.command("status")
@argument("offer_id", type=OFFER)
@argument("digest")
@option("--output", type=PATH)
@click.pass_obj
def show_status(
    run: Invocation, offer_id: exchange.OfferId, digest: str, output: Path | None
) -> None:
    """Say, signed, how a listing stands that was handed in here."""
    with opened(run) as app:
        status = exchange.answer_status(app.database, app.keyring, offer=offer_id, digest=digest)
    _answer_status(run, status, output)


@listing.command("list")
@option("--handler", type=PARTY)
@paged
@click.pass_obj
def list_received(
    run: Invocation, handler: trust.PartyId | None, limit: int, after: str | None
) -> None:
    """List what other installations handed in."""
    with reading(run) as (_, tx):
        page = exchange.find_received_listings(tx, page=page_of(limit, after), handler=handler)
    rows = [(one.id, one.title, one.procedure, run.moment(one.received_at)) for one in page.items]
    heads = run.heads("listing", "title", "procedure", "at")
    listed(run, page, heads, rows)


def _answer_offer(run: Invocation, command: trust.CommandId, after: exchange.Offer) -> None:
    run.answer(
        {"command": command, "offer": plain_data(after)},
        lambda: [
            *labelled([
                (run.word("head.offer"), after.id),
                (run.word("head.title"), exchange.read_listing(after).title),
                (run.word("head.state"), _state(run, after)),
                (run.word("head.reference"), after.reference or "—"),
            ]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


def _answer_status(run: Invocation, status: str, output: Path | None) -> None:
    told = exchange.read_document(status, exchange.Purpose.STATUS).content
    if output is not None:
        with storage_errors(output):
            replace_file(output, status.encode())
    run.answer(
        {"status": status, "content": told},
        lambda: labelled([
            (run.word("head.listing"), str(told["reference"])),
            (run.word("head.state"), run.word(f"interop.state.{told['state']}")),
        ]),
    )  # fmt: skip


def _state(run: Invocation, offer: exchange.Offer) -> str:
    if offer.closed_at is not None:
        return run.word("interop.state.closed")
    return run.word(f"interop.state.{offer.state.value if offer.state else 'prepared'}")


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened_file:
            content = opened_file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise Unreadable(file=str(file))
        return content.decode().strip()
    except (OSError, UnicodeDecodeError):
        raise Unreadable(file=str(file)) from None
