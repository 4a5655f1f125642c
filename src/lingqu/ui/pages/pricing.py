# SPDX-License-Identifier: Apache-2.0
"""Fees: how each came about step by step, and what seller, authorizer and price authority do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import gate, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.market import prices
from lingqu.market.prices import Price, PriceBasis, PriceId, PriceState
from lingqu.runtime import Tx
from lingqu.runtime.looking import Said
from lingqu.trust import rulebook
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input, Preview
from lingqu.ui.asking import fee_fields, fees_of, opinion_field, reason_field
from lingqu.ui.pages.market import fee_lines
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.things import (
    Card,
    Cell,
    Thing,
    my_party,
    organizations,
    reach_of,
    show_thing,
    todo_of,
)

PATH = "/market/prices"
_PRODUCTS = PageRequest(size=200)
_TONES = {
    PriceState.PUBLISHED: "good",
    PriceState.REFUSED: "bad",
    PriceState.REPLACED: "",
}
_COSTS = ("platform", "processing", "people", "acquisition", "period", "subsidies")


def titles_of(tx: Tx, products: Iterable[str]) -> Mapping[str, str]:
    """This will name products, as far as they are known here."""
    return gate.find_titles(tx, products=sorted({*products}))


@get(PATH, sync_to_thread=True)
def price_list(desk: FromDesk) -> Response[Any]:
    """This will list the fees the visitor's parties propose, decide on or may see."""
    mine = desk.require()
    filters = (
        Filter[Price](
            name="state",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.price_state.{one.value}"))
                for one in PriceState
            ),
        ),
    )
    ask = tables.ask_of(desk, _columns(desk, {}, {}), filters)
    with desk.reading() as tx:
        said: dict[str, Said] = {
            "product": functools.partial(titles_of, tx),
            "seller": functools.partial(desk.names, tx),
            "basis": {one.value: desk.text(f"ui.price_basis.{one.value}") for one in PriceBasis},
        }
        found = prices.look_through_prices(
            tx,
            look=tables.look_of(ask, said=said | tables.said_of(filters)),
            parties=reach_of(tx, mine, trust.Kind.PRICE) or None,
        )
        names = desk.names(tx, {one.seller for one in found.items})
        titles = titles_of(tx, (one.product for one in found.items))
        may_apply = _may_apply(tx, mine)
    columns = _columns(desk, names, titles)
    title = desk.text("ui.prices.title")
    if tables.wants_file(desk):
        return tables.sheet(desk, found.items, columns=columns, name=title)
    apply = tuple(
        (*act.link(desk), css)
        for act, css in ((APPLY_TRIAL, "btn-primary"), (APPLY_FORMAL, "btn-quiet"))
    )
    return tables.list_page(
        desk,
        "ui.prices",
        tables.looked_table(desk, found, columns=columns, ask=ask, filters=filters),
        rule="price.trial_until_full_year",
        actions=apply if may_apply else (),
    )


def _columns(
    desk: Desk, names: Mapping[str, str], titles: Mapping[str, str]
) -> tuple[Column[Price], ...]:
    return (
        Column[Price](
            name="product",
            label="ui.listing.product",
            value=lambda one: titles.get(one.product, shorten(one.product)),
            href=lambda one: f"{PATH}/{one.id}",
            sub=lambda one: desk.text(f"ui.price_basis.{one.basis.value}"),
        ),
        Column[Price](
            name="seller",
            label="ui.contract.seller",
            value=lambda one: names.get(one.seller, one.seller),
        ),
        Column[Price](
            name="permitted",
            label="ui.price.permitted",
            value=lambda one: _yuan(one.permitted),
            show=Show.MONEY,
        ),
        Column[Price](
            name="ceiling",
            label="ui.price.ceiling",
            value=lambda one: _yuan(one.ceiling),
            show=Show.MONEY,
        ),
        Column[Price](
            name="fee",
            label="ui.price.actual",
            value=lambda one: (
                None if one.schedule is None else _yuan(one.schedule.unit_price_minor)
            ),
            show=Show.MONEY,
        ),
        Column[Price](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.price_state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: _TONES.get(one.state, "wait"),
        ),
    )


def _may_apply(tx: Tx, mine: trust.Identity) -> bool:
    return any(
        trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.PRICE, owner=trust.PartyId(one))
        for one in mine.parties or (mine.party,)
    )


def _yuan(minor: int | None) -> Any:
    return None if minor is None else tables.minor_units(minor, 2)


def yuan(minor: int | None) -> str:
    """This will write fen as yuan."""
    return "–" if minor is None else f"{tables.minor_units(minor, 2):,}"


@get(f"{PATH}/{{about:str}}", sync_to_thread=True)
def price_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show a fee from permitted revenue to ceiling to what is charged, with its law."""
    desk.require()
    with desk.reading() as tx:
        held = prices.get_price(tx, PriceId(about))
        names = desk.names(tx, {held.seller, held.authorizer, held.authority})
        titles = titles_of(tx, (held.product,))
        todo, waits = todo_of(
            desk,
            tx,
            held.procedure,
            held.id,
            {
                "agree_trial": AGREE_TRIAL,
                "permit_revenue": PERMIT_REVENUE,
                "set_ceiling": SET_CEILING,
                "publish": PUBLISH,
                "refuse": REFUSE,
            },
        )
        working = _working(desk, tx, held)
    return show_thing(
        desk,
        Thing(
            title=titles.get(held.product, shorten(held.product)),
            lead=desk.text("ui.price.lead"),
            trail=((PATH, desk.text("ui.prices.title")),),
            rule="price.trial_until_full_year"
            if held.basis is PriceBasis.TRIAL
            else "price.permitted_revenue",
            badges=(
                Cell(words=desk.text(f"ui.price_basis.{held.basis.value}"), tone=""),
                Cell(
                    words=desk.text(f"ui.price_state.{held.state.value}"),
                    tone=_TONES.get(held.state, "wait"),
                ),
            ),
            left=_fee_cards(desk, held, working),
            right=_beside(desk, held, names),
            acts=todo,
            waits_for=waits,
        ),
    )


def _fee_cards(desk: Desk, held: Price, working: tuple[tuple[str, str], ...]) -> tuple[Card, ...]:
    """The line from permitted revenue to the fee, and each step of the calculation."""
    schedule = held.schedule
    cards = [
        Card(
            name="line",
            title=desk.text("ui.price.line"),
            figures=(
                (desk.text("ui.price.permitted"), yuan(held.permitted)),
                (desk.text("ui.price.ceiling"), yuan(held.ceiling)),
                (
                    desk.text("ui.price.actual"),
                    yuan(None if schedule is None else schedule.unit_price_minor),
                ),
            ),
        ),
        Card(
            name="working",
            title=desk.text("ui.price.working"),
            lead=desk.text("ui.price.working_text"),
            quotes=working,
            none=desk.text("ui.price.no_working"),
        ),
    ]
    if schedule is not None:
        cards.append(
            Card(
                name="fee",
                title=desk.text("ui.listing.price"),
                lines=tuple(fee_lines(desk, schedule)),
            )
        )
    return tuple(cards)


def _beside(desk: Desk, held: Price, names: Mapping[str, str]) -> tuple[Card, ...]:
    """Who takes part in a fee, and the costs it was applied for with."""
    costs = held.cost_file
    return (
        Card(
            name="about-it",
            title=desk.text("ui.thing.about"),
            rows=(
                (desk.text("ui.contract.seller"), names[held.seller]),
                (desk.text("ui.ask.authorizer"), names[held.authorizer]),
                (desk.text("ui.ask.authority_price"), names.get(held.authority or "", "–")),
                (desk.text("ui.ask.operating_since"), desk.day(held.operating_since)),
                (
                    desk.text("ui.ask.planned_calls"),
                    "–" if held.planned_calls is None else f"{held.planned_calls:,}",
                ),
            ),
        ),
        *(
            ()
            if costs is None
            else (
                Card(
                    name="costs",
                    title=desk.text("ui.price.costs"),
                    rows=tuple(
                        (desk.text(f"ui.ask.{one}"), yuan(getattr(costs, one))) for one in _COSTS
                    ),
                ),
            )
        ),
    )


def _working(desk: Desk, tx: Tx, held: Price) -> tuple[tuple[str, str], ...]:
    """Each step of the calculation: its rule, its article, what went in and what came out."""
    book = rulebook.of(tx)
    english = desk.visit.language == "en"
    told = []
    for one in held.steps:
        try:
            rule = book.rule(one.rule)
            title = rule.title_en if english else rule.title_zh
        except errors.LingquError:
            title = one.rule
        inputs = " · ".join(f"{desk.field(name)} {value:,}" for name, value in one.inputs.items())
        told.append((title, f"{inputs} → {one.result:,}\n{one.article}"))
    return tuple(told)


# -- acts -----------------------------------------------------------------------------------------


def _trail(desk: Desk) -> tuple[tuple[str, str], ...]:
    return ((PATH, desk.text("ui.prices.title")),)


def _product_fields(desk: Desk, *, with_authority: bool) -> tuple[Field, ...]:
    with desk.reading() as tx:
        sellers = my_party(desk, tx, trust.Action.CREATE, trust.Kind.PRICE)
        products = [
            one
            for party, _ in sellers
            for one in gate.find_products(tx, page=_PRODUCTS, owner=trust.PartyId(party)).items
        ]
        others = organizations(tx)
    fields = [
        Field(
            name="product",
            show=Input.CHOICE,
            label="ui.listing.product",
            options=tuple((one.id, one.title) for one in products),
            value=desk.argument("product"),
            refusals=("market.price.taken", "market.price.trial_over", "market.price.year"),
        ),
        Field(name="seller", show=Input.CHOICE, label="ui.contract.seller", options=sellers),
        Field(name="authorizer", show=Input.CHOICE, options=others),
    ]
    if with_authority:
        fields.append(
            Field(
                name="authority",
                show=Input.CHOICE,
                label="ui.ask.authority_price",
                options=others,
            )
        )
    fields.append(Field(name="operating_since", show=Input.DAY))
    return tuple(fields)


def _ask_trial(desk: Desk, _: str) -> Asked:
    fields = _product_fields(desk, with_authority=False)
    return Asked(trail=_trail(desk), fields=(*fields, *fee_fields(desk)))


def _apply_trial(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    price = PriceId.of(command.uuid)
    desk.execute(
        command,
        prices.apply_trial_price,
        price=price,
        product=given.text("product"),
        seller=given.party("seller"),
        authorizer=given.party("authorizer"),
        operating_since=given.day("operating_since"),
        fees=fees_of(given),
    )
    return f"{PATH}/{price}"


def _ask_formal(desk: Desk, _: str) -> Asked:
    fields = _product_fields(desk, with_authority=True)
    costs = tuple(
        Field(
            name=one,
            show=Input.MONEY,
            most=18,
            value="0" if one == "subsidies" else "",
        )
        for one in _COSTS
    )
    return Asked(
        trail=_trail(desk),
        fields=(
            *fields,
            Field(name="planned_calls", show=Input.NUMBER, most=15),
            Field(name="costs", show=Input.HEADING, label="ui.price.costs"),
            *costs,
        ),
    )


def _apply_formal(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    price = PriceId.of(command.uuid)
    desk.execute(
        command,
        prices.apply_formal_price,
        price=price,
        product=given.text("product"),
        seller=given.party("seller"),
        authorizer=given.party("authorizer"),
        authority=given.party("authority"),
        operating_since=given.day("operating_since"),
        costs=prices.CostFile(**{one: given.money(one) for one in _COSTS}),
        planned_calls=given.number("planned_calls"),
    )
    return f"{PATH}/{price}"


def _about(desk: Desk, about: str, *fields: Field, danger: bool = False) -> Asked:
    """A decision about one fee, beside what is known of it."""
    with desk.reading() as tx:
        held = prices.get_price(tx, PriceId(about))
        title = titles_of(tx, (held.product,)).get(held.product, shorten(held.product))
        working = _working(desk, tx, held)
    shown: list[tuple[str, str]] = [
        (desk.text("ui.price.permitted"), yuan(held.permitted)),
        (desk.text("ui.price.ceiling"), yuan(held.ceiling)),
    ]
    if held.planned_calls is not None:
        shown.append((desk.text("ui.ask.planned_calls"), f"{held.planned_calls:,}"))
    costs = held.cost_file
    if costs is not None:
        shown += [(desk.text(f"ui.ask.{one}"), yuan(getattr(costs, one))) for one in _COSTS]
    if held.schedule is not None:
        shown += [(desk.text("ui.listing.price"), " ".join(fee_lines(desk, held.schedule)))]
    return Asked(
        about=title,
        trail=(*_trail(desk), (f"{PATH}/{about}", title)),
        fields=fields,
        shown=tuple(shown),
        texts=working,
        danger=danger,
    )


def _ask_agreement(desk: Desk, about: str) -> Asked:
    return _about(desk, about, opinion_field())


def _agree(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command, prices.agree_trial_price, price=PriceId(about), opinion=given.text("opinion")
    )
    return f"{PATH}/{about}"


def _ask_revenue(desk: Desk, about: str) -> Asked:
    return _about(
        desk,
        about,
        Field(
            name="bond_yield", show=Input.MONEY, most=8, hint="ui.ask.bond_yield.hint",
            refusals=("trust.rulebook.",),
        ),
        Field(name="margin", show=Input.MONEY, most=8, hint="ui.ask.margin.hint"),
        Field(name="tax", show=Input.MONEY, most=18),
        opinion_field(),
    )  # fmt: skip


def _permit(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        prices.permit_revenue,
        price=PriceId(about),
        bond_yield_bp=given.decimal("bond_yield", places=2),
        margin_bp=given.decimal("margin", places=2),
        tax_minor=given.money("tax"),
        opinion=given.text("opinion"),
    )
    return f"{PATH}/{about}"


def _ask_ceiling(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = prices.get_price(tx, PriceId(about))
    highest = (
        0 if not held.permitted or not held.planned_calls else held.permitted // held.planned_calls
    )
    return _about(
        desk,
        about,
        Field(
            name="ceiling",
            show=Input.MONEY,
            most=15,
            hint="ui.ask.ceiling.hint",
            value=f"{highest / 100:.2f}" if highest else "",
            refusals=("market.price.ceiling",),
        ),
        opinion_field(),
    )


def _preview_ceiling(desk: Desk, given: Given, about: str) -> Preview:
    with desk.reading() as tx:
        held = prices.get_price(tx, PriceId(about))
    wanted = given.money("ceiling") * (held.planned_calls or 0)
    return Preview(
        rows=(
            (desk.text("ui.price.at_ceiling"), yuan(wanted)),
            (desk.text("ui.price.permitted"), yuan(held.permitted)),
        ),
        lines=(
            desk.text("ui.price.within" if wanted <= (held.permitted or 0) else "ui.price.beyond"),
        ),
    )


def _set_ceiling(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        prices.set_ceiling,
        price=PriceId(about),
        ceiling_minor=given.money("ceiling"),
        opinion=given.text("opinion"),
    )
    return f"{PATH}/{about}"


def _ask_publish(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = prices.get_price(tx, PriceId(about))
    return _about(desk, about, *fee_fields(desk, held.schedule))


def _publish(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(command, prices.publish_price, price=PriceId(about), fees=fees_of(given))
    return f"{PATH}/{about}"


def _ask_refusal(desk: Desk, about: str) -> Asked:
    return _about(desk, about, reason_field(), danger=True)


def _refuse(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(command, prices.refuse_price, price=PriceId(about), reason=given.text("reason"))
    return f"{PATH}/{about}"


def _act(
    name: str,
    step: str,
    command: str,
    ask: Callable[[Desk, str], Asked],
    do: Callable[[Desk, trust.CommandId, Given, str], str],
    rule: str | None = None,
) -> Act:
    return Act(
        name=name, path=f"{PATH}/{{about:str}}/{step}", command=command, ask=ask, do=do, rule=rule
    )


APPLY_TRIAL = Act(
    name="apply_trial",
    path=f"{PATH}/trial",
    command="market.price.apply_trial",
    rule="price.trial_until_full_year",
    ask=_ask_trial,
    do=_apply_trial,
)
APPLY_FORMAL = Act(
    name="apply_formal",
    path=f"{PATH}/formal",
    command="market.price.apply_formal",
    rule="price.permitted_revenue",
    ask=_ask_formal,
    do=_apply_formal,
)
AGREE_TRIAL = _act("agree_trial", "agree", "market.price.agree_trial", _ask_agreement, _agree)
PERMIT_REVENUE = _act(
    "permit_revenue", "revenue", "market.price.permit_revenue", _ask_revenue, _permit,
    "price.permitted_revenue",
)  # fmt: skip
SET_CEILING = Act(
    name="set_ceiling",
    path=f"{PATH}/{{about:str}}/ceiling",
    command="market.price.set_ceiling",
    ask=_ask_ceiling,
    do=_set_ceiling,
    preview=_preview_ceiling,
)
PUBLISH = _act("publish_price", "publish", "market.price.publish", _ask_publish, _publish)
REFUSE = _act("refuse_price", "refuse", "market.price.refuse", _ask_refusal, _refuse)
ACTS = (
    APPLY_TRIAL, APPLY_FORMAL, AGREE_TRIAL, PERMIT_REVENUE, SET_CEILING, PUBLISH, REFUSE,
)  # fmt: skip
HANDLERS = (price_list, price_page)
