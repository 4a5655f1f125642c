# SPDX-License-Identifier: Apache-2.0
"""The query console: what may be asked said in words, a decision explained, an answer read.

Explaining meters nothing. An answer is kept under the id of its call, so that its Excel file is the
same answer again, and free.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from litestar import Response
from litestar.response import Redirect

from lingqu import gate, market, rights
from lingqu.gate import answers, sql, underway
from lingqu.gate.governance import GovernedTable, Mode, QueryPolicy
from lingqu.gate.queries import GroupOf
from lingqu.kernel import errors
from lingqu.runtime import Tx, documents, new_id
from lingqu.ui import tables
from lingqu.ui.acts import FieldRefused
from lingqu.ui.asking import codes
from lingqu.ui.forms import Form
from lingqu.ui.pages.contracts import PATH as CONTRACTS_PATH
from lingqu.ui.pages.product_acts import column_words
from lingqu.ui.policies import column_uses, draw_example
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk

PATIENCE_MS = 1_000
"""So long a page waits for an answer before the query goes on alone."""
_RHO_DIGITS = 12
_SCALE_MOST = 9
_FIELDS = (
    ("gate.query.mode", "mode"),
    ("gate.noise.budget", "rho"),
    ("gate.noise.spent", "rho"),
    ("gate.call.purpose_unknown", "purpose"),
    ("gate.call.wrong_purpose", "purpose"),
    ("gate.call.query_missing", "query"),
    ("gate.query.", "query"),
)
"""The field beside which a refusal is shown, by the beginning of its code; the first one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column beside the form: its name, its words, and what a query can do with it."""

    name: str
    words: str
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One table beside the form, and the rule about the size of its groups."""

    name: str
    lead: str
    columns: tuple[_Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """An answer as a table: headings, which of them are figures, lines, what was held back."""

    heads: tuple[tuple[str, bool], ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def ask_query(
    desk: Desk, form: Form, held: market.Contract, product: gate.Product
) -> Response[str] | Response[bytes] | Redirect:
    """This will explain a query, stop it, answer it, or give its answer as an Excel file.

    One that takes longer than a moment goes on alone, and its own page says how far it is.
    """
    asking, act = desk.platform.asking, form.maybe("act") or "ask"
    try:
        request = _request(desk, form, held)
        with desk.reading() as tx:
            asker = gate.find_asker(tx, request.grant)
            if act == "explain":
                told = asking.explain(tx, request, may_call=asker.may_call)
                return show_console(desk, held, product, typed=form.fields, told=told)
        if act == "stop":
            stopped = asker.may_call and asking.cancel(request)
            return show_console(desk, held, product, typed=form.fields, stopped=stopped)
        answer = _answered(asking, request, asker)
        if answer is None:
            return desk.go(f"{CONTRACTS_PATH}/{held.id}/console/{request.call}")
        shown = _shown(desk, product, request, answer)
    except errors.LingquError as refusal:
        return show_console(desk, held, product, typed=form.fields, refusal=refusal)
    if act == "sheet":
        return _sheet(desk, answer, shown)
    return show_console(
        desk, held, product, typed=form.fields, answer=answer, shown=shown, asked=request
    )


def _answered(
    asking: gate.Asking, request: gate.CallRequest, asker: gate.Asker
) -> gate.CallAnswer | None:
    """Ask, and wait for a moment; None where it goes on alone. Raises what refuses it."""
    if not asker.may_call:
        return asking.ask(request, asker)
    asking.underway.begin(request, asker)
    asking.underway.wait(request.grant, request.call, wait_ms=PATIENCE_MS)
    return asking.underway.answer(request.grant, request.call)


def show_asked(
    desk: Desk, held: market.Contract, product: gate.Product, call: gate.CallId
) -> Response[str]:
    """This will show a query that was asked: how far it is, or what came of it.

    Raises QueryNotHere.
    """
    queries = desk.platform.asking.underway
    if held.grant_id is None:
        raise underway.QueryNotHere(call=call)
    with desk.reading() as tx:
        if not gate.find_asker(tx, held.grant_id).may_call:
            raise underway.QueryNotHere(call=call)
    request = queries.request_of(held.grant_id, call)
    typed = {
        "query": request.query, "mode": request.mode, "purpose": request.purpose,
        "rho": str(request.rho or ""),
    }  # fmt: skip
    try:
        answer = queries.answer(held.grant_id, call)
        if answer is None:
            standing = queries.find(held.grant_id, call)
            return show_console(desk, held, product, typed=typed, standing=standing, asked=request)
        shown = _shown(desk, product, request, answer)
    except errors.LingquError as refusal:
        return show_console(desk, held, product, typed=typed, refusal=refusal)
    return show_console(desk, held, product, typed=typed, answer=answer, shown=shown, asked=request)


def show_console(
    desk: Desk,
    held: market.Contract,
    product: gate.Product,
    *,
    typed: Mapping[str, str] | None = None,
    refusal: errors.LingquError | None = None,
    **shown: Any,
) -> Response[str]:
    """This will draw the console of a query product, with what was typed and what came of it."""
    policy = gate.policy_of(product)
    assert isinstance(policy, QueryPolicy), "the console is that of a query product"
    with desk.reading() as tx:
        purposes = _purposes(desk, tx, held)
        words = column_words(tx, policy)
    modes = offered_modes(policy)
    example = draw_example(policy)
    values: dict[str, Any] = {
        "told": None, "answer": None, "shown": None, "asked": None, "stopped": None,
        "standing": None,
    }  # fmt: skip
    return desk.show(
        "market/query.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        product=product,
        policy=policy,
        tables=tuple(_table(desk, one, modes, words) for one in policy.tables),
        modes=tuple((one.value, desk.text(f"ui.query.mode.{one.value}")) for one in modes),
        purposes=purposes,
        example=example,
        typed=typed or {"query": example},
        new_call=new_id(gate.CallId),
        refusal=desk.explain(refusal),
        bad=_field_of(refusal),
        **values | shown,
    )


def offered_modes(policy: QueryPolicy) -> tuple[Mode, ...]:
    """This will give the modes in which a product answers, in the order of its policy."""
    return tuple(one for one in policy.modes if one in answers.OFFERED)


def _request(desk: Desk, form: Form, held: market.Contract) -> gate.CallRequest:
    if held.grant_id is None:
        raise market.ContractNotPerforming(contract=held.id)
    rho = (form.maybe("rho") or "0").replace(",", "")
    if not (rho.isascii() and rho.isdigit() and len(rho) <= _RHO_DIGITS):
        raise FieldRefused(field="rho", label=desk.text("ui.query.rho"))
    return gate.CallRequest(
        call=form.id("call", gate.CallId),
        grant=held.grant_id,
        product=gate.ProductId(held.product),
        purpose=form.maybe("purpose") or "",
        query=(form.maybe("query") or "").replace("\r\n", "\n"),
        mode=form.maybe("mode") or "",
        rho=int(rho),
    )


def _field_of(refusal: errors.LingquError | None) -> str | None:
    if refusal is None:
        return None
    if isinstance(refusal, FieldRefused):
        return str(refusal.parameters["field"])
    return next((field for code, field in _FIELDS if refusal.code.startswith(code)), None)


def _purposes(desk: Desk, tx: Tx, held: market.Contract) -> tuple[tuple[str, str], ...]:
    """The purposes of the contract in words."""
    known = dict(codes(desk, tx, rights.TreeName.PURPOSES))
    return tuple((one, known.get(one, one).strip()) for one in held.purposes)


def _table(
    desk: Desk,
    table: GovernedTable,
    modes: tuple[Mode, ...],
    words: Mapping[tuple[str, str], str],
) -> _Table:
    def label(name: str) -> str:
        return words.get((table.resource, name), name).rpartition("·")[2]

    return _Table(
        name=table.name,
        lead=desk.text("ui.query.rows")
        if table.entity is None
        else desk.text("ui.query.threshold", threshold=table.threshold, entity=label(table.entity)),
        columns=tuple(
            _Column(
                name=one.name,
                words=label(one.name),
                uses=tuple(column_uses(desk, one, modes)),
            )
            for one in table.columns
        ),
    )


def _shown(
    desk: Desk, product: gate.Product, request: gate.CallRequest, answer: gate.CallAnswer
) -> _Shown:
    """An answer with its headings, and what it says of itself."""
    policy, released = gate.policy_of(product), answer.released
    assert isinstance(policy, QueryPolicy), "queries are asked of query products"
    assert released is not None, "a query that is answered has released something"
    query = sql.read(request.query, policy)
    notes = []
    if released["has_withheld"]:
        entities = released["withheld_entities"]
        least = desk.series(f"{name} {size}" for name, size in released["thresholds"].items())
        code = "withheld" if entities is None else "withheld_of"
        notes.append(
            desk.text(
                f"ui.query.{code}",
                rule=released["rule"],
                thresholds=least,
                entities="" if entities is None else str(entities),
            )
        )
    else:
        notes.append(desk.text("ui.query.nothing_withheld"))
    if released["rounding"] > 1:
        notes.append(desk.text("ui.query.rounded", rounding=released["rounding"]))
    if "rho" in released:
        notes.append(
            desk.text("ui.query.noisy", rho=released["rho"], contribution=released["contribution"])
        )
    if answer.repeated:
        notes.append(desk.text("ui.query.repeated"))
    return _Shown(
        heads=tuple((one.name, not isinstance(one.figure, GroupOf)) for one in query.outputs),
        lines=tuple(
            tuple("–" if cell is None else str(cell) for cell in row) for row in released["rows"]
        ),
        notes=tuple(notes),
    )


def _sheet(desk: Desk, answer: gate.CallAnswer, shown: _Shown) -> Response[bytes]:
    """The answer as an Excel file; what it says of itself stands in the last column."""
    notes = [
        f"{desk.text('ui.console.as_of')} {desk.when(answer.as_of)}",
        f"{desk.text('ui.charge.units')} {answer.units}",
        f"{desk.text('ui.console.receipt')} {answer.batch} {answer.digest}",
        *shown.notes,
    ]
    columns = [
        _sheet_column(number, head, [line[number] for line in shown.lines], is_figure=is_figure)
        for number, (head, is_figure) in enumerate(shown.heads)
    ]
    said = documents.SheetColumn(name="note", zh="说明", optional=True)
    rows: list[dict[str, Any]] = []
    for at in range(max(len(shown.lines), len(notes))):
        row: dict[str, Any] = {"note": notes[at] if at < len(notes) else None}
        if at < len(shown.lines):
            row |= {
                one.name: _stored(one.kind, cell)
                for one, cell in zip(columns, shown.lines[at], strict=True)
            }
        rows.append(row)
    target = io.BytesIO()
    documents.write_sheet(target, title="查询结果", columns=[*columns, said], rows=rows)
    name = f"查询结果-{answer.call[-8:]}.xlsx"
    return tables.file_answer(target.getvalue(), name=name, media_type=tables.XLSX)


def _sheet_column(
    number: int,
    head: str,
    cells: list[str],
    *,
    is_figure: bool,
) -> documents.SheetColumn:
    kind, scale = documents.CellKind.TEXT, 0
    if is_figure:
        places = max((len(one.partition(".")[2]) for one in cells), default=0)
        kind = documents.CellKind.DECIMAL if places else documents.CellKind.INTEGER
        scale = min(places, _SCALE_MOST)
    return documents.SheetColumn(name=str(number), zh=head, kind=kind, scale=scale, optional=True)


def _stored(kind: documents.CellKind, cell: str) -> str | int | Decimal | None:
    if kind is documents.CellKind.TEXT:
        return cell
    if cell == "–":
        return None
    return int(cell) if kind is documents.CellKind.INTEGER else Decimal(cell)
