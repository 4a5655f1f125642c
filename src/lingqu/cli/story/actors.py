# SPDX-License-Identifier: Apache-2.0
"""Who plays in the story: bodies that do not exist, with codes that are valid and nobody's.

Every name stands in 〈…〉 and ends in （演示）. The unified social credit codes come from the range
that `trust.identity` keeps for demonstrations: registering region 990000, with the check character
of GB 32100-2015. The tables they deliver are real; `cli/slices` says which body published each.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any

from lingqu.trust import Role
from lingqu.trust.identity import OrganizationKind, OrganizationLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One body and the person who acts for it. `login` is set where a visitor may be that person.

    `staff` are further persons of the body, acting as `key/name`, with the same roles or with those
    named.
    """

    key: str
    name: str
    code: str
    kind: OrganizationKind
    level: OrganizationLevel | None
    region: str
    roles: tuple[Role, ...]
    login: str | None = None
    staff: Mapping[str, tuple[Role, ...]] = field(default_factory=dict)

    @property
    def people(self) -> Mapping[str, tuple[Role, ...]]:
        """Everyone who acts for the body, by the names the stage knows, with their roles."""
        others = {f"{self.key}/{one}": roles or self.roles for one, roles in self.staff.items()}
        return MappingProxyType({self.key: self.roles, **others})


def read_data(name: str) -> dict[str, Any]:
    """This will read one of the TOML files that stand beside the stories."""
    text = (resources.files("lingqu.cli.story") / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _cast(story: str) -> Mapping[str, Actor]:
    return MappingProxyType({
        key: _actor(key, told) for key, told in read_data("cast")[story].items()
    })  # fmt: skip


def _actor(key: str, told: Mapping[str, Any]) -> Actor:
    level = told.get("level")
    return Actor(
        key=key,
        name=f"〈{told['name']}〉（演示）",
        code=told["code"],
        kind=OrganizationKind(told["kind"]),
        level=None if level is None else OrganizationLevel(level),
        region=told["region"],
        roles=_roles(told["roles"]),
        login=told.get("login"),
        staff={name: _roles(roles) for name, roles in told.get("staff", {}).items()},
    )


def _roles(names: list[str]) -> tuple[Role, ...]:
    return tuple(Role(name) for name in names)


_ENGLISH = read_data("english")
_GLOSSES = {
    f"〈{name}〉（演示）": f"〈{name}〉 ({said}, demo)" for name, said in _ENGLISH["actors"].items()
}
_GLOSSES |= {name: f"{name} ({said})" for name, said in _ENGLISH["things"].items()}
_NAMES = re.compile("|".join(re.escape(name) for name in sorted(_GLOSSES, key=len, reverse=True)))


def glossed(text: str) -> str:
    """This will put behind every name of the story what it means in English."""
    return _NAMES.sub(lambda match: _GLOSSES[match[0]], text)


GUANGXI = _cast("guangxi")
"""The cast of the region's story; those with a login are one for each role a visitor can try."""
QINZHOU = _cast("qinzhou")
"""The cast of the officer's story: a city without a venue of its own."""
