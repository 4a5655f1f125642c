# SPDX-License-Identifier: Apache-2.0
"""How a template and its data become one letter, which Word and PDF then only draw.

A template is a TOML file in `templates`: its fields, and its body as a list of blocks. `{name}` in
a text stands for a field and `{name.words}` for an amount in capital characters; what comes out is
never looked at again.
"""

from __future__ import annotations

import enum
import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lingqu.kernel import errors
from lingqu.runtime.documents.fields import Field, FieldKind, Filling, check_data
from lingqu.runtime.seals import Mark

_FOLDER = Path(__file__).parent / "templates"
_PLACE = re.compile(r"\{([a-z_]+)(?:\.([a-z]+))?\}")
_NUMERALS = "零一二三四五六七八九"


class TemplateMissing(errors.NotFound):
    """There is no template of this name."""

    code = "runtime.documents.template_missing"


class Form(enum.Enum):
    """The kind of sheet a template is written on."""

    LETTER = "letter"  # red head, number, addressee, signature: 公文
    NOTICE = "notice"  # the same without addressee: 公示
    STATEMENT = "statement"  # title, particulars, table, signature: 对账单
    AGREEMENT = "agreement"  # title, clauses, both parties sign: 协议
    CERTIFICATE = "certificate"  # a framed sheet with a QR code: 证书


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A document one can ask for: its names, its fields, its body."""

    name: str
    form: Form
    zh: str
    en: str
    fields: tuple[Field, ...]
    body: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of the body: `paragraph`, `heading`, `item`, `note`, `pairs`, `table` or `mark`."""

    kind: str
    text: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    widths: tuple[int, ...] = ()
    figures: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signs: the words above (甲方 ...), the name, the day; a place for the seal."""

    role: str
    name: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A document with every word in place, before it is drawn; `enclosed` travels in the file."""

    form: Form
    title: str
    issuer: str
    number: str
    dated_on: str
    addressee: str
    blocks: tuple[Block, ...]
    signatures: tuple[Signature, ...]
    contact: str
    copies: str
    link: str
    caption: str
    enclosed: str = ""


def _field(name: str, kind: str, zh: str, en: str, *, optional: bool = False) -> Field:
    return Field(name=name, kind=FieldKind(kind), zh=zh, en=en, optional=optional)


_ISSUER = _field("issuer", "text", "发文机关", "issuing body")
_NUMBER = _field("number", "text", "发文字号", "document number")
_DATED = _field("dated_on", "day", "成文日期", "date of the document")
_CONTACT = _field("contact", "text", "联系方式", "contact", optional=True)
_COPIES = _field("copies", "text", "抄送", "copies to", optional=True)

SHARED_FIELDS: Mapping[Form, tuple[Field, ...]] = {
    Form.LETTER: (
        _ISSUER,
        _NUMBER,
        _field("addressee", "text", "主送机关", "addressee"),
        _DATED,
        _CONTACT,
        _COPIES,
    ),
    Form.NOTICE: (_ISSUER, _NUMBER, _DATED, _CONTACT),
    Form.STATEMENT: (
        _field("issuer", "text", "出具单位", "issuing body"),
        _field("number", "text", "编号", "number"),
        _DATED,
        _CONTACT,
    ),
    Form.AGREEMENT: (
        _field("number", "text", "协议编号", "agreement number"),
        _field("first_party", "text", "甲方", "first party"),
        _field("second_party", "text", "乙方", "second party"),
        _field("dated_on", "day", "签订日期", "date of signing", optional=True),
    ),
    Form.CERTIFICATE: (
        _field("issuer", "text", "发证机构", "issuing body"),
        _field("number", "text", "证书编号", "certificate number"),
        _field("dated_on", "day", "发证日期", "date of issue"),
        _field("link", "link", "核验地址", "address for checking"),
    ),
}
"""The fields every template of a form has, before its own."""


@functools.cache
def find_templates() -> tuple[Template, ...]:
    """This will list the templates in the order of their names."""
    return tuple(_read(path) for path in sorted(_FOLDER.glob("*.toml")))


def get_template(name: str) -> Template:
    """This will give a template by its name. Raises TemplateMissing."""
    for one in find_templates():
        if one.name == name:
            return one
    known = ", ".join(one.name for one in find_templates())
    raise TemplateMissing(name=str(name)[:60], known=known)


def fill(template: Template, data: Mapping[str, object]) -> Letter:
    """This will put checked data into the template.

    Raises FieldMissing, FieldUnknown, BadField or BadCharacter.
    """
    filling = check_data(template.fields, data, template=template.name)

    def given(name: str) -> str:
        return filling.single.get(name, {}).get("", "")

    if template.form is Form.AGREEMENT:
        day = given("dated_on")
        signatures: tuple[Signature, ...] = (
            Signature(role="甲方", name=given("first_party"), day=day),
            Signature(role="乙方", name=given("second_party"), day=day),
        )
    else:
        signatures = (Signature(role="", name=given("issuer"), day=given("dated_on")),)
    fields = {one.name: one for one in template.fields}
    return Letter(
        form=template.form,
        title=template.zh,
        issuer=given("issuer"),
        number=given("number"),
        dated_on=str(data.get("dated_on") or ""),
        addressee=given("addressee"),
        blocks=tuple(
            block
            for entry in template.body
            if "when" not in entry or filling.has(entry["when"])
            for block in _blocks(entry, filling, fields)
        ),
        signatures=signatures,
        contact=given("contact"),
        copies=given("copies"),
        link=given("link"),
        caption="扫码核验" if given("link") else "",
    )


def sealed(letter: Letter, mark: Mark) -> Letter:
    """This will put the mark of a seal on a letter: words under its text, and what it encloses."""
    if mark == Mark():
        return letter
    said = Block(kind="mark", text=mark.words)
    return replace(letter, blocks=(*letter.blocks, said), enclosed=mark.enclosed.decode())


def count_in_characters(number: int) -> str:
    """This will write 1 to 999 as clauses are numbered: 一, 十, 十二, 一百零五."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    text = f"{_NUMERALS[hundreds]}百" if hundreds else ""
    if tens:
        text += ("" if tens == 1 and not hundreds else _NUMERALS[tens]) + "十"
    elif hundreds and ones:
        text += "零"
    return text + (_NUMERALS[ones] if ones else "")


def _read(path: Path) -> Template:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    form = Form(table["form"])
    return Template(
        name=path.stem,
        form=form,
        zh=table["zh"],
        en=table["en"],
        fields=(*SHARED_FIELDS[form], *(_declared(one) for one in table["fields"])),
        body=tuple(table["body"]),
    )


def _declared(table: Mapping[str, Any]) -> Field:
    rest = {name: value for name, value in table.items() if name not in {"kind", "columns"}}
    columns = tuple(_declared(one) for one in table.get("columns", ()))
    return Field(kind=FieldKind(table["kind"]), columns=columns, **rest)


def _blocks(
    entry: Mapping[str, Any], filling: Filling, fields: Mapping[str, Field]
) -> Sequence[Block]:
    for kind in ("paragraph", "heading", "note"):
        if kind in entry:
            return (Block(kind=kind, text=_put(entry[kind], filling)),)
    if "prose" in entry:
        text = filling.single[entry["prose"]][""]
        return [Block(kind="paragraph", text=line) for line in _paragraphs(text)]
    if "items" in entry:
        lines = filling.lines[entry["items"]]
        return [Block(kind="item", text=f"{at}. {text}") for at, text in enumerate(lines, 1)]
    if "clauses" in entry:
        lines = filling.lines[entry["clauses"]]
        return [
            Block(kind="clause", heads=(f"第{count_in_characters(at)}条",), text=text)
            for at, text in enumerate(lines, 1)
        ]
    if "pairs" in entry:
        rows = tuple(
            (label, _put(text, filling))
            for label, text, *needed in entry["pairs"]
            if all(filling.has(name) for name in needed)
        )
        # Word is told widths; 31 characters of 14 points stand in a line.
        longest = max(len(label) for label, _ in rows) + 2
        widths = (longest, 31 - longest)
        return (Block(kind="pairs", rows=rows, widths=widths, figures=(False, False)),)
    assert "table" in entry, f"a block of no known kind: {sorted(entry)}"
    field = fields[entry["table"]]
    return (_table(field, filling.tables[field.name]),)


def _table(field: Field, rows: tuple[tuple[str, ...], ...]) -> Block:
    figures = {FieldKind.NUMBER, FieldKind.MONEY}
    return Block(
        kind="table",
        heads=tuple(one.zh for one in field.columns),
        rows=rows,
        widths=tuple(one.width for one in field.columns),
        figures=tuple(one.kind in figures for one in field.columns),
    )


def _paragraphs(text: str) -> list[str]:
    return [line.strip().replace("\t", " ") for line in text.split("\n") if line.strip()]


def _put(text: str, filling: Filling) -> str:
    def value(match: re.Match[str]) -> str:
        shown = filling.single.get(match[1], {})
        return shown.get(match[2] or "", "")

    return _PLACE.sub(value, text)
