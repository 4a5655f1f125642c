# SPDX-License-Identifier: Apache-2.0
"""The story's memory: one line a thing, appended, so that a killed story goes on where it was.

Four kinds of line: the id of something the story makes, chosen once before it is first sent; a
note, which is something it saw and must see again so; a beat, which is what happened with its
figures; and a scene that is over. Telling the story again
sends the same commands under the same ids, which changes nothing: the platform's own promise. A
line that a kill has cut in two is dropped.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TypeVar

from lingqu.kernel.ids import Id
from lingqu.runtime import new_id
from lingqu.runtime.blobs import replace_file, storage_errors

FILE = "demo-story.jsonl"

Figure = int | str
SomeFigure = TypeVar("SomeFigure", int, str)
SomeId = TypeVar("SomeId", bound=Id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """Something that happened: when on the story clock, by whom, its words' code, its figures."""

    scene: str
    name: str
    code: str
    on: str
    by: str
    figures: dict[str, Figure]


class Journal:
    """What the story remembers between its runs."""

    def __init__(self, file: Path) -> None:
        """Only `open` and `begin` make one."""
        self._file = file
        self.profile = ""
        self._ids: dict[str, str] = {}
        self._notes: dict[str, Figure] = {}
        self._beats: dict[str, Beat] = {}
        self._over: set[str] = set()

    @classmethod
    def begin(cls, folder: Path, profile: str) -> Self:
        """This will begin an empty journal, which also marks the folder as a demonstration's."""
        made = cls(folder / FILE)
        replace_file(made._file, _line({"lingqu": "demo", "profile": profile}))
        made.profile = profile
        return made

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """This will read the journal of a folder; None where it is none of ours."""
        made = cls(folder / FILE)
        try:
            text = made._file.read_bytes()
        except OSError:
            return None
        whole, _, torn = text.rpartition(b"\n")
        try:
            first, *rest = [json.loads(line) for line in whole.split(b"\n")]
            if first.get("lingqu") != "demo":
                return None
            made.profile = str(first["profile"])
            for line in rest:
                made._take(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if torn:
            replace_file(made._file, whole + b"\n")
        return made

    def id(self, kind: type[SomeId], name: str) -> SomeId:
        """This will give the id of this name, always the same."""
        known = self._ids.get(f"{kind.prefix}/{name}")
        if known is not None:
            return kind(known)
        made = new_id(kind)
        self._keep({"id": f"{kind.prefix}/{name}", "is": made})
        return made

    def note(self, name: str, seen: SomeFigure) -> SomeFigure:
        """This will give what was first seen under this name."""
        known = self._notes.get(name)
        if known is None:
            self._keep({"note": name, "is": seen})
            return seen
        assert isinstance(known, type(seen)), "a note keeps its kind"
        return known

    def beat(self, made: Beat) -> Beat:
        """This will keep what happened; what is known already stays as it was first told."""
        known = self._beats.get(made.name)
        if known is not None:
            return known
        self._keep({"beat": asdict(made)})
        return made

    def find_beat(self, name: str) -> Beat | None:
        """This will give a beat that was told before, None where it was not."""
        return self._beats.get(name)

    def end(self, scene: str) -> None:
        """This will remember that a scene is over."""
        if scene not in self._over:
            self._keep({"over": scene})

    def is_over(self, scene: str) -> bool:
        """This will say whether a scene was played to its end."""
        return scene in self._over

    def beats(self, scene: str | None = None) -> tuple[Beat, ...]:
        """This will give the beats of one scene or of all, in the order in which they happened."""
        return tuple(one for one in self._beats.values() if scene in {None, one.scene})

    def _keep(self, line: dict[str, object]) -> None:
        with storage_errors(self._file), self._file.open("ab") as stream:
            stream.write(_line(line))
            stream.flush()
            os.fsync(stream.fileno())
        self._take(line)

    def _take(self, line: dict[str, object]) -> None:
        if "id" in line:
            self._ids[str(line["id"])] = str(line["is"])
        elif "note" in line:
            seen = line["is"]
            assert isinstance(seen, int | str), "a note is a figure"
            self._notes[str(line["note"])] = seen
        elif "over" in line:
            self._over.add(str(line["over"]))
        else:
            plain = line["beat"]
            assert isinstance(plain, dict), "a beat is an object"
            made = Beat(**plain)
            self._beats[made.name] = made


def _line(content: dict[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
