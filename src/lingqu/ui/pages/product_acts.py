# SPDX-License-Identifier: Apache-2.0
"""The product builder: a policy by a form, told in plain words while one fills it in."""

from __future__ import annotations

from collections.abc import Mapping

from lingqu import gate, rights, supply, trust
from lingqu.gate import Form, ProductId
from lingqu.gate.governance import QueryPolicy
from lingqu.kernel import errors
from lingqu.kernel.values import Plain, to_plain
from lingqu.runtime import Tx
from lingqu.runtime.yamls import read_yaml, write_yaml
from lingqu.ui.acts import Act, Asked, Edited, Editor, Field, Given, Input, Preview
from lingqu.ui.asking import resources_of
from lingqu.ui.drafting import draft_policy
from lingqu.ui.editing import rows_of
from lingqu.ui.policies import policy_words, try_questions
from lingqu.ui.policy_forms import (
    EDITED,
    TEXT,
    Sections,
    make_editor,
    read_edited,
    rework,
    sections_of,
)
from lingqu.ui.rendering import Desk

PATH = "/gate/products"
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
    form: Form, columns: tuple[tuple[str, str], ...], known: gate.Policy | None
) -> tuple[Field, ...]:
    """The fields of a policy, where it is simple enough to have no editor of its own."""
    if form in EDITED:
        return ()
    found = _count_fields(columns)
    if form is Form.OPEN_FILE:
        found = (
            Field(name="columns", show=Input.SEVERAL, label="ui.ask.open_columns",
                  options=columns, refusals=("gate.policy", "gate.product.outside")),
        )  # fmt: skip
    values = {} if known is None else _values(known)
    underneath = Field(
        name=TEXT, show=Input.CODE, required=False, rows=6, most=_POLICY_MOST,
        hint="ui.ask.policy.hint", refusals=("gate.policy", "runtime.yaml"),
    )  # fmt: skip
    return (*(_valued(one, values) for one in found), underneath)


def _valued(one: Field, values: Mapping[str, str]) -> Field:
    if one.name not in values:
        return one
    return Field(
        name=one.name, show=one.show, label=one.label, hint=one.hint, options=one.options,
        value=values[one.name], required=one.required, most=one.most, rows=one.rows,
        refusals=one.refusals, plain=one.plain,
    )  # fmt: skip


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


def read_form(given: Given, form: Form, sections: Sections) -> gate.Policy:
    """This will read a policy: the text underneath where it was written, else the inputs."""
    if form in EDITED:
        return read_edited(given.desk, form, sections, given.form.fields)
    written = given.maybe(TEXT)
    if written is not None:
        return gate.parse_policy(form, read_yaml(written))
    return _read_count(given) if form is Form.COUNT else _read_open_file(given)


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
    return {}


def _told(desk: Desk, policy: gate.Policy) -> Preview:
    with desk.reading() as tx:
        lines = policy_words(desk, policy, column_words(tx, policy))
    tried = () if not isinstance(policy, QueryPolicy) else try_questions(desk, policy)
    return Preview(lines=lines, code=write_yaml(gate.tell_policy(policy)), tried=tried)


def _sections(desk: Desk, tx: Tx, form: Form, grant: rights.Grant) -> Sections:
    terms = rights.read_form(grant.effective)
    return sections_of(
        desk,
        form,
        resources=tuple((str(one.id), one.title) for one in resources_of(tx, terms)),
        columns=_columns(desk, tx, grant),
    )


def _reworked(
    desk: Desk, form: Form, grant: rights.Grant, fields: Mapping[str, str], what: str
) -> Mapping[str, str]:
    with desk.reading() as tx:
        sections = _sections(desk, tx, form, grant)

        def missing(typed: Mapping[str, str], path: str) -> tuple[Mapping[str, Plain], ...]:
            return _missing(tx, grant, typed, path)

        return rework(form, sections, fields, what, missing)


def _missing(
    tx: Tx, grant: rights.Grant, typed: Mapping[str, str], path: str
) -> tuple[Mapping[str, Plain], ...]:
    """The columns a table's resource has and the form does not name yet, the strictest roles."""
    resource = typed.get(f"{path.rpartition('.')[0]}.resource", "")
    known = {typed.get(f"{path}.{number}.name", "") for number in rows_of(typed, path)}
    terms = rights.read_form(grant.effective)
    mine = [one for one in resources_of(tx, terms) if one.id == resource]
    drafted = draft_policy(tx, mine, terms.fields)
    if drafted is None:
        return ()
    rows = [to_plain(one) for one in drafted.tables[0].columns if one.name not in known]
    return tuple(one for one in rows if isinstance(one, dict))


# -- acts -----------------------------------------------------------------------------------------


def _ask_definition(desk: Desk, about: str) -> Asked:
    form = _form_of(desk)
    with desk.reading() as tx:
        grant = rights.get_grant(tx, rights.GrantId(about))
        columns = _columns(desk, tx, grant)
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
            *_policy_fields(form, columns, None),
        ),
    )


def _read_new(desk: Desk, given: Given, about: str) -> gate.Policy:
    form = _form_of(desk)
    with desk.reading() as tx:
        sections = _sections(desk, tx, form, rights.get_grant(tx, rights.GrantId(about)))
    return read_form(given, form, sections)


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
        policy=_read_new(desk, given, about),
    )
    return f"{PATH}/{product}"


def _preview_definition(desk: Desk, given: Given, about: str) -> Preview:
    return _told(desk, _read_new(desk, given, about))


def _edit_definition(desk: Desk, about: str, edited: Edited) -> Editor | None:
    form = _form_of(desk)
    if form not in EDITED:
        return None
    with desk.reading() as tx:
        grant = rights.get_grant(tx, rights.GrantId(about))
        sections = _sections(desk, tx, form, grant)
        known = _draft(tx, grant) if form is Form.QUERY else None
    return make_editor(form, sections, edited, known)


def _rework_definition(
    desk: Desk, about: str, fields: Mapping[str, str], what: str
) -> Mapping[str, str]:
    with desk.reading() as tx:
        grant = rights.get_grant(tx, rights.GrantId(about))
    return _reworked(desk, _form_of(desk), grant, fields, what)


def _product(desk: Desk, about: str) -> tuple[gate.Product, rights.Grant]:
    with desk.reading() as tx:
        held = gate.get_product(tx, ProductId(about))
        return held, rights.get_grant(tx, held.grant_id)


def _ask_revision(desk: Desk, about: str) -> Asked:
    held, grant = _product(desk, about)
    with desk.reading() as tx:
        columns = _columns(desk, tx, grant)
    return Asked(
        about=held.title,
        trail=((PATH, desk.text("ui.products.title")), (f"{PATH}/{about}", held.title)),
        fields=_policy_fields(held.form, columns, gate.policy_of(held)),
    )


def _read_next(desk: Desk, given: Given, about: str) -> gate.Policy:
    held, grant = _product(desk, about)
    with desk.reading() as tx:
        sections = _sections(desk, tx, held.form, grant)
    return read_form(given, held.form, sections)


def _revise(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    policy = _read_next(desk, given, about)
    desk.execute(command, gate.revise_product, product=ProductId(about), policy=policy)
    return f"{PATH}/{about}"


def _preview_revision(desk: Desk, given: Given, about: str) -> Preview:
    return _told(desk, _read_next(desk, given, about))


def _edit_revision(desk: Desk, about: str, edited: Edited) -> Editor | None:
    held, grant = _product(desk, about)
    if held.form not in EDITED:
        return None
    with desk.reading() as tx:
        sections = _sections(desk, tx, held.form, grant)
    return make_editor(held.form, sections, edited, gate.policy_of(held))


def _rework_revision(
    desk: Desk, about: str, fields: Mapping[str, str], what: str
) -> Mapping[str, str]:
    held, grant = _product(desk, about)
    return _reworked(desk, held.form, grant, fields, what)


def _ask_withdrawal(desk: Desk, about: str) -> Asked:
    held, _ = _product(desk, about)
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
    edit=_edit_definition,
    rework=_rework_definition,
)
REVISE = Act(
    name="revise_product",
    path=f"{PATH}/{{about:str}}/revise",
    command="gate.product.revise",
    rule="market.paradigm",
    ask=_ask_revision,
    do=_revise,
    preview=_preview_revision,
    edit=_edit_revision,
    rework=_rework_revision,
)
WITHDRAW = Act(
    name="withdraw_product",
    path=f"{PATH}/{{about:str}}/withdraw",
    command="gate.product.withdraw",
    ask=_ask_withdrawal,
    do=_withdraw,
)
ACTS = (DEFINE, REVISE, WITHDRAW)
