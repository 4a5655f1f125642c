# SPDX-License-Identifier: Apache-2.0
"""The product builder: a policy by a form, told in plain words while one fills it in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lingqu import gate, rights, supply, trust
from lingqu.gate import Form, ProductId
from lingqu.gate.governance import QueryPolicy
from lingqu.kernel import errors
from lingqu.runtime import Tx
from lingqu.ui.acts import Act, Asked, Field, Given, Input, Preview
from lingqu.ui.asking import resources_of
from lingqu.ui.drafting import draft_policy
from lingqu.ui.policies import policy_text, policy_words
from lingqu.ui.rendering import Desk

PATH = "/gate/products"
_QUESTIONS = 2
_POLICY_MOST = 60_000


def column_words(tx: Tx, policy: gate.Policy) -> Mapping[tuple[str, str], str]:
    """This will give the words of every column a policy reads: its resource and its label."""
    found: dict[tuple[str, str], str] = {}
    for resource in {one for one, _ in gate.find_columns(policy)}:
        try:
            known = supply.get_resource(tx, supply.ResourceId(resource))
        except errors.LingquError:
            continue
        for column in supply.read_fields(known):
            found[(resource, column.name)] = f"{known.title}·{column.label}"
    return found


def _form_of(desk: Desk) -> Form:
    try:
        return Form(desk.argument("form"))
    except ValueError:
        return Form.VERIFICATION


def _columns(desk: Desk, tx: Tx, grant: rights.Grant) -> tuple[tuple[str, str], ...]:
    form = rights.read_form(grant.effective)
    allowed = form.fields
    return tuple(
        (f"{one.id}.{column.name}", f"{one.title} · {desk.aside(column.label, column.name)}")
        for one in resources_of(tx, form)
        for column in supply.read_fields(one)
        if allowed is None or f"{one.id}.{column.name}" in allowed
    )


def _draft(tx: Tx, grant: rights.Grant) -> gate.Policy | None:
    """What a query policy begins with: the strictest one over the columns of the right."""
    terms = rights.read_form(grant.effective)
    return draft_policy(tx, resources_of(tx, terms), terms.fields)


def _policy_fields(
    desk: Desk, form: Form, columns: tuple[tuple[str, str], ...], known: gate.Policy | None
) -> tuple[Field, ...]:
    values = {} if known is None else _values(known)
    match form:
        case Form.VERIFICATION:
            found = _verification_fields(desk, columns)
        case Form.COUNT:
            found = _count_fields(columns)
        case Form.OPEN_FILE:
            found = (
                Field(name="columns", show=Input.SEVERAL, label="ui.ask.open_columns",
                      options=columns, refusals=("gate.policy", "gate.product.outside")),
            )  # fmt: skip
        case Form.QUERY:
            found = ()
    is_query = form is Form.QUERY
    underneath = Field(
        name="policy",
        show=Input.CODE,
        required=is_query,
        rows=24 if is_query else 6,
        most=_POLICY_MOST,
        hint="ui.ask.policy_query.hint" if is_query else "ui.ask.policy.hint",
        value="" if known is None or _is_plain(known) else policy_text(known),
        refusals=("gate.policy",),
    )
    return (*(_valued(one, values) for one in found), underneath)


def _valued(one: Field, values: Mapping[str, str]) -> Field:
    if one.name not in values:
        return one
    return Field(
        name=one.name, show=one.show, label=one.label, hint=one.hint, options=one.options,
        value=values[one.name], required=one.required, most=one.most, rows=one.rows,
        refusals=one.refusals, plain=one.plain,
    )  # fmt: skip


def _verification_fields(desk: Desk, columns: tuple[tuple[str, str], ...]) -> tuple[Field, ...]:
    kinds = tuple((one.value, desk.text(f"ui.characters.{one.value}")) for one in gate.Characters)
    ways = tuple((one.value, desk.text(f"ui.matching.{one.value}")) for one in gate.Matching)
    found = [
        Field(name="characters", show=Input.CHOICE, options=kinds),
        Field(name="shortest", show=Input.NUMBER, most=4, value="6", refusals=("gate.policy.bad",)),
        Field(name="longest", show=Input.NUMBER, most=4, value="18"),
    ]
    for number in range(_QUESTIONS):
        found += [
            Field(
                name=f"question_{number}",
                label="ui.ask.question",
                hint="ui.ask.question.hint",
                required=number == 0,
                most=60,
                value="valid" if number == 0 else "",
            ),
            Field(
                name=f"key_{number}",
                show=Input.CHOICE,
                label="ui.ask.key_column",
                required=number == 0,
                options=columns,
                refusals=("gate.product.outside",) if number == 0 else (),
            ),
            Field(
                name=f"value_{number}",
                show=Input.CHOICE,
                label="ui.ask.value_column",
                hint="ui.ask.value_column.hint",
                required=False,
                options=columns,
            ),
            Field(
                name=f"matching_{number}",
                show=Input.CHOICE,
                label="ui.ask.matching",
                options=ways,
                required=False,
                value=gate.Matching.EXACT.value,
            ),
        ]
    found += [
        Field(name="once", show=Input.CHOICE, required=False, hint="ui.ask.once.hint",
              options=columns),
        Field(name="tells_unknown", show=Input.CHECK, required=False),
        Field(name="limit_values", show=Input.NUMBER, required=False, most=6, value="3"),
        Field(name="limit_days", show=Input.NUMBER, required=False, most=4, value="30"),
        Field(name="sample_least", show=Input.NUMBER, required=False, most=6, value="20"),
        Field(name="sample_most", show=Input.NUMBER, required=False, most=6, value="200"),
        Field(name="sample_altogether", show=Input.NUMBER, required=False, most=6, value="400"),
    ]  # fmt: skip
    return tuple(found)


def _count_fields(columns: tuple[tuple[str, str], ...]) -> tuple[Field, ...]:
    return (
        Field(name="entity", show=Input.CHOICE, hint="ui.ask.entity.hint", options=columns,
              refusals=("gate.product.outside",)),
        Field(name="dimensions", show=Input.SEVERAL, options=columns,
              refusals=("gate.policy.bad",)),
        Field(name="merged", show=Input.CHOICE, hint="ui.ask.merged.hint", options=columns),
        Field(name="threshold", show=Input.NUMBER, most=5, value="20"),
        Field(name="rounding", show=Input.NUMBER, most=5, value="1"),
    )  # fmt: skip


def _pair(given: Given, name: str) -> tuple[str, str]:
    resource, _, column = given.text(name).partition(".")
    return resource, column


def read_form(given: Given, form: Form) -> gate.Policy:
    """This will read a policy: the JSON underneath where it was written, else the fields."""
    written = given.maybe("policy")
    if written is not None:
        try:
            plain = json.loads(written)
        except (ValueError, RecursionError):
            raise given.refused("policy") from None
        return gate.parse_policy(form, plain)
    match form:
        case Form.VERIFICATION:
            return _read_verification(given)
        case Form.COUNT:
            return _read_count(given)
        case Form.OPEN_FILE:
            return _read_open_file(given)
        case Form.QUERY:
            # Roles and grids are told by the policy's text alone.
            raise given.refused("policy")


def _read_verification(given: Given) -> gate.VerificationPolicy:
    predicates = []
    for number in range(_QUESTIONS):
        name = given.maybe(f"question_{number}")
        if name is None:
            continue
        resource, key = _pair(given, f"key_{number}")
        value = given.maybe(f"value_{number}")
        once = given.maybe("once") if number == 0 else None
        if value is not None and value.partition(".")[0] != resource:
            raise given.refused(f"value_{number}")
        column = None if value is None else value.partition(".")[2]
        predicates.append(
            gate.Predicate(
                name=name,
                yes=(gate.Relation(resource=resource, key=key, value=column),),
                once=()
                if once is None
                else (gate.Relation(resource=once.partition(".")[0], key=once.partition(".")[2]),),
                matching=given.choice(f"matching_{number}", gate.Matching),
            )
        )
    values, least = given.number_or_none("limit_values"), given.number_or_none("sample_least")
    return gate.VerificationPolicy(
        subject=gate.SubjectShape(
            characters=given.choice("characters", gate.Characters),
            shortest=given.number("shortest"),
            longest=given.number("longest"),
        ),
        predicates=tuple(predicates),
        tells_unknown=given.maybe("tells_unknown") is not None,
        enumeration=None
        if not values
        else gate.Enumeration(values=values, days=given.number("limit_days")),
        sample=None
        if not least
        else gate.Sample(
            least=least,
            most=given.number("sample_most"),
            altogether=given.number("sample_altogether"),
        ),
    )


def _read_count(given: Given) -> gate.CountPolicy:
    resource, entity = _pair(given, "entity")
    chosen = [one.partition(".") for one in given.several("dimensions")]
    if any(one[0] != resource for one in chosen):
        raise given.refused("dimensions")
    merged = _pair(given, "merged")
    return gate.CountPolicy(
        resource=resource,
        entity=entity,
        dimensions=tuple(one[2] for one in chosen),
        merged=merged[1],
        threshold=given.number("threshold"),
        rounding=given.number("rounding"),
    )


def _read_open_file(given: Given) -> gate.OpenFilePolicy:
    chosen = [one.partition(".") for one in given.several("columns")]
    if not chosen or len({one[0] for one in chosen}) != 1:
        raise given.refused("columns")
    return gate.OpenFilePolicy(resource=chosen[0][0], columns=tuple(one[2] for one in chosen))


def _values(known: gate.Policy) -> dict[str, str]:
    """What the fields hold for a policy that they can say."""
    if isinstance(known, gate.CountPolicy):
        at = f"{known.resource}."
        return {
            "entity": at + known.entity,
            "dimensions": " ".join(at + one for one in known.dimensions),
            "merged": at + known.merged,
            "threshold": str(known.threshold),
            "rounding": str(known.rounding),
        }
    if isinstance(known, gate.OpenFilePolicy):
        return {"columns": " ".join(f"{known.resource}.{one}" for one in known.columns)}
    if isinstance(known, QueryPolicy):
        return {}
    found: dict[str, Any] = {
        "characters": known.subject.characters.value,
        "shortest": str(known.subject.shortest),
        "longest": str(known.subject.longest),
        "tells_unknown": "yes" if known.tells_unknown else "",
        "limit_values": "" if known.enumeration is None else str(known.enumeration.values),
        "limit_days": "" if known.enumeration is None else str(known.enumeration.days),
        "sample_least": "" if known.sample is None else str(known.sample.least),
        "sample_most": "" if known.sample is None else str(known.sample.most),
        "sample_altogether": "" if known.sample is None else str(known.sample.altogether),
    }
    for number, one in enumerate(known.predicates[:_QUESTIONS]):
        first = one.yes[0]
        found[f"question_{number}"] = one.name
        found[f"key_{number}"] = f"{first.resource}.{first.key}"
        found[f"matching_{number}"] = one.matching.value
        if first.value is not None:
            found[f"value_{number}"] = f"{first.resource}.{first.value}"
        if number == 0 and one.once:
            found["once"] = f"{one.once[0].resource}.{one.once[0].key}"
    return found


def _is_plain(known: gate.Policy) -> bool:
    """Whether the fields can say all of a policy; else the JSON underneath is edited."""
    if not isinstance(known, gate.VerificationPolicy):
        return not isinstance(known, QueryPolicy)
    if known.combined or known.personal or len(known.predicates) > _QUESTIONS:
        return False
    if known.enumeration is not None and known.enumeration.subjects is not None:
        return False
    return all(
        len(one.yes) == 1
        and not one.yes[0].prefix
        and not one.evidence
        and one.separator == "/"
        and one.measure is None
        and len(one.once) <= (1 if number == 0 else 0)
        and not any(was.prefix or was.value for was in one.once)
        for number, one in enumerate(known.predicates)
    )


def _told(desk: Desk, policy: gate.Policy) -> Preview:
    with desk.reading() as tx:
        lines = policy_words(desk, policy, column_words(tx, policy))
    return Preview(lines=lines, code=policy_text(policy))


# -- acts -----------------------------------------------------------------------------------------


def _ask_definition(desk: Desk, about: str) -> Asked:
    form = _form_of(desk)
    with desk.reading() as tx:
        grant = rights.get_grant(tx, rights.GrantId(about))
        columns = _columns(desk, tx, grant)
        draft = _draft(tx, grant) if form is Form.QUERY else None
        names = desk.names(tx, {grant.holder})
    kinds = tuple(
        (f"{DEFINE.href(about)}?form={one.value}", desk.text(f"ui.product_form.{one.value}"))
        for one in Form
    )
    grant_page = (
        f"/rights/grants/{about}",
        desk.text(
            "ui.grant.of",
            holder=names[grant.holder],
            kind=desk.text(f"rights.kind.{grant.kind.value}"),
        ),
    )
    return Asked(
        about=desk.text(f"ui.product_form.{form.value}"),
        trail=((PATH, desk.text("ui.products.title")), grant_page),
        kinds=kinds,
        shown=((desk.text("ui.listing.seller"), names[grant.holder]),),
        fields=(
            Field(name="title", refusals=("gate.product.bad",)),
            Field(name="summary", show=Input.AREA, most=1000),
            *_policy_fields(desk, form, columns, draft),
        ),
    )


def _define(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    product, form = ProductId.of(command.uuid), _form_of(desk)
    desk.execute(
        command,
        gate.define_product,
        product=product,
        grant=rights.GrantId(about),
        form=form,
        title=given.text("title"),
        summary=given.text("summary"),
        policy=read_form(given, form),
    )
    return f"{PATH}/{product}"


def _preview_definition(desk: Desk, given: Given, _: str) -> Preview:
    return _told(desk, read_form(given, _form_of(desk)))


def _product(desk: Desk, about: str) -> gate.Product:
    with desk.reading() as tx:
        return gate.get_product(tx, ProductId(about))


def _ask_revision(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = gate.get_product(tx, ProductId(about))
        columns = _columns(desk, tx, rights.get_grant(tx, held.grant_id))
    return Asked(
        about=held.title,
        trail=((PATH, desk.text("ui.products.title")), (f"{PATH}/{about}", held.title)),
        fields=_policy_fields(desk, held.form, columns, gate.policy_of(held)),
    )


def _revise(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    policy = read_form(given, _product(desk, about).form)
    desk.execute(command, gate.revise_product, product=ProductId(about), policy=policy)
    return f"{PATH}/{about}"


def _preview_revision(desk: Desk, given: Given, about: str) -> Preview:
    return _told(desk, read_form(given, _product(desk, about).form))


def _ask_withdrawal(desk: Desk, about: str) -> Asked:
    held = _product(desk, about)
    return Asked(
        about=held.title,
        trail=((PATH, desk.text("ui.products.title")), (f"{PATH}/{about}", held.title)),
        shown=((desk.text("ui.listing.title"), held.title),),
        danger=True,
    )


def _withdraw(desk: Desk, command: trust.CommandId, _: Given, about: str) -> str:
    desk.execute(command, gate.withdraw_product, product=ProductId(about))
    return f"{PATH}/{about}"


DEFINE = Act(
    name="define_product",
    path="/gate/define/{about:str}",
    command="gate.product.define",
    rule="market.paradigm",
    ask=_ask_definition,
    do=_define,
    preview=_preview_definition,
)
REVISE = Act(
    name="revise_product",
    path=f"{PATH}/{{about:str}}/revise",
    command="gate.product.revise",
    rule="market.paradigm",
    ask=_ask_revision,
    do=_revise,
    preview=_preview_revision,
)
WITHDRAW = Act(
    name="withdraw_product",
    path=f"{PATH}/{{about:str}}/withdraw",
    command="gate.product.withdraw",
    ask=_ask_withdrawal,
    do=_withdraw,
)
ACTS = (DEFINE, REVISE, WITHDRAW)
