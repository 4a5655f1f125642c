# SPDX-License-Identifier: Apache-2.0
"""The policy editor: what a policy of queries or of a verification is, as inputs and as YAML.

The inputs and the text say the same. Whichever was changed by hand counts; where both were, that is
refused, and nothing typed is lost. Taking the text over makes it the inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence

from lingqu import gate
from lingqu.gate import Form
from lingqu.gate.governance import Cardinality, Function, GridKind, Mode, Role
from lingqu.gate.predicates import Asks, Combining, Reads, Which
from lingqu.kernel import errors
from lingqu.kernel.values import Plain, to_plain
from lingqu.runtime.yamls import read_yaml, write_yaml
from lingqu.ui.acts import Edited, Editor, FieldRefused
from lingqu.ui.editing import (
    Fields,
    Group,
    Kind,
    Leaf,
    NotSound,
    Only,
    Option,
    Part,
    Rows,
    add_row,
    begin_parts,
    complete_parts,
    drop_row,
    find_rows,
    locate,
    read_parts,
    rows_of,
    write_parts,
)
from lingqu.ui.rendering import Desk

TEXT, TEXT_WAS, FORM_WAS = "policy", "policy_was", "form_was"
EDITED = frozenset({Form.QUERY, Form.VERIFICATION})
"""The forms of product whose policies are edited here."""
_TYPES = (
    "VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DATE", "BOOLEAN", "DECIMAL(18,2)",
    "DOUBLE", "TIMESTAMP",
)  # fmt: skip
_GRIDDED = Only(name="role", wanted=("quasi", "dimension", "free", "measure"))
"""Columns of other roles are never grouped by."""
Sections = tuple[tuple[str, str, tuple[Part, ...]], ...]


class BothChanged(errors.Rejected):
    """The inputs and the text underneath were both changed, and do not say the same."""

    code = "ui.policy.both_changed"


def sections_of(
    desk: Desk, form: Form, *, resources: Sequence[Option], columns: Sequence[Option]
) -> Sections:
    """This will tell the parts of a policy under their headings; `columns` as `resource.name`."""
    if form is Form.QUERY:
        return _query_sections(desk, tuple(resources))
    return _verification_sections(desk, tuple(columns))


def parts_of(sections: Sections) -> tuple[Part, ...]:
    """This will give the parts of all sections."""
    return tuple(part for _, _, parts in sections for part in parts)


def _words(desk: Desk, start: str, members: Collection[str]) -> tuple[Option, ...]:
    return tuple((one, desk.text(f"{start}.{one}")) for one in members)


def _heading(desk: Desk, name: str) -> tuple[str, str]:
    return desk.text(f"ui.policy.part.{name}"), desk.text(f"ui.policy.part.{name}.hint")


def _named_rows(path: str, *, role: str = "") -> Callable[[Fields, str], tuple[Option, ...]]:
    """Options out of the names of rows typed at a path below, or at the top for `/path`."""

    def choose(fields: Fields, prefix: str) -> tuple[Option, ...]:
        at = path[1:] if path.startswith("/") else prefix + path
        names = [
            fields.get(f"{at}.{number}.name", "").strip()
            for number in rows_of(fields, at)
            if not role or fields.get(f"{at}.{number}.role") == role
        ]
        return tuple((one, one) for one in dict.fromkeys(names) if one)

    return choose


def _grid(desk: Desk) -> Group:
    return Group(
        name="grid",
        lead="kind",
        only=_GRIDDED,
        parts=(
            Leaf(
                name="kind", label="grid_kind", kind=Kind.CHOICE, reshapes=True,
                options=_words(desk, "ui.policy.grid", [one.value for one in GridKind]),
            ),
            Leaf(
                name="edges", kind=Kind.LIST, hint=True,
                only=Only(name="kind", wanted=("bands",)),
            ),
            Leaf(
                name="values", kind=Kind.LIST, label="listed", hint=True,
                only=Only(name="kind", wanted=("exact",)),
            ),
        ),
    )  # fmt: skip


def _measure(desk: Desk) -> Group:
    told = [Function.SUM, Function.COUNT, Function.MIN, Function.MAX]
    return Group(
        name="measure",
        only=Only(name="role", wanted=("measure",)),
        parts=(
            Leaf(name="scale", kind=Kind.NUMBER, value="0", needed=True, hint=True),
            Leaf(name="lower", kind=Kind.SCALED, value="0", needed=True),
            Leaf(name="upper", kind=Kind.SCALED, needed=True, hint=True),
            Leaf(
                name="functions", kind=Kind.SEVERAL, value="sum count",
                options=_words(desk, "ui.policy.function", [one.value for one in told]),
            ),
        ),
    )  # fmt: skip


def _tables(desk: Desk, resources: tuple[Option, ...]) -> Rows:
    column = (
        Leaf(name="name", label="column", needed=True),
        Leaf(
            name="type", kind=Kind.CHOICE, needed=True, value="VARCHAR",
            options=tuple((one, one) for one in _TYPES),
        ),
        Leaf(
            name="role", kind=Kind.CHOICE, needed=True, reshapes=True, value="sensitive",
            options=_words(desk, "ui.policy.role", [one.value for one in Role]),
        ),
        _grid(desk),
        _measure(desk),
    )  # fmt: skip
    return Rows(
        name="tables",
        most=16,
        parts=(
            Leaf(name="name", label="table", needed=True, hint=True),
            Leaf(name="resource", kind=Kind.CHOICE, needed=True, options=resources),
            Leaf(
                name="entity", kind=Kind.CHOICE, hint=True,
                choices=_named_rows("columns", role="key"),
            ),
            Leaf(name="threshold", kind=Kind.NUMBER, needed=True, value="20", hint=True),
            Rows(name="columns", parts=column, most=200, fills=True),
        ),
    )  # fmt: skip


def _joins(desk: Desk) -> Rows:
    table = _named_rows("/tables")
    return Rows(
        name="joins",
        title="left+right",
        most=64,
        parts=(
            Leaf(name="left", kind=Kind.CHOICE, needed=True, choices=table),
            Leaf(name="right", kind=Kind.CHOICE, needed=True, choices=table),
            Leaf(name="keys", kind=Kind.PAIRS, needed=True, hint=True),
            Leaf(
                name="cardinality", kind=Kind.CHOICE, needed=True, value="many_one",
                options=_words(desk, "ui.policy.cardinality", [one.value for one in Cardinality]),
            ),
        ),
    )  # fmt: skip


def _query_sections(desk: Desk, resources: tuple[Option, ...]) -> Sections:
    modes = Leaf(
        name="modes", kind=Kind.SEVERAL, reshapes=True,
        options=_words(desk, "ui.query.mode", [one.value for one in Mode]),
    )  # fmt: skip
    noise = Group(
        name="dp",
        only=Only(name="modes.dp", wanted=("yes",)),
        parts=(
            Leaf(name="contribution", kind=Kind.NUMBER, needed=True, value="1", hint=True),
            Leaf(name="rho_least", kind=Kind.NUMBER, needed=True, value="1000", hint=True),
            Leaf(name="rho_most", kind=Kind.NUMBER, needed=True, value="100000"),
            Leaf(name="organization_ceiling", kind=Kind.NUMBER, needed=True, value="1000000"),
            Leaf(name="dataset_ceiling", kind=Kind.NUMBER, needed=True, value="5000000"),
        ),
    )
    protecting = tuple(
        Leaf(name=name, kind=Kind.NUMBER, hint=True) for name in ("rounding", "dominance")
    )
    limits = tuple(
        Leaf(name=name, kind=Kind.NUMBER)
        for name in ("rows_max", "groups_max", "joins_max", "depth_max", "text_max")
    )
    return (
        (*_heading(desk, "tables"), (_tables(desk, resources),)),
        (*_heading(desk, "joins"), (_joins(desk),)),
        (*_heading(desk, "modes"), (modes, *protecting, noise)),
        (*_heading(desk, "limits"), limits),
    )


def _relation(name: str, columns: tuple[Option, ...], *, least: int = 0) -> Rows:
    return Rows(
        name=name,
        title="key",
        most=8,
        least=least,
        parts=(
            Leaf(name="key", kind=Kind.COLUMN, needed=True, options=columns),
            Leaf(name="value", kind=Kind.BESIDE, label="value_column", options=columns, hint=True),
            Leaf(name="prefix", hint=True),
        ),
    )


def _measured(desk: Desk, columns: tuple[Option, ...]) -> Group:
    by_asks = Only(name="asks", wanted=_MEASURED)
    return Group(
        name="measure",
        lead="asks",
        parts=(
            Leaf(
                name="asks", kind=Kind.CHOICE, reshapes=True,
                options=_words(desk, "ui.policy.asks", _MEASURED),
            ),
            Leaf(
                name="reads", kind=Kind.CHOICE, needed=True, value="decimal", only=by_asks,
                options=_words(desk, "ui.policy.reads", [one.value for one in Reads]),
            ),
            Leaf(name="bounds", kind=Kind.LIST, hint=True, only=by_asks),
            Leaf(
                name="bands", kind=Kind.LIST, hint=True, blanks=True,
                only=Only(name="asks", wanted=("band",)),
            ),
            Leaf(
                name="which", kind=Kind.CHOICE, needed=True, value="highest", only=by_asks,
                options=_words(desk, "ui.policy.which", [one.value for one in Which]),
            ),
            Group(
                name="other",
                lead="key",
                only=Only(name="asks", wanted=("before", "after")),
                parts=_relation("other", columns).parts,
            ),
        ),
    )  # fmt: skip


def _predicates(desk: Desk, columns: tuple[Option, ...]) -> Rows:
    evidence = Rows(
        name="evidence",
        title="key",
        most=8,
        parts=(
            Leaf(name="key", kind=Kind.COLUMN, needed=True, options=columns),
            Leaf(name="columns", kind=Kind.LIST, label="shown_columns", needed=True),
            Leaf(name="prefix", hint=True),
        ),
    )
    return Rows(
        name="predicates",
        most=20,
        least=1,
        parts=(
            Leaf(name="name", label="question", needed=True, hint=True, value="valid"),
            Leaf(
                name="matching", kind=Kind.CHOICE, needed=True, value="exact", reshapes=True,
                options=_words(desk, "ui.matching", [one.value for one in gate.Matching]),
            ),
            Leaf(name="separator", value="/", only=Only(name="matching", wanted=("membership",))),
            _relation("yes", columns, least=1),
            _measured(desk, columns),
            _relation("once", columns),
            evidence,
        ),
    )  # fmt: skip


def _verification_sections(desk: Desk, columns: tuple[Option, ...]) -> Sections:
    shape = Group(
        name="subject",
        parts=(
            Leaf(
                name="characters", kind=Kind.CHOICE, needed=True, value="digits",
                options=_words(desk, "ui.characters", [one.value for one in gate.Characters]),
            ),
            Leaf(name="shortest", kind=Kind.NUMBER, needed=True, value="6"),
            Leaf(name="longest", kind=Kind.NUMBER, needed=True, value="18"),
        ),
    )  # fmt: skip
    combined = Rows(
        name="combined",
        most=19,
        parts=(
            Leaf(name="name", label="question", needed=True, hint=True),
            Leaf(name="of", kind=Kind.SEVERAL, choices=_named_rows("/predicates")),
            Leaf(
                name="how", kind=Kind.CHOICE, needed=True, value="all",
                options=_words(desk, "ui.policy.how", [one.value for one in Combining]),
            ),
        ),
    )  # fmt: skip
    limits = Group(
        name="enumeration",
        lead="values",
        parts=(
            Leaf(name="values", kind=Kind.NUMBER, label="tries", value="3", hint=True),
            Leaf(name="days", kind=Kind.NUMBER, value="30"),
            Leaf(name="subjects", kind=Kind.NUMBER, hint=True),
        ),
    )
    sample = Group(
        name="sample",
        lead="least",
        parts=(
            Leaf(name="least", kind=Kind.NUMBER, value="20", hint=True),
            Leaf(name="most", kind=Kind.NUMBER, value="200"),
            Leaf(name="altogether", kind=Kind.NUMBER, value="400"),
        ),
    )
    told = tuple(
        Leaf(name=name, kind=Kind.CHECK, hint=True) for name in ("personal", "tells_unknown")
    )
    return (
        (*_heading(desk, "subject"), (shape, *told)),
        (*_heading(desk, "predicates"), (_predicates(desk, columns),)),
        (*_heading(desk, "combined"), (combined,)),
        (*_heading(desk, "asking"), (limits, sample)),
    )


_MEASURED = tuple(one.value for one in Asks)


# -- reading and drawing --------------------------------------------------------------------------


def read_edited(desk: Desk, form: Form, sections: Sections, fields: Fields) -> gate.Policy:
    """This will read a policy: the text where that was changed, else the inputs.

    Raises BothChanged, BadYaml, BadPolicy, FieldRefused.
    """
    text, parts = _text_of(fields), parts_of(sections)
    if not _is_text_changed(fields):
        return gate.parse_policy(form, _read_inputs(desk, parts, fields))
    policy = gate.parse_policy(form, read_yaml(text))
    was = fields.get(FORM_WAS)
    if was and was != _form_digest(parts, fields):
        try:
            same = gate.parse_policy(form, read_parts(parts, fields)) == policy
        except (NotSound, gate.BadPolicy):
            same = False
        if not same:
            raise BothChanged
    return policy


def _read_inputs(desk: Desk, parts: Sequence[Part], fields: Fields) -> dict[str, Plain]:
    try:
        return read_parts(parts, fields)
    except NotSound as error:
        label = desk.text(f"ui.policy.{error.leaf.word}")
        raise FieldRefused(field=error.path, label=label) from None


def _text_of(fields: Fields) -> str:
    return fields.get(TEXT, "").replace("\r\n", "\n").strip()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def _is_text_changed(fields: Fields) -> bool:
    text = _text_of(fields)
    return bool(text) and _digest(text) != fields.get(TEXT_WAS)


def _form_digest(parts: Sequence[Part], fields: Fields) -> str:
    try:
        return _digest(json.dumps(read_parts(parts, fields), sort_keys=True))
    except NotSound:
        return "unsound"


def make_editor(
    form: Form, sections: Sections, edited: Edited, known: gate.Policy | None
) -> Editor:
    """This will draw a policy from what was typed, or from what is known before that."""
    parts, fields = parts_of(sections), dict(edited.fields)
    if not fields:
        fields = begin_parts(parts) if known is None else write_parts(parts, _plain_of(known))
    fields = complete_parts(parts, fields)
    is_text = _is_text_changed(fields)
    text = _text_of(fields)
    was = [(name, fields.get(name, "")) for name in (TEXT_WAS, FORM_WAS)]
    if not is_text:
        try:
            text = _written(form, read_parts(parts, fields)).strip()
        except NotSound:
            pass  # it stays as it was until the inputs can be read
        else:
            was = [(TEXT_WAS, _digest(text)), (FORM_WAS, _form_digest(parts, fields))]
            fields |= {TEXT: text} | dict(was)
    return Editor(
        sections=sections,
        fields=fields,
        text=text,
        was=tuple(was),
        bad=_place_of(parts, fields, edited.refusal, is_text=is_text),
        is_text=is_text,
    )


def _written(form: Form, plain: dict[str, Plain]) -> str:
    """The text of what was typed, also of what is no policy yet."""
    try:
        return write_yaml(gate.tell_policy(gate.parse_policy(form, plain)))
    except gate.BadPolicy:
        return write_yaml(plain)


def _plain_of(policy: gate.Policy) -> dict[str, Plain]:
    plain = to_plain(policy)
    assert isinstance(plain, dict), "a policy has parts"
    return plain


def _place_of(
    parts: Sequence[Part], fields: Fields, refusal: errors.LingquError | None, *, is_text: bool
) -> str:
    """The path of the input a refusal is about; the text where it was the text that counted."""
    if refusal is None:
        return ""
    if isinstance(refusal, FieldRefused):
        return str(refusal.parameters["field"])
    part = str(refusal.parameters.get("part", ""))
    is_about = refusal.code in {"gate.policy.bad", "gate.product.outside_grant"}
    if not is_about:
        is_ours = refusal.code.startswith(("runtime.yaml.", "ui.policy."))
        return TEXT if is_ours else ""
    if is_text:
        return TEXT
    try:
        plain = read_parts(parts, fields)
    except NotSound:
        return ""
    return locate(parts, plain, part) or _column_at(fields, part)


def _column_at(fields: Fields, part: str) -> str:
    """The input of a column that is refused by its own name, or by `resource.name`."""
    names = {part, part.rpartition(".")[2]}
    return next(
        (path for path, said in fields.items() if said and said in names and path.count(".") > 1),
        "",
    )


def rework(
    form: Form, sections: Sections, fields: Fields, what: str, missing: Fill
) -> Mapping[str, str]:
    """This will do what a button asks: add, drop or fill rows, take the text over.

    `missing` gives, for what is typed and the path of a list, the rows it still lacks. Raises
    BadYaml, BadPolicy.
    """
    parts = parts_of(sections)
    act, _, path = what.partition(":")
    if act == "add":
        return add_row(parts, fields, path)
    if act == "drop" and find_rows(parts, path.rpartition(".")[0]) is not None:
        return drop_row(fields, path)
    if act == "fill" and (rows := find_rows(parts, path)) is not None and rows.fills:
        return _filled(rows, dict(fields), path, missing(fields, path))
    if act == "paste":
        policy = gate.parse_policy(form, read_yaml(_text_of(fields)))
        gate.check_policy(form, policy)
        names = {part.name for part in parts} | {TEXT, TEXT_WAS, FORM_WAS}
        others = {
            name: said for name, said in fields.items() if name.partition(".")[0] not in names
        }
        return others | write_parts(parts, _plain_of(policy))
    return fields


Fill = Callable[[Fields, str], Sequence[Mapping[str, Plain]]]


def _filled(
    rows: Rows, fields: dict[str, str], path: str, missing: Sequence[Mapping[str, Plain]]
) -> Mapping[str, str]:
    begin = max(rows_of(fields, path), default=-1) + 1
    for number, row in enumerate(missing[: rows.most], begin):
        fields |= write_parts(rows.parts, row, f"{path}.{number}.")
    return fields
