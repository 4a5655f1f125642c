# SPDX-License-Identifier: Apache-2.0
"""`lingqu market`, continued: plans, settled days, bills, the buyer's log, payables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from lingqu import market as markets
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
from lingqu.cli.grammar import argument, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.market import CONTRACT, FORMAT, LISTING, PARTY, market
from lingqu.cli.papers import free_file
from lingqu.cli.text import labelled, table
from lingqu.cli.values import DAY, PATH, IdType, JsonFile
from lingqu.errands import issue_paper
from lingqu.kernel.money import Money
from lingqu.market import bills, distribution, settlement
from lingqu.market.listings import ListingId
from lingqu.runtime import documents, i18n
from lingqu.runtime.blobs import replace_file, storage_errors

__all__ = ("market",)

PAYABLE = IdType(distribution.PayableId)
SHEET = "xlsx"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A distribution plan as it is written in a file."""

    steps: tuple[distribution.Step, ...]
    source: str
    remittance: distribution.Remittance | None = None


@market.command("plan")
@argument("plan", type=JsonFile(PlanFile))
@option("--listing", "listing_id", type=LISTING, required=True)
@can_be_repeated
@click.pass_obj
def register_plan(
    run: Invocation, plan: PlanFile, listing_id: ListingId, command_id: trust.CommandId | None
) -> None:
    """Say how a listing's earnings are shared."""
    command = chosen(run, command_id)
    made = do(
        run,
        distribution.register_plan,
        command,
        plan=made_by(command, distribution.PlanId),
        listing=listing_id,
        steps=plan.steps,
        source=plan.source,
        remittance=plan.remittance,
    )
    rows = [(one.share.value, one.party, _percent(one.rate)) for one in plan.steps]
    run.answer(
        {"command": command, "plan": plain_data(made)},
        lambda: [
            run.word("market.planned"),
            made.id,
            *table(run.heads("share", "party", "rate"), rows),
        ],
    )


@market.command("settle")
@argument("day", type=DAY)
@option("--venue", type=PARTY, required=True)
@can_be_repeated
@click.pass_obj
def settle(
    run: Invocation, day: date, venue: trust.PartyId, command_id: trust.CommandId | None
) -> None:
    """Settle a day that the ledger has closed."""
    command = chosen(run, command_id)
    with opened(run) as app:
        made = act(
            run,
            app,
            distribution.settle_day,
            command,
            settlement=made_by(command, distribution.SettlementId),
            venue=venue,
            day=day,
        )
        with app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
            parts = distribution.find_payouts(tx, made.id)
    totals: dict[tuple[str, str], int] = {}
    for one in parts:
        key = one.share.value, str(one.party)
        totals[key] = totals.get(key, 0) + one.amount
    rows = [(share, party, _yuan(amount)) for (share, party), amount in totals.items()]
    run.answer(
        {"command": command, "settlement": plain_data(made), "payouts": plain_data(parts)},
        lambda: [
            run.word("market.settled", day=day.isoformat(), contracts=made.contracts),
            *table(run.heads("share", "party", "amount"), rows),
        ],
    )


@market.command("settlements")
@argument("venue", type=PARTY)
@paged
@click.pass_obj
def list_settlements(run: Invocation, venue: trust.PartyId, limit: int, after: str | None) -> None:
    """List settled days."""
    with reading(run) as (_, tx):
        page = distribution.find_settlements(tx, venue=venue, page=page_of(limit, after))
    rows = [
        (one.id, one.day.isoformat(), str(one.contracts), _yuan(one.shared)) for one in page.items
    ]
    listed(run, page, run.heads("id", "day", "contracts", "amount"), rows)


@market.command("freeze")
@argument("contract_id", type=CONTRACT)
@argument("amount", type=int)
@can_be_repeated
@click.pass_obj
def freeze(
    run: Invocation,
    contract_id: markets.ContractId,
    amount: int,
    command_id: trust.CommandId | None,
) -> None:
    """Freeze more of the buyer's money for a contract."""
    command = chosen(run, command_id)
    made = do(run, settlement.freeze_more, command, contract=contract_id, amount=amount)
    run.answer(
        {"command": command, "tally": plain_data(made)},
        lambda: [run.word("market.frozen"), *_tally_lines(run, made)],
    )


@market.command("tally")
@argument("contract_id", type=CONTRACT)
@click.pass_obj
def show_tally(run: Invocation, contract_id: markets.ContractId) -> None:
    """Show what a contract was charged to date."""
    with reading(run) as (_, tx):
        found = settlement.get_tally(tx, contract_id)
    run.answer({"tally": plain_data(found)}, _tally_lines(run, found))


@market.command("correct")
@argument("contract_id", type=CONTRACT)
@argument("call")
@argument("amount", type=int)
@option("--reason", required=True)
@option("--reference", required=True)
@can_be_repeated
@click.pass_obj
def correct(
    run: Invocation,
    contract_id: markets.ContractId,
    call: str,
    amount: int,
    reason: str,
    reference: str,
    command_id: trust.CommandId | None,
) -> None:
    """Take back what a call was charged wrongly."""
    command = chosen(run, command_id)
    made = do(
        run,
        settlement.correct_charge,
        command,
        correction=made_by(command, settlement.CorrectionId),
        contract=contract_id,
        call=call,
        amount=amount,
        reason=reason,
        reference=reference,
    )
    run.answer(
        {"command": command, "correction": plain_data(made)},
        lambda: [run.word("market.corrected", call=made.call, amount=_yuan(made.amount))],
    )


@market.command("bill")
@argument("contract_id", type=CONTRACT)
@option("--begins", type=DAY, required=True)
@option("--ends", type=DAY, required=True)
@option("--format", "to", type=click.Choice(["docx", "pdf", SHEET]))
@option("--output", type=PATH)
@click.pass_obj
def show_bill(
    run: Invocation,
    contract_id: markets.ContractId,
    begins: date,
    ends: date,
    to: str | None,
    output: Path | None,
) -> None:
    """Show what a contract was charged, or write it to a file."""
    with reading(run) as (app, tx):
        if to is None:
            bill = bills.get_bill(tx, contract=contract_id, begins=begins, ends=ends)
        elif to == SHEET:
            content = bills.write_calls(tx, contract=contract_id, begins=begins, ends=ends)
        else:
            paper = bills.bill_paper(tx, contract=contract_id, begins=begins, ends=ends)
            content = issue_paper(app, paper, to=documents.Format(to)).content
    if to is not None:
        _written(run, content, output or Path(f"{contract_id}.{to}"))
        return
    rows = [
        (one.day.isoformat(), one.rule.value, str(one.calls), str(one.units), _yuan(one.amount))
        for one in bill.rows
    ]
    sums = [
        (run.word(f"head.{name}"), _yuan(getattr(bill, name)))
        for name in ("charged", "corrected", "net", "posted", "late")
    ]
    run.answer(
        {"bill": plain_data(bill), "net": bill.net},
        [*table(run.heads("day", "rule", "calls", "units", "amount"), rows), "", *labelled(sums)],
    )


@market.command("reconcile")
@argument("contract_id", type=CONTRACT)
@argument("log", type=PATH)
@option("--begins", type=DAY, required=True)
@option("--ends", type=DAY, required=True)
@option("--output", type=PATH)
@click.pass_obj
def reconcile(
    run: Invocation,
    contract_id: markets.ContractId,
    log: Path,
    begins: date,
    ends: date,
    output: Path | None,
) -> None:
    """Compare a bill with the buyer's own log."""
    with storage_errors(log.parent):
        content = log.read_bytes()
    with reading(run) as (_, tx):
        found = bills.reconcile_log(
            tx, contract=contract_id, begins=begins, ends=ends, content=content
        )
    file = None if output is None else _put(bills.write_differences(found), output)
    rows = [
        (
            one.call,
            run.word(f"market.difference.{one.kind.value}"),
            "" if one.ours is None else _yuan(one.ours),
            "" if one.theirs is None else _yuan(one.theirs),
        )
        for one in found.differences
    ]
    problems = [i18n.explain(one, run.language).title for one in found.problems]
    summary = run.word(
        "market.compared", agreeing=found.agreeing, differing=len(rows), unread=len(problems)
    )
    run.answer(
        {
            "ours": found.ours,
            "theirs": found.theirs,
            "agreeing": found.agreeing,
            "differences": plain_data(found.differences),
            "problems": problems,
            "file": file,
        },
        [
            summary,
            *(table(run.heads("call", "difference", "ours", "theirs"), rows) if rows else []),
            *problems,
        ],
    )


@market.command("payables")
@option("--party", type=PARTY)
@option("--open", "only_open", is_flag=True)
@paged
@click.pass_obj
def list_payables(
    run: Invocation,
    party: trust.PartyId | None,
    only_open: bool,  # noqa: FBT001  # click's own form
    limit: int,
    after: str | None,
) -> None:
    """List what is owed to treasuries."""
    with reading(run) as (_, tx):
        page = distribution.find_payables(
            tx, party=party, page=page_of(limit, after), only_open=only_open
        )
    rows = [
        (one.id, one.number, _yuan(one.amount), one.due_on.isoformat(), one.receipt or "")
        for one in page.items
    ]
    listed(run, page, run.heads("id", "number", "amount", "due", "receipt"), rows)


@market.command("notice")
@argument("payable_id", type=PAYABLE)
@option("--format", "to", type=FORMAT, default=documents.Format.PDF.value, show_default=True)
@option("--output", type=PATH)
@click.pass_obj
def print_notice(
    run: Invocation, payable_id: distribution.PayableId, to: documents.Format, output: Path | None
) -> None:
    """Write a notice of payment as Word or PDF."""
    with reading(run) as (app, tx):
        made = issue_paper(app, distribution.notice_paper(tx, payable_id), to=to)
    _written(run, made.content, output or Path(f"{payable_id}.{to.value}"))


@market.command("payable")
@argument("payable_id", type=PAYABLE)
@option("--receipt", required=True)
@option("--on", "paid_on", type=DAY, required=True)
@can_be_repeated
@click.pass_obj
def close_payable(
    run: Invocation,
    payable_id: distribution.PayableId,
    receipt: str,
    paid_on: date,
    command_id: trust.CommandId | None,
) -> None:
    """Close a payable on the treasury's receipt."""
    command = chosen(run, command_id)
    made = do(
        run,
        distribution.close_payable,
        command,
        payable=payable_id,
        receipt=receipt,
        paid_on=paid_on,
    )
    run.answer(
        {"command": command, "payable": plain_data(made)},
        lambda: [run.word("market.payable_closed", number=made.number, receipt=receipt)],
    )


@market.command("contribution")
@argument("venue", type=PARTY)
@option("--begins", type=DAY, required=True)
@option("--ends", type=DAY, required=True)
@option("--format", "to", type=click.Choice(["docx", "pdf", SHEET]))
@option("--output", type=PATH)
@click.pass_obj
def show_contribution(
    run: Invocation,
    venue: trust.PartyId,
    begins: date,
    ends: date,
    to: str | None,
    output: Path | None,
) -> None:
    """Show what the tables of each body were part of, or write it to a file."""
    with reading(run) as (app, tx):
        found = distribution.get_contribution(tx, venue=venue, begins=begins, ends=ends)
        if to == SHEET:
            content = distribution.write_contribution(tx, venue=venue, begins=begins, ends=ends)
        elif to is not None:
            paper = distribution.contribution_paper(tx, venue=venue, begins=begins, ends=ends)
            content = issue_paper(app, paper, to=documents.Format(to)).content
    if to is not None:
        _written(run, content, output or Path(f"contribution.{to}"))
        return
    rows = [
        (one.title, str(one.columns), str(one.answers), _percent(one.share)) for one in found.lines
    ]
    run.answer(
        {"contribution": plain_data(found)},
        table(run.heads("title", "columns", "answers", "share"), rows)
        if rows
        else [run.word("list.empty")],
    )


def _written(run: Invocation, content: bytes, output: Path) -> None:
    file = _put(content, output)
    run.answer({"file": file}, [run.word("market.written", file=str(file))])


def _put(content: bytes, output: Path) -> Path:
    file = free_file(output)
    replace_file(file, content, mode=0o644)
    return file


def _tally_lines(run: Invocation, one: settlement.Tally) -> list[str]:
    names = ("charged", "posted", "short", "waived", "refunded")
    found = [(run.word(f"head.{name}"), _yuan(getattr(one, name))) for name in names]
    return labelled([(run.word("head.units"), str(one.units)), *found])


def _yuan(minor: int) -> str:
    return documents.format_amount(Money(minor, "CNY"))


def _percent(parts: int) -> str:
    return f"{parts // 100}.{parts % 100:02d}%"
