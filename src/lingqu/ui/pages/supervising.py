# SPDX-License-Identifier: Apache-2.0
"""Supervision: flows as they happen, one flow to its ground and its money, refused attempts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import gate, supervision, trust
from lingqu.supervision import Attempt, Flow
from lingqu.ui import tables
from lingqu.ui.pages.evidence import reason
from lingqu.ui.pages.ledger import kind_words
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import Column, Show

PATH = "/supervision/flows"
ATTEMPTS_PATH = "/supervision/attempts"
_SEES = (trust.Role.REGULATOR, trust.Role.FINANCIAL_REGULATOR, trust.Role.ADMINISTRATOR)


@get(PATH, sync_to_thread=True)
def flow_list(desk: FromDesk) -> Response[Any]:
    """This will list every use as a flow, newest first."""
    desk.require(*_SEES, kind=trust.Kind.FACT)
    ask = tables.ask_of(desk, _flow_columns({}))
    with desk.reading() as tx:
        said = {"holder": functools.partial(desk.names, tx)}
        found = supervision.look_through_flows(tx, look=tables.look_of(ask, said=said))
        names = desk.names(tx, {one.holder for one in found.items})
    columns = _flow_columns(names)
    if tables.wants_file(desk):
        return tables.sheet(desk, found.items, columns=columns, name=desk.text("ui.flows.title"))
    return tables.list_page(
        desk,
        "ui.flows",
        tables.looked_table(desk, found, columns=columns, ask=ask),
        rule="market.purpose_and_quantity",
        actions=((ATTEMPTS_PATH, desk.text("ui.attempts.title"), "btn-quiet"),),
        live=True,
    )


def _flow_columns(names: Mapping[str, str]) -> tuple[Column[Flow], ...]:
    return (
        Column[Flow](
            name="at",
            label="ui.charge.at",
            value=lambda one: one.at,
            show=Show.INSTANT,
            href=lambda one: f"{PATH}/{one.batch}",
        ),
        Column[Flow](
            name="holder",
            label="ui.flow.holder",
            value=lambda one: names.get(one.holder, one.holder),
        ),
        Column[Flow](
            name="product",
            label="ui.listing.product",
            value=lambda one: one.product,
            show=Show.ID,
        ),
        Column[Flow](
            name="answered",
            label="ui.flow.answered",
            value=lambda one: one.answered,
            show=Show.NUMBER,
        ),
        Column[Flow](
            name="refused", label="ui.flow.refused", value=lambda one: one.refused, show=Show.NUMBER
        ),
        Column[Flow](
            name="charged",
            label="ui.flow.charged",
            value=lambda one: None if one.charged is None else tables.minor_units(one.charged, 2),
            show=Show.MONEY,
        ),
    )


@get(f"{PATH}/{{batch:str}}", sync_to_thread=True)
def flow_page(desk: FromDesk, batch: FromPath[str]) -> Response[str]:
    """This will follow one flow from the ground it rests on to the money it became."""
    desk.require(*_SEES, kind=trust.Kind.FACT)
    with desk.reading() as tx:
        path = supervision.get_flow(tx, gate.MeterBatchId(batch))
        parties = {one.holder for one in path.chain} | {path.flow.holder, path.seller, path.buyer}
        names = desk.names(tx, parties)
    return desk.show(
        "supervision/flow.html",
        path=path,
        flow=path.flow,
        names=names,
        kind=lambda kind: kind_words(desk, kind),
        yuan=lambda minor: "–" if minor is None else f"{tables.minor_units(minor, 2):,}",
    )


@get(ATTEMPTS_PATH, sync_to_thread=True)
def attempt_list(desk: FromDesk) -> Response[Any]:
    """This will list refused attempts with the code and article they were refused by."""
    desk.require(*_SEES, kind=trust.Kind.REFUSAL)
    ask = tables.ask_of(desk, _attempt_columns(desk, {}))
    with desk.reading() as tx:
        look = tables.look_of(
            ask,
            said={
                "party": functools.partial(desk.names, tx),
                "reason": lambda codes: {one: reason(desk, one) for one in codes},
            },
        )
        found = supervision.look_through_attempts(tx, look=look)
        names = desk.names(tx, {one.party for one in found.items})
    columns = _attempt_columns(desk, names)
    if tables.wants_file(desk):
        title = desk.text("ui.attempts.title")
        return tables.sheet(desk, found.items, columns=columns, name=title)
    return desk.show(
        "list.html",
        title=desk.text("ui.attempts.title"),
        lead=desk.text("ui.attempts.lead"),
        trail=((PATH, desk.text("ui.flows.title")),),
        rule=None,
        actions=(),
        view=tables.looked_table(desk, found, columns=columns, ask=ask),
        none_title=desk.text("ui.refusals.none"),
        none_text=desk.text("ui.refusals.none_text"),
        live=True,
    )


def _attempt_columns(desk: Desk, names: Any) -> tuple[Column[Attempt], ...]:
    return (
        Column[Attempt](
            name="at",
            label="ui.charge.at",
            value=lambda one: one.at,
            show=Show.INSTANT,
            href=lambda one: f"/trust/facts/{one.fact}",
        ),
        Column[Attempt](
            name="act",
            label="ui.refusals.attempt",
            value=lambda one: one.act,
            sub=lambda one: shorten(one.subject) if one.subject else None,
        ),
        Column[Attempt](
            name="reason",
            label="ui.refusals.reason",
            value=lambda one: reason(desk, one.code),
            sub=lambda one: " · ".join(filter(None, (one.code, one.article))),
        ),
        Column[Attempt](
            name="party",
            label="ui.facts.who",
            value=lambda one: names.get(one.party, "–") if one.party else desk.who(one.account),
        ),
    )
