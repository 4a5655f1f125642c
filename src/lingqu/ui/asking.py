# SPDX-License-Identifier: Apache-2.0
"""Groups of fields that several acts ask for: statements of a rule, terms of a right, fees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from lingqu import gate, market, rights, supply, trust
from lingqu.kernel import errors
from lingqu.kernel.ids import BadId
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import Instant, Period, as_instant
from lingqu.runtime import Tx
from lingqu.runtime.calendar import LOCAL_TIME
from lingqu.trust import rulebook
from lingqu.ui.acts import Field, Given, Input
from lingqu.ui.rendering import Desk
from lingqu.ui.things import my_party

_PROSE_MOST = 4000
_COLUMNS_MOST = 400
_LEVELS = 5


def statement_fields(
    desk: Desk, tx: Tx, rule: str, said: Iterable[rights.Statement] = ()
) -> tuple[Field, ...]:
    """This will ask for each item of a rule's list, in its order, under its official words."""
    known = {one.item: one.text for one in said}
    english = desk.visit.language == "en"
    return tuple(
        Field(
            name=f"item-{one.code}",
            show=Input.AREA,
            label=one.en if english else one.zh,
            plain=True,
            value=known.get(one.code, ""),
            required=False,
            rows=2,
            most=_PROSE_MOST,
        )
        for one in rulebook.of(tx).items(rule)
    )


def statements(given: Given) -> tuple[rights.Statement, ...]:
    """This will give the items that something was said about."""
    return tuple(
        rights.Statement(item=name.removeprefix("item-"), text=said)
        for name in given.fields
        if name.startswith("item-") and (said := given.maybe(name)) is not None
    )


def statement_rows(
    desk: Desk, tx: Tx, rule: str, said: Iterable[rights.Statement]
) -> tuple[tuple[str, str], ...]:
    """This will show what was said under the words of the rule."""
    english = desk.visit.language == "en"
    words = {one.code: one.en if english else one.zh for one in rulebook.of(tx).items(rule)}
    return tuple((words.get(one.item, one.item), one.text) for one in said)


def codes(desk: Desk, tx: Tx, tree: rights.TreeName) -> tuple[tuple[str, str], ...]:
    """This will list the codes of a tree with their words, those below set in."""
    english = desk.visit.language == "en"
    known = {one.code: one for one in rights.find_codes(tx) if one.tree is tree}

    def depth(code: str) -> int:
        above = known[code].parent
        return 0 if above is None or above not in known else 1 + depth(above)

    def way(code: str) -> tuple[str, ...]:
        above = known[code].parent
        return (code,) if above is None or above not in known else (*way(above), code)

    return tuple(
        (code, "　" * depth(code) + (known[code].en if english else known[code].zh))
        for code in sorted(known, key=way)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What terms may at most be: those of the grant above, and the resources to choose from."""

    terms: TermsForm
    resources: tuple[supply.Resource, ...]


def find_resources(tx: Tx, names: Iterable[str]) -> tuple[supply.Resource, ...]:
    """This will read those resources the visitor may see."""
    found = []
    for one in dict.fromkeys(names):
        try:
            found.append(supply.get_resource(tx, supply.ResourceId(one)))
        except errors.NotFound:
            continue
    return tuple(found)


def resources_of(tx: Tx, form: TermsForm) -> tuple[supply.Resource, ...]:
    """This will read the resources whose columns terms name."""
    return find_resources(tx, named_resources(form))


def named_resources(form: TermsForm) -> tuple[supply.ResourceId, ...]:
    """This will give the resources whose columns terms name; a column alone names none."""
    found = []
    for name in form.fields or ():
        try:
            found.append(supply.ResourceId(name.partition(".")[0]))
        except BadId:
            continue
    return tuple(dict.fromkeys(found))


def terms_fields(
    desk: Desk, tx: Tx, ceiling: Ceiling, said: TermsForm | None = None
) -> tuple[Field, ...]:
    """This will ask for terms that are no wider than those above; what is left empty is as above.

    Columns are ticked under the titles of their resources.
    """
    now = said or TermsForm()
    purposes = codes(desk, tx, rights.TreeName.PURPOSES)
    if ceiling.terms.purposes is not None:
        tree = rights.load_vocabulary(tx).purposes
        allowed = {*ceiling.terms.purposes.allowed}
        barred = {*ceiling.terms.purposes.prohibited}
        purposes = tuple(
            (code, words)
            for code, words in purposes
            if allowed & {*tree.path(code)} and not barred & {*tree.path(code)}
        )
    columns = [
        Field(
            name=f"columns-{number}",
            show=Input.SEVERAL,
            label=one.title,
            plain=True,
            required=False,
            options=tuple(
                (f"{one.id}.{column.name}", column.label)
                for column in supply.read_fields(one)[:_COLUMNS_MOST]
                if ceiling.terms.fields is None or f"{one.id}.{column.name}" in ceiling.terms.fields
            ),
            value=" ".join(now.fields or ()),
        )
        for number, one in enumerate(ceiling.resources)
    ]
    highest = _LEVELS if ceiling.terms.level_max is None else ceiling.terms.level_max
    return (
        Field(
            name="purposes",
            show=Input.SEVERAL,
            options=purposes,
            required=False,
            hint="ui.ask.purposes.hint",
            value=" ".join(now.purposes.allowed if now.purposes else ()),
            refusals=("kernel.terms.unknown_code",),
        ),
        *columns,
        Field(
            name="level",
            show=Input.CHOICE,
            required=False,
            hint="ui.ask.level.hint",
            options=tuple(
                (str(one), desk.text(f"ui.level.{one}")) for one in range(1, highest + 1)
            ),
            value="" if now.level_max is None else str(now.level_max),
        ),
        Field(name="until", show=Input.DAY, required=False, hint="ui.ask.until.hint"),
    )


def terms_of(given: Given, *, begins: Instant) -> TermsForm:
    """This will read terms from the fields of `terms_fields`; an empty part does not limit."""
    purposes = given.several("purposes")
    ticked = [
        column
        for name in given.fields
        if name.startswith("columns-")
        for column in given.several(name)
    ]
    level = given.number_or_none("level")
    ends = None
    if given.maybe("until") is not None:
        last = datetime.combine(given.day("until"), time(), LOCAL_TIME) + timedelta(days=1)
        ends = as_instant(last)
        if ends <= begins:
            raise given.refused("until")
    return TermsForm(
        purposes=ScopeForm(allowed=purposes) if purposes else None,
        fields=tuple(sorted(ticked)) or None,
        level_max=level,
        valid=None if ends is None else Period(start=begins, end=ends),
    )


def quota_field(*, required: bool = False) -> Field:
    """This will ask for how many calls a right gives."""
    return Field(
        name="calls",
        show=Input.NUMBER,
        required=required,
        most=15,
        hint="ui.ask.calls.hint",
        refusals=("rights.quota.", "ledger.transfer."),
    )


def quotas_of(given: Given) -> tuple[rights.Quantity, ...]:
    """This will read the calls a right gives; none where the field is empty."""
    calls = given.number_or_none("calls")
    return () if not calls else (rights.Quantity(currency=gate.CALL, amount=calls),)


ANSWERS = tuple(market.Answer)
TIERS = 2


def fee_fields(desk: Desk, known: market.FeeSchedule | None = None) -> tuple[Field, ...]:
    """This will ask for a fee: a price, which answers cost something, free calls, two tiers."""
    billed = (market.Answer.YES, market.Answer.NO) if known is None else known.billed
    fields = [
        Field(
            name="unit_price",
            show=Input.MONEY,
            most=15,
            hint="ui.ask.unit_price.hint",
            value="" if known is None else f"{known.unit_price_minor / 100:.2f}",
            refusals=("market.price.above_ceiling", "market.fees."),
        ),
        Field(
            name="billed",
            show=Input.SEVERAL,
            hint="ui.ask.billed.hint",
            options=tuple((one.value, desk.text(f"ui.answer.{one.value}")) for one in ANSWERS),
            value=" ".join(one.value for one in billed),
        ),
        Field(
            name="free_calls",
            show=Input.NUMBER,
            required=False,
            most=12,
            value="" if known is None or not known.free_calls else str(known.free_calls),
        ),
    ]
    for number in range(TIERS):
        tier = known.tiers[number] if known is not None and number < len(known.tiers) else None
        fields += [
            Field(
                name=f"tier_above_{number}",
                show=Input.NUMBER,
                label="ui.ask.tier_above",
                required=False,
                most=12,
                value="" if tier is None else str(tier.above),
            ),
            Field(
                name=f"tier_price_{number}",
                show=Input.MONEY,
                label="ui.ask.tier_price",
                required=False,
                most=12,
                value="" if tier is None else f"{tier.unit_price_minor / 100:.2f}",
            ),
        ]
    return tuple(fields)


def fees_of(given: Given) -> market.FeeSchedule:
    """This will read a fee. Raises BadFees."""
    tiers = tuple(
        market.Tier(
            above=given.number(f"tier_above_{number}"),
            unit_price_minor=given.money(f"tier_price_{number}"),
        )
        for number in range(TIERS)
        if given.maybe(f"tier_above_{number}") is not None
    )
    return market.FeeSchedule(
        unit_price_minor=given.money("unit_price"),
        billed=tuple(market.Answer(one) for one in given.several("billed")),
        free_calls=given.number_or_none("free_calls") or 0,
        tiers=tiers,
    )


def opinion_field(*, required: bool = True, label: str = "ui.procedure.opinion") -> Field:
    """This will ask for an opinion."""
    return Field(
        name="opinion",
        show=Input.AREA,
        label=label,
        required=required,
        most=_PROSE_MOST,
        refusals=("trust.procedure.opinion",),
    )


def reason_field() -> Field:
    """This will ask for a reason."""
    return Field(
        name="reason",
        show=Input.AREA,
        label="ui.procedure.reason",
        most=_PROSE_MOST,
        refusals=("trust.procedure.reason",),
    )


def files_field(*, required: bool = False) -> Field:
    """This will ask for files."""
    return Field(
        name="files",
        show=Input.FILES,
        label="ui.procedure.files",
        hint="ui.upload.hint",
        required=required,
        refusals=("trust.procedure.attachment", "ui.upload", "rights.registration.files"),
    )


def objection_fields(desk: Desk, tx: Tx) -> tuple[Field, ...]:
    """This will ask for what every objection says: for whom, why, and with which evidence.

    Raises AccessDenied where the visitor may object for nobody.
    """
    sides = my_party(desk, tx, trust.Action.CREATE, trust.Kind.OBJECTION)
    return (
        Field(name="party", show=Input.CHOICE, options=sides),
        reason_field(),
        files_field(required=True),
    )


def sides_field(options: Sequence[tuple[str, str]], name: str, label: str = "") -> Field:
    """This will ask for which of several parties one acts, or say the one there is."""
    return Field(name=name, show=Input.CHOICE, label=label, options=tuple(options))


def with_values(fields: Sequence[Field], values: Mapping[str, str]) -> tuple[Field, ...]:
    """This will set what fields hold before anything is typed."""
    return tuple(
        replace(one, value=values[one.name]) if one.name in values else one for one in fields
    )


def purposes_of(desk: Desk, tx: Tx, held: market.listings.Listing) -> tuple[tuple[str, str], ...]:
    """This will list the purposes that a product's grant allows, with everything below them."""
    english = desk.visit.language == "en"
    tree = rights.load_vocabulary(tx).purposes
    allowed = held.permitted.purposes
    return tuple(
        (one.code, one.en if english else one.zh)
        for one in rights.find_codes(tx)
        if one.tree is rights.TreeName.PURPOSES
        and (
            allowed is None
            or (
                set(allowed.allowed) & set(tree.path(one.code))
                and not set(allowed.prohibited) & set(tree.path(one.code))
            )
        )
    )
