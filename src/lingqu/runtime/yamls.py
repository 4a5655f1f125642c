# SPDX-License-Identifier: Apache-2.0
"""YAML as people write it, read as plain data and nothing more: strict, bounded, without tags.

Maps, lists and single values only. There are no tags, anchors, aliases, merges or second
documents, no key twice, and no guessing: what stands there unquoted is a whole number, true, false,
nothing (`null`, `~`), or text; never a date, an octal number or a `yes`.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from lingqu.kernel import errors
from lingqu.kernel.values import Plain

TEXT_MOST = 200_000
DEPTH_MOST = 24
VALUES_MOST = 50_000
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,37})\Z")
_WORDS: dict[str, Plain] = {"": None, "~": None, "null": None, "true": True, "false": False}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WIDTH = 96
_BREAKS = frozenset("\x85\u2028\u2029")
"""What ends a line in YAML and nowhere else; written as an escape."""


class BadYaml(errors.Rejected):
    """A text is no YAML of the plain kind; `line` is where that is first seen."""

    code = "runtime.yaml.bad"


class _Building:
    """Plain data out of events, without recursion."""

    def __init__(self) -> None:
        self.whole: Plain = None
        self._open: list[tuple[list[Plain] | dict[str, Plain], str | None]] = []
        self._count = 0

    def put(self, value: Plain, line: int, *, is_key: bool = False) -> None:
        """A value takes its place: as a key, as what stands under it, in a list, or alone."""
        self._count += 1
        if self._count > VALUES_MOST:
            raise BadYaml(line=line)
        if not self._open:
            self.whole = value
            return
        inside, key = self._open[-1]
        if isinstance(inside, list):
            inside.append(value)
        elif key is not None:
            inside[key] = value
            self._open[-1] = (inside, None)
        elif is_key and isinstance(value, str) and value not in inside and value != "<<":
            self._open[-1] = (inside, value)
        else:
            raise BadYaml(line=line)

    def begin(self, inside: list[Plain] | dict[str, Plain], line: int) -> None:
        self.put(inside, line)
        self._open.append((inside, None))
        if len(self._open) > DEPTH_MOST:
            raise BadYaml(line=line)

    def end(self) -> None:
        self._open.pop()

    @property
    def waits_for_key(self) -> bool:
        return (
            bool(self._open) and isinstance(self._open[-1][0], dict) and self._open[-1][1] is None
        )


def read_yaml(text: str) -> Plain:
    """This will read a text as plain data. Raises BadYaml."""
    if len(text) > TEXT_MOST:
        raise BadYaml(line=1)
    building, documents = _Building(), 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1 or event.tags or event.version:
                    raise BadYaml(line=line)
            elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise BadYaml(line=line)
            elif isinstance(event, yaml.NodeEvent):
                _take(building, event, line)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                building.end()
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        raise BadYaml(line=1 if place is None else place.line + 1) from None
    except (yaml.YAMLError, ValueError):
        raise BadYaml(line=1) from None
    return building.whole


def _take(building: _Building, event: Any, line: int) -> None:
    if event.tag is not None:
        raise BadYaml(line=line)
    if isinstance(event, yaml.MappingStartEvent):
        building.begin({}, line)
    elif isinstance(event, yaml.SequenceStartEvent):
        building.begin([], line)
    else:
        is_key = building.waits_for_key
        value = event.value if is_key or event.style else _plain(event.value)
        building.put(value, line, is_key=is_key)


def _plain(said: str) -> Plain:
    if said in _WORDS:
        return _WORDS[said]
    return int(said) if _WHOLE.match(said) else said


def write_yaml(plain: Plain) -> str:
    """This will write plain data as YAML that `read_yaml` reads back to the same."""
    return str(
        yaml.dump(
            plain,
            Dumper=_Dumper,
            allow_unicode=True,
            sort_keys=False,
            default_flow_style=None,
            width=_WIDTH,
        )
    )


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # the library has no types
    """Writes plain data; the same value twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, said: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS & set(said) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", said, style=style)


_Dumper.add_representer(str, _text)
