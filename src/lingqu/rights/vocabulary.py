# SPDX-License-Identifier: Apache-2.0
"""The words of terms: the built-in code trees, the codes added by command, and their labels."""

from __future__ import annotations

import enum
import functools
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.lattice import Tree, UnknownCode, Vocabulary
from lingqu.kernel.time import Instant
from lingqu.rights.notices import Notice, announce
from lingqu.runtime import Tx
from lingqu.trust import divisions, rulebook

ABROAD = "abroad"
"""The territory that holds everything across the border (跨境)."""

COUNTRY = "china"
"""The territory that holds every division of the country."""
CODE_MAX, LABEL_MAX = 60, 200
_COVERED = frozenset(
    {
        divisions.DivisionLevel.PROVINCE,
        divisions.DivisionLevel.CITY,
        divisions.DivisionLevel.COUNTY,
    }
)


class TreeName(enum.Enum):
    """The trees of codes that terms are written in."""

    PURPOSES = "purposes"
    TERRITORIES = "territories"
    ACTIONS = "actions"
    ENVIRONMENTS = "environments"


class CodeTaken(errors.Conflict):
    """The tree has this code already; a code never changes its meaning or its place."""

    code = "rights.code.taken"


class BadCode(errors.Rejected):
    """A code is 1 to 60 visible characters without spaces, its labels 1 to 200 characters.

    `field` names which of them is not.
    """

    code = "rights.code.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code of a tree with its labels; `source` names the document that defines it."""

    id: str
    tree: TreeName
    code: str
    parent: str | None
    zh: str
    en: str
    source: str | None
    registered_at: Instant
    version: int = 1


CODES = trust.Table("rights.code", Code)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRegistered(trust.Fact):
    """A tree of codes grew by one."""

    kind = "rights.code.registered"
    tree: TreeName
    code: str
    parent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A code with its place and its words."""

    tree: TreeName
    code: str
    parent: str | None
    zh: str
    en: str
    source: str | None = None


@trust.command("rights.code.register")
def register_code(
    tx: Tx,
    *,
    tree: TreeName,
    code: str,
    parent: str | None,
    zh: str,
    en: str,
    source: str | None = None,
) -> Code:
    """This will add a code below `parent`, or as a root. Raises CodeTaken, UnknownCode, BadCode."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.RIGHTS_CODE)
    known: Tree = getattr(load_vocabulary(tx), tree.value)
    if not 0 < len(code) <= CODE_MAX or not code.isprintable() or " " in code:
        raise BadCode(field="code", given=code[:CODE_MAX])
    for field, text in (("zh", zh), ("en", en)):
        if not 0 < len(text.strip()) <= LABEL_MAX:
            raise BadCode(field=field, given=code)
    if code in known:
        raise CodeTaken(tree=tree.value, given=code)
    if parent is not None and parent not in known:
        raise UnknownCode(tree=tree.value, given=parent[:CODE_MAX])
    made = Code(
        id=f"{tree.value}/{code}",
        tree=tree,
        code=code,
        parent=parent,
        zh=zh,
        en=en,
        source=source,
        registered_at=tx.now,
    )
    CODES.insert(tx, made)
    trust.record(tx, CodeRegistered(tree=tree, code=code, parent=parent))
    announce(tx, Notice())
    return made


_SELECT = "SELECT tree, code, parent, zh, en, source FROM rights.code ORDER BY id"


def load_vocabulary(tx: Tx) -> Vocabulary:
    """This will give the trees as they stand, one object for one state of them."""
    rows = tx.all(_SELECT)
    return _grown(tuple((row["tree"], row["code"], row["parent"]) for row in rows))


def find_codes(tx: Tx) -> tuple[Label, ...]:
    """This will list every code with its labels, parents before children; they are public."""
    added = (
        Label(
            tree=TreeName(row["tree"]),
            code=row["code"],
            parent=row["parent"],
            zh=row["zh"],
            en=row["en"],
            source=row["source"],
        )
        for row in tx.all(_SELECT)
    )
    return (*built_in_labels(), *added)


@functools.cache
def built_in_labels() -> tuple[Label, ...]:
    """This will read the codes every installation begins with, parents before children."""
    text = resources.files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8")
    trees = tomllib.loads(text)
    names: dict[str, str] = trees.pop("division_names")
    given = tuple(
        Label(
            tree=TreeName(tree),
            code=code,
            parent=given.get("under"),
            zh=given["zh"],
            en=given["en"],
            source=given.get("source"),
        )
        for tree, codes in trees.items()
        for code, given in codes.items()
    )
    return (*given, *_division_labels(names))


def _division_labels(names: Mapping[str, str]) -> Iterator[Label]:
    """The region of every profile, with all above it and its cities and counties."""
    day = rulebook.open_rulebook().day
    known: set[str] = set()
    for profile in sorted(rulebook.profiles(), key=lambda one: one.division):
        parent = COUNTRY
        for one in divisions.ancestors(profile.division, on=day):
            yield from _division(one, parent, names, known)
            parent = one.code
        top = divisions.get(profile.division, on=day)
        yield from _division(top, parent, names, known)
        open_ = [top]
        while open_:
            above = open_.pop()
            for one in divisions.children(above.code, on=day):
                if one.level in _COVERED:
                    yield from _division(one, above.code, names, known)
                if one.level is divisions.DivisionLevel.CITY:
                    open_.append(one)


def _division(
    one: divisions.Division, parent: str, names: Mapping[str, str], known: set[str]
) -> Iterator[Label]:
    if one.code not in known:
        known.add(one.code)
        named = names.get(one.code, f"{one.name} ({one.code})")
        yield Label(tree=TreeName.TERRITORIES, code=one.code, parent=parent, zh=one.name, en=named)


@functools.lru_cache(maxsize=8)
def _grown(added: tuple[tuple[str, str, str | None], ...]) -> Vocabulary:
    trees: dict[str, Tree] = {}
    for name in TreeName:
        entries = [(one.code, one.parent) for one in built_in_labels() if one.tree is name]
        base = Tree(name.value, entries)
        mine = [
            (code, parent)
            for tree, code, parent in added
            if tree == name.value and code not in base  # a later edition may bring it along
        ]
        trees[name.value] = base.grow(_parents_first(base, mine)) if mine else base
    return Vocabulary(**trees)


def _parents_first(
    base: Tree, added: Iterable[tuple[str, str | None]]
) -> list[tuple[str, str | None]]:
    parents: Mapping[str, str | None] = dict(added)
    ordered: dict[str, str | None] = {}

    def place(code: str) -> None:
        above = parents[code]
        if above is not None and above not in base and above not in ordered:
            place(above)
        ordered[code] = above

    for code in parents:
        if code not in ordered:
            place(code)
    return list(ordered.items())
