# SPDX-License-Identifier: Apache-2.0
"""`lingqu market`: the venue, payments, the catalog, fees, contracts and their papers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from lingqu import market as markets
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
from lingqu.cli.text import labelled, table
from lingqu.cli.values import DAY, PATH, IdType, Member
from lingqu.kernel.money import Money
from lingqu.market import listings, prices
from lingqu.runtime import documents

PARTY = IdType(trust.PartyId)
PRICE = IdType(prices.PriceId)
LISTING = IdType(listings.ListingId)
CONTRACT = IdType(markets.ContractId)
FORMAT = Member(documents.Format)


@group("market")
def market() -> None:
    """The venue and what is traded there."""


@market.command("open")
@argument("venue", type=PARTY)
@can_be_repeated
@click.pass_obj
def open_venue(run: Invocation, venue: trust.PartyId, command_id: trust.CommandId | None) -> None:
    """Make a party the region's venue."""
    command = chosen(run, command_id)
    made = do(run, markets.open_venue, command, venue=venue)
    run.answer(
        {"command": command, "venue": plain_data(made)},
        lambda: [run.word("market.opened"), *_venue_lines(run, made)],
    )


@market.command("venues")
@click.pass_obj
def list_venues(run: Invocation) -> None:
    """List the venues."""
    with reading(run) as (_, tx):
        found = markets.find_venues(tx)
    rows = [(one.party, one.name, one.bank) for one in found]
    run.answer(
        {"items": plain_data(found)},
        table(run.heads("party", "name", "account"), rows) if rows else [run.word("list.empty")],
    )


@market.command("deposit")
@argument("party", type=PARTY)
@argument("amount", type=click.IntRange(min=1))
@option("--venue", type=PARTY, required=True)
@option("--reference", required=True)
@option("--on", "paid_on", type=DAY, required=True)
@option(
    "--direction",
    type=Member(markets.Direction),
    default=markets.Direction.IN.value,
    show_default=True,
)
@can_be_repeated
@click.pass_obj
def record_deposit(
    run: Invocation,
    party: trust.PartyId,
    amount: int,
    venue: trust.PartyId,
    reference: str,
    paid_on: date,
    direction: markets.Direction,
    command_id: trust.CommandId | None,
) -> None:
    """Record a payment of a party to the venue, or back to the party."""
    command = chosen(run, command_id)
    made = do(
        run,
        markets.record_deposit,
        command,
        deposit=made_by(command, markets.DepositId),
        venue=venue,
        party=party,
        direction=direction,
        amount=amount,
        reference=reference,
        paid_on=paid_on,
    )
    run.answer(
        {"command": command, "deposit": plain_data(made)},
        lambda: [
            run.word("market.recorded"),
            *labelled([
                (run.word("head.party"), made.party),
                (run.word("head.amount"), _yuan(made.amount)),
                (run.word("head.reference"), made.reference),
            ]),
        ],
    )  # fmt: skip


@market.command("members")
@option("--party", type=PARTY)
@paged
@click.pass_obj
def list_members(
    run: Invocation, party: trust.PartyId | None, limit: int, after: str | None
) -> None:
    """List who is admitted or has applied."""
    with reading(run) as (_, tx):
        page = markets.find_members(tx, page=page_of(limit, after), party=party)
    rows = [
        (one.id, one.name, ", ".join(role.value for role in one.roles), one.state.value)
        for one in page.items
    ]
    listed(run, page, run.heads("id", "name", "role", "state"), rows)


@market.command("search")
@argument("question", default="")
@paged
@click.pass_obj
def search(run: Invocation, question: str, limit: int, after: str | None) -> None:
    """Search the catalog."""
    with reading(run) as (_, tx):
        page = listings.find_listings(tx, page=page_of(limit, after), question=question)
    rows = [(one.id, one.title, one.certificate or "") for one in page.items]
    listed(run, page, run.heads("id", "title", "certificate"), rows)


@market.command("listing")
@argument("listing_id", type=LISTING)
@click.pass_obj
def show_listing(run: Invocation, listing_id: listings.ListingId) -> None:
    """Show one listing with its fee."""
    with reading(run) as (_, tx):
        found = listings.get_listing(tx, listing_id)
        price = prices.find_price(tx, found.product)
    fees = None if price is None else price.schedule
    run.answer(
        {"listing": plain_data(found), "fees": plain_data(fees)},
        lambda: [
            *labelled([
                (run.word("head.title"), found.title),
                (run.word("head.summary"), found.summary),
                (run.word("head.state"), found.state.value),
                (run.word("head.certificate"), found.certificate),
                (run.word("head.code"), found.code),
            ]),
            *(() if fees is None else markets.fee_lines(fees)),
        ],
    )  # fmt: skip


@market.command("certificate")
@argument("listing_id", type=LISTING)
@option("--format", "to", type=FORMAT, default=documents.Format.PDF.value, show_default=True)
@option("--output", type=PATH)
@click.pass_obj
def print_certificate(
    run: Invocation, listing_id: listings.ListingId, to: documents.Format, output: Path | None
) -> None:
    """Write the certificate of a product."""
    settings = run.settings()
    with reading(run) as (app, tx):
        number = listings.get_listing(tx, listing_id).certificate
        base = settings.base_url or f"https://{app.installation.origin}"
        link = f"{base}/api/v1/market/certificates/{number}"
        paper = markets.certificate_paper(tx, listing_id, link=link)
        write_paper(run, app, paper, to, output or Path(f"{number}.{to.value}"))


@market.command("prices")
@option("--product")
@paged
@click.pass_obj
def list_prices(run: Invocation, product: str | None, limit: int, after: str | None) -> None:
    """List fees."""
    with reading(run) as (_, tx):
        page = prices.find_prices(tx, page=page_of(limit, after), product=product)
    rows = [
        (
            one.id,
            one.product,
            one.basis.value,
            one.state.value,
            "" if one.ceiling is None else _yuan(one.ceiling),
            "" if one.schedule is None else _yuan(one.schedule.highest_minor),
        )
        for one in page.items
    ]
    listed(run, page, run.heads("id", "product", "kind", "state", "ceiling", "fee"), rows)


@market.command("price")
@argument("price_id", type=PRICE)
@click.pass_obj
def show_price(run: Invocation, price_id: prices.PriceId) -> None:
    """Show one fee with the working behind it."""
    with reading(run) as (_, tx):
        found = prices.get_price(tx, price_id)
    rows = [
        (
            one.article,
            ", ".join(f"{name} {value:,}" for name, value in one.inputs.items()),
            f"{one.result:,}",
        )
        for one in found.steps
    ]
    run.answer(
        {"price": plain_data(found), "working": plain_data(found.steps)},
        lambda: [
            *labelled([
                (run.word("head.product"), found.product),
                (run.word("head.state"), found.state.value),
            ]),
            *(() if found.schedule is None else markets.fee_lines(found.schedule)),
            "",
            *table(run.heads("ground", "inputs", "result"), rows),
        ],
    )  # fmt: skip


@market.command("contracts")
@option("--party", type=PARTY)
@paged
@click.pass_obj
def list_contracts(
    run: Invocation, party: trust.PartyId | None, limit: int, after: str | None
) -> None:
    """List contracts."""
    with reading(run) as (_, tx):
        page = markets.find_contracts(tx, page=page_of(limit, after), party=party)
    rows = [
        (one.id, one.product, one.buyer, one.state.value, _yuan(one.held_minor))
        for one in page.items
    ]
    listed(run, page, run.heads("id", "product", "buyer", "state", "frozen"), rows)


@market.command("contract")
@argument("contract_id", type=CONTRACT)
@click.pass_obj
def show_contract(run: Invocation, contract_id: markets.ContractId) -> None:
    """Show one contract as the standard has it."""
    with reading(run) as (_, tx):
        found = markets.get_contract(tx, contract_id)
        document = markets.contract_document(tx, contract_id)
    run.answer(
        {"contract": plain_data(found), "document": document},
        lambda: [
            *labelled([
                (run.word("head.product"), found.product),
                (run.word("head.seller"), found.seller),
                (run.word("head.buyer"), found.buyer),
                (run.word("head.state"), f"{found.status} {found.state.value}"),
                (run.word("head.quota"), f"{found.quota:,}"),
                (run.word("head.deposit"), _yuan(found.deposit)),
                (run.word("head.frozen"), _yuan(found.held_minor)),
                ("SHA-256", found.digest),
            ]),
            *markets.fee_lines(found.schedule),
        ],
    )  # fmt: skip


@market.command("paper")
@argument("contract_id", type=CONTRACT)
@option("--format", "to", type=FORMAT, default=documents.Format.DOCX.value, show_default=True)
@option("--output", type=PATH)
@click.pass_obj
def print_contract(
    run: Invocation, contract_id: markets.ContractId, to: documents.Format, output: Path | None
) -> None:
    """Write a contract as Word or PDF."""
    with reading(run) as (app, tx):
        paper = markets.contract_paper(tx, contract_id)
        write_paper(run, app, paper, to, output or Path(f"{contract_id}.{to.value}"))


def _venue_lines(run: Invocation, venue: markets.Venue) -> list[str]:
    return labelled([
        (run.word("head.party"), venue.party),
        (run.word("head.name"), venue.name),
        (run.word("head.account"), venue.bank),
    ])  # fmt: skip


def _yuan(minor: int) -> str:
    return documents.format_amount(Money(minor, "CNY"))
