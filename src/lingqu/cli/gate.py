# SPDX-License-Identifier: Apache-2.0
"""`lingqu gate`: define and publish products, call them, explain, see what was metered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from lingqu import gate as gates
from lingqu import rights, trust
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
from lingqu.cli.failures import Found
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, plain, table
from lingqu.cli.values import FILE_BYTES_MAX, IdType, Member, NotJson
from lingqu.errands import publish_product
from lingqu.gate import reveals, trials
from lingqu.gate.governance import Mode
from lingqu.gate.predicates import Named
from lingqu.runtime import new_id
from lingqu.runtime.yamls import read_yaml

PRODUCT, GRANT = IdType(gates.ProductId), IdType(rights.GrantId)
CALL = IdType(gates.CallId)
PATH = click.Path(path_type=Path)
LOOK_MS = 200
"""How often it is looked how far a query is."""
PATIENCE_MS = 1_000
"""Nobody is told their place in a queue that moves faster than this."""


@group("gate")
def gate() -> None:
    """Use without seeing."""


@gate.group("product")
def product() -> None:
    """Products."""


@product.command("define")
@argument("grant", type=GRANT)
@argument("title")
@option("--form", type=Member(gates.Form), required=True)
@option("--summary", required=True)
@option("--policy", type=PATH, required=True)
@option("--territory", default="china", show_default=True)
@can_be_repeated
@click.pass_obj
def define_product(
    run: Invocation,
    grant: rights.GrantId,
    title: str,
    form: gates.Form,
    summary: str,
    policy: Path,
    territory: str,
    command_id: trust.CommandId | None,
) -> None:
    """Define a product under its product grant."""
    command = chosen(run, command_id)
    made = do(
        run,
        gates.define_product,
        command,
        product=made_by(command, gates.ProductId),
        grant=grant,
        form=form,
        title=title,
        summary=summary,
        policy=gates.parse_policy(form, read_plain(policy)),
        territory=territory,
    )
    _answer(run, command, made, "gate.product.defined")


@product.command("revise")
@argument("product_id", type=PRODUCT)
@option("--policy", type=PATH, required=True)
@can_be_repeated
@click.pass_obj
def revise_product(
    run: Invocation,
    product_id: gates.ProductId,
    policy: Path,
    command_id: trust.CommandId | None,
) -> None:
    """Give a product another policy."""
    command = chosen(run, command_id)
    plain_policy = read_plain(policy)
    with opened(run) as app:
        with app.database.reading(caller(run)) as tx:
            form = gates.get_product(tx, product_id).form
        told = gates.parse_policy(form, plain_policy)
        made = act(run, app, gates.revise_product, command, product=product_id, policy=told)
    _answer(run, command, made, "gate.product.revised")


@product.command("publish")
@argument("product_id", type=PRODUCT)
@can_be_repeated
@click.pass_obj
def publish(
    run: Invocation, product_id: gates.ProductId, command_id: trust.CommandId | None
) -> None:
    """Build a snapshot from what is loaded and answer from it."""
    command = chosen(run, command_id)
    with opened(run) as app, run.step("gate.product.step"):
        made = publish_product(app, caller(run), command, product=product_id)
    run.answer(
        {"command": command, "snapshot": plain_data(made)},
        lambda: [
            run.word("gate.product.published"),
            *labelled([
                (run.word("head.snapshot"), made.id),
                (run.word("head.records"), f"{made.records:,}"),
                (run.word("head.skipped"), f"{made.skipped:,}"),
                (run.word("head.as_of"), run.moment(made.as_of)),
            ]),
        ],
    )  # fmt: skip


@product.command("withdraw")
@argument("product_id", type=PRODUCT)
@can_be_repeated
@click.pass_obj
def withdraw_product(
    run: Invocation, product_id: gates.ProductId, command_id: trust.CommandId | None
) -> None:
    """Stop a product from answering."""
    command = chosen(run, command_id)
    gone = do(run, gates.withdraw_product, command, product=product_id)
    _answer(run, command, gone, "gate.product.withdrawn")


@product.command("list")
@option("--grant", "grant_id", type=GRANT)
@paged
@click.pass_obj
def list_products(
    run: Invocation, grant_id: rights.GrantId | None, limit: int, after: str | None
) -> None:
    """List products that are offered."""
    with reading(run) as (_, tx):
        page = gates.find_products(tx, page=page_of(limit, after), grant=grant_id)
    heads = run.heads("product", "title", "form", "level")
    rows = [(one.id, one.title, _form(run, one.form), one.level) for one in page.items]
    listed(run, page, heads, rows)


@product.command("show")
@argument("product_id", type=PRODUCT)
@click.pass_obj
def show_product(run: Invocation, product_id: gates.ProductId) -> None:
    """Show a product, its policy and its snapshots."""
    with reading(run) as (_, tx):
        found = gates.get_product(tx, product_id)
        snapshots = gates.find_snapshots(tx, product_id)
    policy = json.dumps(json.loads(found.policy), ensure_ascii=False, indent=2)
    run.answer(
        {"product": plain_data(found), "snapshots": plain_data(snapshots)},
        lambda: [*_lines(run, found), "", *policy.splitlines()],
    )


@gate.command("reveal")
@argument("product_id", type=PRODUCT)
@click.pass_obj
def reveal_product(run: Invocation, product_id: gates.ProductId) -> None:
    """Say what can be learnt from a product, alone and by all buyers together."""
    with reading(run) as (app, tx):
        told = reveals.reveal_product(tx, product=product_id, folder=app.asking.folder)
    lines: list[str] = []
    for resource, alone, together in reveals.explain_reveal(told, run.language, {}):
        lines += [
            f"{run.word('head.resource')} {resource}", "",
            run.word("gate.reveals.alone"), *(f"  {one}" for one in alone), "",
            run.word("gate.reveals.together"), *(f"  {one}" for one in together), "",
        ]  # fmt: skip
    run.answer({"revealed": plain_data(told)}, lines[:-1])


@gate.command("call")
@argument("grant", type=GRANT)
@argument("product_id", type=PRODUCT)
@option("--purpose", required=True)
@option("--predicate", default="")
@option("--subject", "subjects", multiple=True)
@option("--call", "call_id", type=CALL)
@click.pass_obj
def call_product(
    run: Invocation,
    grant: rights.GrantId,
    product_id: gates.ProductId,
    purpose: str,
    predicate: str,
    subjects: tuple[str, ...],
    call_id: gates.CallId | None,
) -> None:
    """Call a product."""
    request = _request(grant, product_id, purpose, predicate, subjects, call_id)
    with opened(run) as app:
        with app.database.reading(caller(run)) as tx:
            asker = gates.find_asker(tx, grant)
        told = app.desk.ask(request, asker)
    run.answer({"answer": plain_data(told)}, lambda: _told(run, request, told))


@gate.command("explain")
@argument("grant", type=GRANT)
@argument("product_id", type=PRODUCT)
@option("--purpose", required=True)
@option("--predicate", default="")
@option("--subject", "subjects", multiple=True)
@option("--query", "text", default="")
@option("--mode", type=Member(Mode))
@option("--rho", type=click.IntRange(min=0), default=0)
@click.pass_obj
def explain_call(
    run: Invocation,
    grant: rights.GrantId,
    product_id: gates.ProductId,
    purpose: str,
    predicate: str,
    subjects: tuple[str, ...],
    text: str,
    mode: Mode | None,
    rho: int,
) -> None:
    """Say how a call or a query would be decided, without doing it."""
    request = replace(
        _request(grant, product_id, purpose, predicate, subjects, None),
        query=text,
        mode="" if mode is None else mode.value,
        rho=rho,
    )
    with reading(run) as (app, tx):
        asker = gates.find_asker(tx, grant)
        told = app.asking.explain(tx, request, may_call=asker.may_call)
    _explained(run, told)


def _explained(run: Invocation, told: gates.Explained) -> None:
    rows = [
        (
            run.word(f"gate.rule.{one.rule}"),
            run.word("gate.passed" if one.passed else "gate.refused"),
            one.code or "",
            one.article or "",
        )
        for one in told.considered
    ]
    run.answer(
        {"decision": plain_data(told)},
        lambda: [
            run.word("gate.allowed" if told.allowed else "gate.denied"),
            *table(run.heads("rule", "decision", "code", "article"), rows),
        ],
    )


@gate.command("query")
@argument("grant", type=GRANT)
@argument("product_id", type=PRODUCT)
@argument("text")
@option("--purpose", required=True)
@option("--mode", type=Member(Mode))
@option("--rho", type=click.IntRange(min=0), default=0)
@option("--call", "call_id", type=CALL)
@option("--explain", "only_explain", is_flag=True)
@click.pass_obj
def ask_query(
    run: Invocation,
    grant: rights.GrantId,
    product_id: gates.ProductId,
    text: str,
    purpose: str,
    mode: Mode | None,
    rho: int,
    call_id: gates.CallId | None,
    only_explain: bool,  # noqa: FBT001  # a flag of the command line
) -> None:
    """Ask a governed query, or have it explained."""
    request = gates.CallRequest(
        call=call_id or new_id(gates.CallId),
        grant=grant,
        product=product_id,
        purpose=purpose,
        query=text,
        mode="" if mode is None else mode.value,
        rho=rho,
    )
    with opened(run) as app:
        with app.database.reading(caller(run)) as tx:
            asker = gates.find_asker(tx, grant)
            if only_explain:
                _explained(run, app.asking.explain(tx, request, may_call=asker.may_call))
                return
        told = _awaited(run, app.asking, request, asker)
    run.answer({"answer": plain_data(told)}, lambda: _query_told(run, told))


def _awaited(
    run: Invocation, asking: gates.Asking, request: gates.CallRequest, asker: gates.Asker
) -> gates.CallAnswer:
    """Wait for a query and say how far it is; an interruption stops it, and it is metered so."""
    named, queries = (request.grant, request.call), asking.underway
    with run.step("gate.query.step") as progress:
        standing = queries.begin(request, asker)
        while not standing.stage.is_over:
            try:
                standing = queries.wait(*named, wait_ms=LOOK_MS)
                progress.advance(min(standing.percent, 99), 100)
                if standing.place and standing.elapsed_ms > PATIENCE_MS:
                    progress.note(run.word("gate.query.place", place=standing.place))
            except KeyboardInterrupt:
                queries.stop(*named)
        told = queries.answer(*named)
    assert told is not None, "it is over and was not refused"
    return told


@gate.command("test")
@argument("policy", type=PATH)
@argument("cases", type=PATH)
@click.pass_obj
def test_policy(run: Invocation, policy: Path, cases: Path) -> None:
    """Try a policy on cases with the decisions expected, without data or a server."""
    plain_policy = read_plain(policy)
    written = gates.parse_policy(trials.find_form(plain_policy), plain_policy)
    tried = trials.try_policy(written, read_plain(cases))
    wrong = [one for one in tried if not one.is_right]
    rows = [(one.case, one.mode, one.expected, one.told) for one in wrong]
    run.answer(
        {"tried": len(tried), "wrong": [plain_data(one) for one in wrong]},
        lambda: [
            run.word("gate.tried", tried=len(tried), wrong=len(wrong)),
            *(table(run.heads("query", "mode", "expected", "told"), rows) if rows else []),
        ],
    )
    if wrong:
        raise Found


@gate.command("calls")
@option("--grant", "grant_id", type=GRANT)
@option("--product", "product_id", type=PRODUCT)
@option("--refused", is_flag=True)
@paged
@click.pass_obj
def list_calls(
    run: Invocation,
    grant_id: rights.GrantId | None,
    product_id: gates.ProductId | None,
    refused: bool,  # noqa: FBT001  # a flag of the command line
    limit: int,
    after: str | None,
) -> None:
    """List what was metered."""
    with reading(run) as (_, tx):
        page = gates.find_calls(
            tx,
            page=page_of(limit, after),
            grant=grant_id,
            product=product_id,
            is_refused=refused,
        )
    heads = run.heads("at", "call", "outcome", "units", "code")
    rows = [
        (run.moment(one.at), one.call, run.word(f"gate.outcome.{one.outcome}"), one.units,
         one.refusal or "")
        for one in page.items
    ]  # fmt: skip
    listed(run, page, heads, rows)


def read_plain(path: Path) -> object:
    """This will read a file of JSON, or of YAML by its name, as plain data.

    Raises NotJson, BadYaml.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise NotJson(file=str(path))
        if path.suffix.lower() in {".yaml", ".yml"}:
            return read_yaml(content.decode())
        return json.loads(content)
    except (OSError, ValueError, RecursionError):
        raise NotJson(file=str(path)) from None


def _request(
    grant: rights.GrantId,
    product_id: gates.ProductId,
    purpose: str,
    predicate: str,
    subjects: tuple[str, ...],
    call_id: gates.CallId | None,
) -> gates.CallRequest:
    return gates.CallRequest(
        call=call_id or new_id(gates.CallId),
        grant=grant,
        product=product_id,
        purpose=purpose,
        predicate=predicate,
        subjects=tuple(map(_subject, subjects)),
    )


def _subject(told: str) -> gates.Subject:
    """KEY, KEY=VALUE, or KEY=NAME=VALUE;NAME=VALUE where several predicates are combined."""
    key, _, value = told.partition("=")
    if "=" not in value:
        return gates.Subject(key=key, value=value)
    several = (one.partition("=") for one in value.split(";"))
    return gates.Subject(key=key, values={name: said for name, _, said in several})


def _told(run: Invocation, request: gates.CallRequest, told: gates.CallAnswer) -> list[str]:
    rows = [
        (subject.key, _value(subject), _outcome(run, one),
         "；".join("，".join(row.values()) for row in one.evidence))
        for subject, one in zip(request.subjects, told.answers, strict=True)
    ]  # fmt: skip
    lines = table(run.heads("subject", "value", "answer", "evidence"), rows) if rows else []
    for group_ in told.released["groups"] if told.released else ():
        names = [run.word("gate.merged") if one is None else one for one in group_["values"]]
        lines.append(f"{'  '.join(names)}  {group_['entities']:,}")
    if told.released and told.released["has_withheld"]:
        lines.append(run.word("gate.withheld", threshold=told.released["threshold"]))
    return [*lines, *_receipt(run, told)]


def _query_told(run: Invocation, told: gates.CallAnswer) -> list[str]:
    released = told.released or {"columns": [], "rows": [], "has_withheld": False}
    rows = [tuple("" if cell is None else cell for cell in row) for row in released["rows"]]
    lines = table(tuple(released["columns"]), rows) if rows else [run.word("list.empty")]
    if released["has_withheld"]:
        threshold = max(released["thresholds"].values(), default=0)
        lines.append(run.word("gate.withheld", threshold=threshold))
    return [*lines, *_receipt(run, told)]


def _receipt(run: Invocation, told: gates.CallAnswer) -> list[str]:
    return [
        *labelled([
            (run.word("head.call"), told.call),
            (run.word("head.units"), told.units),
            (run.word("head.batch"), told.batch),
            (run.word("head.digest"), told.digest),
            (run.word("head.as_of"), run.moment(told.as_of)),
        ]),
    ]  # fmt: skip


def _value(subject: Named) -> str:
    several = "，".join(f"{name}={value}" for name, value in subject.values.items())
    return subject.value or several


def _outcome(run: Invocation, one: gates.SubjectAnswer) -> str:
    if one.parts:
        told = (
            f"{part.predicate}：{part.band or run.word(f'gate.outcome.{part.answer.value}')}"
            for part in one.parts
        )
        return "；".join(told)
    return one.band or run.word(f"gate.outcome.{one.answer.value}")


def _answer(run: Invocation, command: trust.CommandId, made: gates.Product, word: str) -> None:
    run.answer(
        {"command": command, "product": plain_data(made)},
        lambda: [run.word(word), *_lines(run, made)],
    )


def _form(run: Invocation, form: gates.Form) -> str:
    return run.word(f"gate.form.{form.value}")


def _lines(run: Invocation, one: gates.Product) -> list[str]:
    gone = one.withdrawn_at
    return labelled([
        (run.word("head.product"), one.id),
        (run.word("head.title"), one.title),
        (run.word("head.summary"), one.summary),
        (run.word("head.form"), _form(run, one.form)),
        (run.word("head.grant"), one.grant_id),
        (run.word("head.level"), one.level),
        (run.word("head.edition"), one.edition),
        (run.word("head.snapshot"), plain(one.snapshot or "")),
        (run.word("head.withdrawn"), None if gone is None else run.moment(gone)),
    ])  # fmt: skip
