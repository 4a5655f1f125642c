# SPDX-License-Identifier: Apache-2.0
"""Terms of use as one lattice: what may be done, by a `meet` that can only narrow.

A code tree (purposes, territories, actions, environments) is interned once and flattened to bits of
Python integers, each code with everything below it, so that a meet is `&` and a comparison is one
mask. What is stored and sent are codes, never bit positions: a tree may grow under them.

Two rules about trees. Permission for a code covers everything below it, also what is added later,
except what is prohibited there; a prohibition covers everything below it and always wins. And a
use under a code needs the whole of that code: where something below it is prohibited, the code
itself is too wide a word for the use, and the caller must name the narrower one.

Use across the border (跨境) is one bit apart from the territories, because an absent list of
territories is unlimited and must not contain it: `cross_border` is False unless somebody set it,
and the callers above set it only from a recorded assessment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from lingqu.kernel import errors
from lingqu.kernel.time import Instant, Period


class BadTree(errors.Rejected):
    """A code tree names a code twice, or a parent that does not stand before its child."""

    code = "kernel.terms.bad_tree"


class UnknownCode(errors.Rejected):
    """The code does not exist in the tree it was looked for."""

    code = "kernel.terms.unknown_code"


class BadTerms(errors.Rejected):
    """The terms are not well formed: a negative level, an empty or repeated name."""

    code = "kernel.terms.bad"


class Tree:
    """An interned tree (a forest) of codes that only grows; bits follow the order of entry.

    `entries` are (code, parent or None), parents first. Raises BadTree.
    """

    __slots__ = ("_below", "_codes", "_numbers", "_parents", "name")

    def __init__(self, name: str, entries: Iterable[tuple[str, str | None]] = ()) -> None:
        """Intern the codes; everything below a code is known as one mask from here on."""
        self.name = name
        self._codes: list[str] = []
        self._numbers: dict[str, int] = {}
        self._parents: list[int] = []
        self._below: list[int] = []
        for code, parent in entries:
            self._add(code, parent)

    def _add(self, code: str, parent: str | None) -> None:
        if not code or code in self._numbers or (parent and parent not in self._numbers):
            raise BadTree(tree=self.name, given=code[:40])
        number = len(self._codes)
        above = self._numbers[parent] if parent else -1
        self._codes.append(code)
        self._numbers[code] = number
        self._parents.append(above)
        self._below.append(1 << number)
        while above >= 0:
            self._below[above] |= 1 << number
            above = self._parents[above]

    def grow(self, entries: Iterable[tuple[str, str | None]]) -> Tree:
        """This will give the tree with more codes, every earlier bit in its place."""
        return Tree(self.name, (*self.entries(), *entries))

    def entries(self) -> Iterator[tuple[str, str | None]]:
        """This will give (code, parent) in the order of entry."""
        for code in self._codes:
            yield code, self.parent(code)

    def parent(self, code: str) -> str | None:
        """This will give the code right above, None at a root. Raises UnknownCode."""
        above = self._parents[self.number(code)]
        return None if above < 0 else self._codes[above]

    def path(self, code: str) -> tuple[str, ...]:
        """This will give the codes from the root down to `code`. Raises UnknownCode."""
        above = self.parent(code)
        return (code,) if above is None else (*self.path(above), code)

    def number(self, code: str) -> int:
        """This will give the bit position of a code, valid in this tree and its growth only."""
        try:
            return self._numbers[code]
        except KeyError:
            raise UnknownCode(tree=self.name, given=code[:40]) from None

    def below(self, code: str) -> int:
        """This will give the mask of a code and everything below it. Raises UnknownCode."""
        return self._below[self.number(code)]

    def extends(self, other: Tree) -> bool:
        """This will tell whether every code of `other` has the same bit and parent here."""
        length = len(other)
        return (
            self.name == other.name
            and self._codes[:length] == other._codes
            and self._parents[:length] == other._parents
        )

    def edges(self, bits: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """This will give the codes where `bits` begins below its parent, and where it ends."""
        begins, ends = [], []
        for number, above in enumerate(self._parents):
            inside = bits >> number & 1
            parent_inside = above >= 0 and bits >> above & 1
            if inside and not parent_inside:
                begins.append(self._codes[number])
            elif parent_inside and not inside:
                ends.append(self._codes[number])
        return tuple(sorted(begins)), tuple(sorted(ends))

    def __contains__(self, code: object) -> bool:
        return code in self._numbers

    def __len__(self) -> int:
        return len(self._codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeForm:
    """A scope in codes: the highest ones allowed, and the highest ones prohibited below them."""

    allowed: tuple[str, ...]
    prohibited: tuple[str, ...] = ()


class Scope:
    """A part of a tree: what lies below the allowed codes and not below the prohibited ones."""

    __slots__ = ("bits", "tree")

    def __init__(self, tree: Tree, bits: int) -> None:
        """Wrap bits that came from `of` or from a meet; callers use `of`."""
        self.tree = tree
        self.bits = bits

    @classmethod
    def of(cls, tree: Tree, allowed: Iterable[str], prohibited: Iterable[str] = ()) -> Scope:
        """This will build a scope from codes; what is prohibited wins. Raises UnknownCode."""
        bits = 0
        for code in allowed:
            bits |= tree.below(code)
        for code in prohibited:
            bits &= ~tree.below(code)
        return cls(tree, bits)

    def on(self, tree: Tree) -> Scope:
        """This will give the same codes in the tree as it has grown."""
        if tree is self.tree:
            return self
        form = self.form()
        return Scope.of(tree, form.allowed, form.prohibited)

    def form(self) -> ScopeForm:
        """This will give the one canonical way to write this scope in codes."""
        allowed, prohibited = self.tree.edges(self.bits)
        return ScopeForm(allowed=allowed, prohibited=prohibited)

    def __contains__(self, code: str) -> bool:
        """Whether the whole of a code is inside, with everything below it."""
        return not self.tree.below(code) & ~self.bits

    def __and__(self, other: Scope) -> Scope:
        left, right = self._aligned(other)
        return Scope(left.tree, left.bits & right.bits)

    def __le__(self, other: Scope) -> bool:
        left, right = self._aligned(other)
        return not left.bits & ~right.bits

    def __bool__(self) -> bool:
        return self.bits != 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scope):
            return NotImplemented
        if self.tree is other.tree:
            return self.bits == other.bits
        return self.tree.name == other.tree.name and self.form() == other.form()

    def __hash__(self) -> int:
        return hash((self.tree.name, self.form()))

    def __repr__(self) -> str:
        form = self.form()
        return f"Scope({self.tree.name}: {form.allowed!r} without {form.prohibited!r})"

    def _aligned(self, other: Scope) -> tuple[Scope, Scope]:
        if self.tree is other.tree:
            return self, other
        if self.tree.extends(other.tree):
            return self, other.on(self.tree)
        assert other.tree.extends(self.tree), "two scopes of one dimension share one growing tree"
        return self.on(other.tree), other


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsForm:
    """Terms as they are stored, sent and signed: codes and names, sorted; None is unlimited.

    It goes through `kernel.values` and `kernel.canon`. `nothing` says that no use is permitted;
    every other part is then absent.
    """

    purposes: ScopeForm | None = None
    territories: ScopeForm | None = None
    actions: ScopeForm | None = None
    environments: ScopeForm | None = None
    fields: tuple[str, ...] | None = None
    recipients: tuple[str, ...] | None = None
    level_max: int | None = None
    valid: Period | None = None
    cross_border: bool = False
    nothing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may be done; every part may be None, which is unlimited (but see `cross_border`).

    Terms are ordered by `<=` (no wider than) and narrowed by `meet`. Terms under which no use at
    all is possible are one value, `NOTHING`: any empty part collapses the whole into it. Fields
    and recipients are flat names: column paths, parties or classes of them. Raises BadTerms.
    """

    purposes: Scope | None = None
    territories: Scope | None = None
    actions: Scope | None = None
    environments: Scope | None = None
    fields: frozenset[str] | None = None
    recipients: frozenset[str] | None = None
    level_max: int | None = None
    valid: Period | None = None
    cross_border: bool = False
    nothing: bool = False

    scoped: ClassVar[tuple[str, ...]] = ("purposes", "territories", "actions", "environments")
    named: ClassVar[tuple[str, ...]] = ("fields", "recipients")

    def __post_init__(self) -> None:
        """Refuse what is not well formed, and collapse what permits nothing."""
        if self.level_max is not None and self.level_max < 0:
            raise BadTerms(where="level_max")
        for name in self.named:
            names = getattr(self, name)
            if names is not None and "" in names:
                raise BadTerms(where=name)
        parts = (getattr(self, name) for name in (*self.scoped, *self.named))
        if self.nothing or any(part is not None and not part for part in parts):
            for field in dataclasses.fields(self):
                object.__setattr__(self, field.name, field.default)
            object.__setattr__(self, "nothing", True)

    def __le__(self, other: Terms) -> bool:
        """Whether everything permitted here is permitted there."""
        if self.nothing or other.nothing:
            return self.nothing
        if self.cross_border and not other.cross_border:
            return False
        for name in (*self.scoped, *self.named):
            wide = getattr(other, name)
            if wide is not None:
                narrow = getattr(self, name)
                if narrow is None or not narrow <= wide:
                    return False
        if other.level_max is not None and (
            self.level_max is None or self.level_max > other.level_max
        ):
            return False
        if other.valid is None:
            return True
        return self.valid is not None and self.valid.meet(other.valid) == self.valid

    def form(self) -> TermsForm:
        """This will give the canonical form in codes."""
        scopes: dict[str, Any] = {name: _form(getattr(self, name)) for name in self.scoped}
        names: dict[str, Any] = {name: _sorted(getattr(self, name)) for name in self.named}
        return TermsForm(
            **scopes,
            **names,
            level_max=self.level_max,
            valid=self.valid,
            cross_border=self.cross_border,
            nothing=self.nothing,
        )

    def holds_at(self, moment: Instant) -> bool:
        """This will tell whether the terms permit anything at a moment."""
        return not self.nothing and (self.valid is None or moment in self.valid)


ANYTHING = Terms(cross_border=True)
"""The widest terms: every other value is `<=` this one."""

NOTHING = Terms(nothing=True)
"""The narrowest terms: no use at all."""


def meet(left: Terms, right: Terms) -> Terms:
    """This will give the widest terms that are no wider than either."""
    if left.nothing or right.nothing:
        return NOTHING
    valid = left.valid or right.valid
    if left.valid is not None and right.valid is not None:
        valid = left.valid.meet(right.valid)
        if valid is None:
            return NOTHING
    parts: dict[str, Any] = {}
    for name in (*Terms.scoped, *Terms.named):
        one, two = getattr(left, name), getattr(right, name)
        parts[name] = two if one is None else one if two is None else one & two
    levels = [terms.level_max for terms in (left, right) if terms.level_max is not None]
    return Terms(
        **parts,
        level_max=min(levels) if levels else None,
        valid=valid,
        cross_border=left.cross_border and right.cross_border,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The trees that the codes of terms are read by."""

    purposes: Tree
    territories: Tree
    actions: Tree
    environments: Tree

    def read(self, form: TermsForm) -> Terms:
        """This will turn codes into terms. Raises UnknownCode, BadTerms."""
        scopes = {
            name: None
            if (given := getattr(form, name)) is None
            else Scope.of(getattr(self, name), given.allowed, given.prohibited)
            for name in Terms.scoped
        }
        names: Mapping[str, frozenset[str] | None] = {
            name: None if (given := getattr(form, name)) is None else frozenset(given)
            for name in Terms.named
        }
        return Terms(
            **cast("dict[str, Any]", {**scopes, **names}),
            level_max=form.level_max,
            valid=form.valid,
            cross_border=form.cross_border,
            nothing=form.nothing,
        )


def _form(scope: Scope | None) -> ScopeForm | None:
    return None if scope is None else scope.form()


def _sorted(names: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))
