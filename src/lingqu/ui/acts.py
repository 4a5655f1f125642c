# SPDX-License-Identifier: Apache-2.0
"""Acts: one command as one page, told by what it asks: its fields, what one decides on, a preview.

A page that changes something would otherwise be the same two handlers each time: draw the form with
a fresh command id, read it, do the command, and draw it again with the refusal beside its field.
Here that is written once; an `Act` says what is asked and what is done with it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime.calendar import parse_day
from lingqu.runtime.i18n import Explanation, explain
from lingqu.runtime.looking import Look, Looked
from lingqu.trust.procedures import GivenFile
from lingqu.ui.editing import Part, counts, rows_of
from lingqu.ui.forms import Form, Upload
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.uploads import ACCEPTED, keep_uploads

SomeEnum = TypeVar("SomeEnum", bound=enum.Enum)
Option = tuple[str, str]
_DIGITS_MOST = 15
_KEPT = frozenset({"command", "csrf", "act"})


class FieldRefused(errors.Rejected):
    """One field of a form is empty or not in its form; `label` is what the form calls it."""

    code = "ui.form.field_refused"


class Input(enum.Enum):
    """How a field is asked for."""

    TEXT = "text"
    AREA = "area"
    CODE = "code"
    NUMBER = "number"
    MONEY = "money"
    DAY = "day"
    CHOICE = "choice"
    SEVERAL = "several"
    CHECK = "check"
    FILES = "files"
    HEADING = "heading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: `label` and `hint` are codes of words, or the words where `plain` is set.

    `refusals` are codes of refusals (or their beginnings) that are shown beside this field; a
    refusal that names the field by a parameter is shown there as well.
    """

    name: str
    show: Input = Input.TEXT
    label: str = ""
    hint: str = ""
    options: tuple[Option, ...] = ()
    value: str = ""
    required: bool = True
    most: int = 200
    rows: int = 3
    refusals: tuple[str, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """A choice of many that is narrowed by words first: how many are offered now, of how many."""

    words: str
    offered: int
    total: int

    @property
    def is_needed(self) -> bool:
        """Whether something is left out, or was found by words."""
        return bool(self.words) or self.total > self.offered


def narrowed(look: Look, found: Looked[Any]) -> Narrowed:
    """This will say how a choice was narrowed to what was found."""
    return Narrowed(words=" ".join(look.words), offered=len(found.items), total=found.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page asks: the fields, and beside them what one decides on, in rows and texts."""

    about: str = ""
    trail: tuple[Option, ...] = ()
    fields: tuple[Field, ...] = ()
    shown: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    """Texts one agrees to or reads before, under their headings."""
    narrowed: Narrowed | None = None
    kinds: tuple[Option, ...] = ()
    """The same act for other kinds of thing, each a page of its own."""
    danger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would come of it, told before it is done."""

    rows: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()
    code: str = ""
    tried: tuple[tuple[str, str, bool], ...] = ()
    """Questions as they would be decided: the question, the decision in words, whether it is."""


@dataclass(frozen=True, slots=True)
class Given:
    """What came back, field by field; each reading raises FieldRefused where it is not sound."""

    desk: Desk
    form: Form
    fields: Mapping[str, Field]

    def text(self, name: str) -> str:
        """This will give a text that must be there, without the carriage returns of browsers."""
        said = self.maybe(name)
        if said is None:
            raise self.refused(name)
        return said

    def maybe(self, name: str) -> str | None:
        """This will give a text, or None where nothing was said."""
        said = self.form.maybe(name)
        return None if said is None else said.replace("\r\n", "\n")

    def number(self, name: str) -> int:
        """This will give a whole number, not negative."""
        said = self.text(name).replace(",", "")
        if not (said.isascii() and said.isdigit() and len(said) <= _DIGITS_MOST):
            raise self.refused(name)
        return int(said)

    def number_or_none(self, name: str) -> int | None:
        """This will give a whole number, or None where nothing was said."""
        return None if self.maybe(name) is None else self.number(name)

    def decimal(self, name: str, *, places: int) -> int:
        """This will give a decimal number in units of its last place."""
        said = self.text(name).replace(",", "")
        try:
            scaled = Decimal(said).scaleb(places)
        except ArithmeticError:
            raise self.refused(name) from None
        if not scaled.is_finite() or not 0 <= scaled < 10**_DIGITS_MOST or scaled % 1:
            raise self.refused(name)
        return int(scaled)

    def money(self, name: str) -> int:
        """This will give an amount that was said in yuan, in fen."""
        return self.decimal(name, places=2)

    def day(self, name: str) -> date:
        """This will give a day."""
        try:
            return parse_day(self.text(name))
        except errors.Rejected:
            raise self.refused(name) from None

    def choice(self, name: str, of: type[SomeEnum]) -> SomeEnum:
        """This will give one of an enumeration."""
        try:
            return of(self.text(name))
        except ValueError:
            raise self.refused(name) from None

    def several(self, name: str) -> tuple[str, ...]:
        """This will give the options that were ticked."""
        options = self.fields[name].options
        return tuple(value for value, _ in options if self.form.maybe(f"{name}-{value}"))

    def party(self, name: str) -> trust.PartyId:
        """This will give an organisation that was chosen."""
        return trust.PartyId(self.text(name))

    def upload(self, name: str) -> Upload:
        """This will give the file that was sent."""
        sent = self.form.file(name)
        if sent is None:
            raise self.refused(name)
        return sent

    def files(self, name: str) -> tuple[GivenFile, ...]:
        """This will keep the files that were sent, bounded and typed."""
        return keep_uploads(self.desk.platform, self.form, name)

    def agreed(self, name: str) -> None:
        """This will refuse a form whose box was not ticked."""
        if self.maybe(name) is None:
            raise self.refused(name)

    def refused(self, name: str) -> FieldRefused:
        """This will give the refusal of one field, by what the form calls it."""
        known = self.fields.get(name)
        said = name if known is None else label_of(self.desk, known)
        return FieldRefused(field=name, label=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What was typed into an editor, nothing before the first time; and what refused it."""

    fields: Mapping[str, str] = field(default_factory=dict)
    refusal: errors.LingquError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """An editor of plain data: sections of parts with their headings, and what the inputs hold.

    `text` is the document underneath, `was` what lets a change of either side be seen, `bad` the
    path a refusal is about.
    """

    sections: tuple[tuple[str, str, tuple[Part, ...]], ...]
    fields: Mapping[str, str]
    text: str
    was: tuple[tuple[str, str], ...] = ()
    bad: str = ""
    is_text: bool = False
    """Whether the text was changed by hand, so that it counts and not the inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One command as a page. `name` keys its words: `ui.act.<name>`, `.lead`, `.button`.

    `ask` reads what is asked, and refuses who may not; `do` gives where to go afterwards. With
    `preview` the page shows what would come of it while one writes. A path that holds `{about:str}`
    is about one thing; its id is what `ask` and `do` are given.
    """

    name: str
    path: str
    command: str
    ask: Callable[[Desk, str], Asked]
    do: Callable[[Desk, trust.CommandId, Given, str], str]
    rule: str | None = None
    preview: Callable[[Desk, Given, str], Preview] | None = None
    takes_files: bool = False
    edit: Callable[[Desk, str, Edited], Editor | None] | None = None
    """Draws an editor below the fields, where there is one, from what was typed."""
    rework: Callable[[Desk, str, Mapping[str, str], str], Mapping[str, str]] | None = None
    """What a button of the editor makes of what was typed; adding a row, taking a text over."""

    def href(self, about: str = "") -> str:
        """The address of the page about one thing."""
        return self.path.replace("{about:str}", about)

    def link(self, desk: Desk, about: str = "", query: str = "") -> tuple[str, str]:
        """This will give the address and the words of a button that leads here."""
        return f"{self.href(about)}{f'?{query}' if query else ''}", desk.text(f"ui.act.{self.name}")


def label_of(desk: Desk, one: Field) -> str:
    """This will say what a form calls a field."""
    if one.plain:
        return one.label
    return desk.text(one.label or f"ui.ask.{one.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What a person had typed when a form is drawn again, and why it was refused."""

    fields: Mapping[str, str] = field(default_factory=dict)
    refusal: errors.LingquError | None = None
    told: Explanation | None = None
    preview: Preview | None = None
    previewed: Explanation | None = None


def handlers(*acts: Act) -> tuple[Any, ...]:
    """This will give the routes of acts: a page and its form each."""
    return tuple(one for act in acts for one in _routes(act))


def upload_paths(*acts: Act) -> tuple[str, ...]:
    """This will give the beginnings of the addresses whose forms take files."""
    found = {one.path.partition("{")[0].rstrip("/") for one in acts if one.takes_files}
    return tuple(sorted(found))


def _routes(act: Act) -> tuple[Any, Any]:
    def page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
        return _draw(desk, act, about, _Typed())

    def send(desk: FromDesk, form: FromForm, about: FromPath[str]) -> Response[str] | Redirect:
        return _send(desk, act, about, form)

    def page_alone(desk: FromDesk) -> Response[str]:
        return _draw(desk, act, "", _Typed())

    def send_alone(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
        return _send(desk, act, "", form)

    has_one = "{about:str}" in act.path
    asking: Callable[..., Response[str]] = page if has_one else page_alone
    sending: Callable[..., Response[str] | Redirect] = send if has_one else send_alone
    return (
        get(act.path, sync_to_thread=True)(asking),
        post(act.path, sync_to_thread=True, command=act.command)(sending),
    )


def _send(desk: Desk, act: Act, about: str, form: Form) -> Response[str] | Redirect:
    desk.require()
    asked = act.ask(desk, about)
    given = Given(desk, form, {one.name: one for one in asked.fields})
    typed = {name: said for name, said in form.fields.items() if name not in _KEPT}
    what = form.maybe("act")
    if what is not None and what != "preview" and act.rework is not None:
        try:
            return _draw(desk, act, about, _Typed(fields=act.rework(desk, about, typed, what)))
        except errors.LingquError as refusal:
            told = desk.explain(refusal)
            return _draw(desk, act, about, _Typed(fields=typed, refusal=refusal, told=told))
    if act.preview is not None and what == "preview":
        try:
            return _draw(
                desk, act, about, _Typed(fields=typed, preview=act.preview(desk, given, about))
            )
        except errors.LingquError as refusal:
            said = explain(refusal, desk.visit.language)
            return _draw(desk, act, about, _Typed(fields=typed, previewed=said))
    command = form.id("command", trust.CommandId)
    try:
        onward = act.do(desk, command, given, about)
    except errors.LingquError as refusal:
        told = desk.explain(refusal)
        return _draw(desk, act, about, _Typed(fields=typed, refusal=refusal, told=told))
    return desk.go(onward, done=f"act_{act.name}")


def _draw(desk: Desk, act: Act, about: str, typed: _Typed) -> Response[str]:
    desk.require()
    asked = act.ask(desk, about)
    editor = None
    if act.edit is not None:
        editor = act.edit(desk, about, Edited(fields=typed.fields, refusal=typed.refusal))
    if editor is not None and typed.preview is None and typed.previewed is None:
        typed = _seen(desk, act, about, editor, typed)
    bad = _place_of(typed.refusal, asked.fields) or (editor.bad if editor is not None else None)
    return desk.show(
        "act.html",
        status=200 if typed.refusal is None else status_of(typed.refusal),
        act=act,
        asked=asked,
        action=desk.path + (f"?{desk.query}" if desk.query else ""),
        typed=typed.fields,
        is_typed=bool(typed.fields),
        told=typed.told,
        bad=bad,
        preview=typed.preview,
        previewed=typed.previewed,
        label=lambda one: label_of(desk, one),
        hint=lambda one: (one.hint if one.plain else desk.text(one.hint)) if one.hint else "",
        accepted=ACCEPTED,
        editor=editor,
        rows_of=rows_of,
        counts=counts,
    )


def _seen(desk: Desk, act: Act, about: str, editor: Editor, typed: _Typed) -> _Typed:
    """What the explanation beside an editor says of what it holds now."""
    assert act.preview is not None, "what is edited is explained"
    given = Given(desk, Form(dict(editor.fields), {}), {})
    try:
        return replace(typed, preview=act.preview(desk, given, about))
    except errors.LingquError as refusal:
        return replace(typed, previewed=explain(refusal, desk.visit.language))


def _place_of(refusal: errors.LingquError | None, fields: tuple[Field, ...]) -> str | None:
    """The field a refusal is about: by its code, else by a parameter that names it."""
    if refusal is None:
        return None
    for one in fields:
        if one.refusals and refusal.code.startswith(one.refusals):
            return one.name
    named = {str(refusal.parameters.get(key)) for key in ("field", "part", "item")}
    return next((one.name for one in fields if one.name in named), None)
