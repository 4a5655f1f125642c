# SPDX-License-Identifier: Apache-2.0
"""The stage of a story: who acts, on which day, and how what happened is told and kept.

Scenes know only this. Everything they change goes through a public command of its package, sent
under an id that the journal keeps, or through the API as the person concerned; a scene that was
interrupted is played again and nothing happens twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from lingqu import trust
from lingqu.cli.acting import caller
from lingqu.cli.invocation import Invocation
from lingqu.cli.journal import Beat, Figure, Journal
from lingqu.cli.scripts import NotPossibleHere
from lingqu.cli.story.actors import Actor, glossed
from lingqu.cli.story.deliveries import Region
from lingqu.cli.text import terminal_width, wrapped
from lingqu.errands import issue_paper
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller, Tx, documents
from lingqu.runtime.blobs import replace_file
from lingqu.runtime.calendar import LOCAL_TIME, local_day, parse_day
from lingqu.trust import procedures, rulebook
from lingqu.wiring import App

P = ParamSpec("P")
R = TypeVar("R")
SomeId = TypeVar("SomeId", bound=Id)
Scene = Callable[["Stage"], None]

_WAIT_S, _PAUSE_S = 30.0, 0.05
_FILE_BYTES = 64 * 1024 * 1024
_WEEK = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_SLICES = Path(__file__).parents[1] / "slices"


class NotRefused(errors.Unavailable):
    """The story expected a refusal and the platform allowed the act: this must never happen."""

    code = "cli.demo.not_refused"


class Machine(Protocol):
    """A program of one of the actors: it speaks with the platform over HTTP, as anyone would."""

    def __call__(
        self, method: str, path: str, body: object | None = None, /, **headers: str
    ) -> tuple[int, object]:
        """This will send one request and give its status and what was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One step of the story and its scenes, in their order."""

    name: str
    scenes: tuple[Scene, ...]


@dataclass(slots=True, kw_only=True)
class Stage:
    """One telling of a story. `connect` makes the program of an actor."""

    run: Invocation
    app: App
    journal: Journal
    cast: Mapping[str, Actor]
    region: Region
    address: str
    connect: Callable[[Stage, str], Machine]
    files: Path
    _scene: str = field(default="")
    _told: str = field(default="")
    _machines: dict[str, Machine] = field(default_factory=dict)

    def play(self, chapters: tuple[Chapter, ...]) -> None:
        """This will play every scene that is not over yet, and tell again those that are."""
        for number, chapter in enumerate(chapters, start=1):
            self.run.tell()
            self.run.tell(
                self.run.word(
                    "story.chapter",
                    number=number,
                    title=self.run.word(f"story.{chapter.name}.title"),
                )
            )
            self._told = ""
            for scene in chapter.scenes:
                self._play(f"{chapter.name}.{scene.__name__}", scene)

    def _play(self, name: str, scene: Scene) -> None:
        if self.journal.is_over(name):
            for beat in self.journal.beats(name):
                self._tell(beat)
            return
        self._scene = name
        scene(self)
        self.journal.end(name)

    # -- who acts ------------------------------------------------------------------------------

    def party(self, actor: str) -> trust.PartyId:
        """This will give the party an actor is; `body/person` is of the same party as `body`."""
        return self.journal.id(trust.PartyId, actor.partition("/")[0])

    def account(self, actor: str) -> trust.AccountId:
        """This will give the account of the person who acts for an actor."""
        return self.journal.id(trust.AccountId, actor)

    def caller(self, actor: str) -> Caller:
        """This will give who acts: an actor's person, or whoever works on the machine itself."""
        if actor == "machine":
            return caller(self.run)
        return Caller(account=self.account(actor), channel="cli", correlation=self.run.correlation)

    def machine(self, actor: str) -> Machine:
        """This will give the program of an actor, which speaks HTTP with a key of its own."""
        if actor not in self._machines:
            self._machines[actor] = self.connect(self, actor)
        return self._machines[actor]

    def id(self, kind: type[SomeId], name: str) -> SomeId:
        """This will give the id of something the story makes, the same in every telling."""
        return self.journal.id(kind, name)

    def do(
        self,
        actor: str,
        name: str,
        what: trust.Command[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """This will do a command as an actor, once for each `name`. Raises what it raises."""
        command = self.id(trust.CommandId, f"{what.name}/{name}")
        return trust.execute(self.app.database, what, self.caller(actor), command, *args, **kwargs)

    def refused(
        self,
        actor: str,
        name: str,
        what: trust.Command[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> errors.LingquError:
        """This will give the refusal of a command that must be refused. Raises NotRefused."""
        try:
            self.do(actor, name, what, *args, **kwargs)
        except errors.Unavailable:
            raise
        except errors.LingquError as refusal:
            return refusal
        raise NotRefused(command=what.name)

    def move(
        self,
        actor: str,
        procedure: procedures.ProcedureId,
        move: str,
        /,
        *,
        opinion: str | None = None,
        reason: str | None = None,
        files: tuple[Path, ...] = (),
    ) -> procedures.Procedure:
        """This will move a procedure as an actor. Raises what `move_procedure` raises."""
        with self.reading() as tx:
            seen = procedures.get_procedure(tx, procedure).procedure.version
        name = f"{procedure}/{move}/{self._scene}"
        return self.do(
            actor,
            name,
            procedures.move_procedure,
            procedure=procedure,
            move=move,
            version=self.journal.note(name, seen),
            opinion=opinion,
            reason=reason,
            files=tuple(self.kept(file) for file in files),
        )

    def kept(self, file: Path) -> procedures.GivenFile:
        """This will keep a file with the platform, to be given with a move."""
        held = self.app.blobs.put(file.read_bytes(), limit_bytes=_FILE_BYTES)
        return procedures.GivenFile(name=file.name, sha256=held.sha256, size=held.size)

    def letter(self, procedure: procedures.ProcedureId, document: str, name: str) -> None:
        """This will write a letter that a procedure produced, as Word and to print, as PDF."""
        with self.reading() as tx:
            paper = procedures.document_data(tx, procedure=procedure, document=document)
        for form in documents.Format:
            self.paper(f"{name}.{form.value}", paper)

    def paper(self, name: str, paper: documents.Paper) -> None:
        """This will keep a paper in the story's folder; its ending says as what."""
        form = documents.Format(name.rpartition(".")[2])
        self.write(name, issue_paper(self.app, paper, to=form).content)

    def write(self, name: str, content: bytes) -> Path:
        """This will keep something made for people in the story's folder."""
        file = self.files / name
        replace_file(file, content, mode=0o644)
        return file

    @contextmanager
    def reading(self, actor: str = "machine") -> Iterator[Tx]:
        """This will open a read-only transaction as an actor."""
        with self.app.database.reading(self.caller(actor)) as tx:
            yield tx

    # -- when ----------------------------------------------------------------------------------

    def on(self, day: str, at: str = "09:00") -> None:
        """This will move the demonstration's clock forward to local time on a day, if it is behind.

        Clocks of procedures whose last day has passed act before the scene goes on.
        """
        to = datetime.combine(parse_day(day), time_of_day.fromisoformat(at), LOCAL_TIME)
        with self.reading() as tx:
            behind = tx.now < to
        if behind:
            self.do("machine", f"{day} {at}", trust.move_story_clock, to=Instant.astimezone(to))
        procedures.fire_due_timers(self.app.database, trust.PLATFORM)

    def today(self) -> date:
        """This will give the day the demonstration's clock shows."""
        with self.reading() as tx:
            return local_day(tx.now)

    def wait_for(self, ready: Callable[[], bool], what: str) -> None:
        """This will wait until the platform has caught up with itself. Raises NotPossibleHere."""
        deadline = time.monotonic() + _WAIT_S
        while not ready():
            if time.monotonic() > deadline:
                raise NotPossibleHere(detail=what)
            time.sleep(_PAUSE_S)

    # -- what is told --------------------------------------------------------------------------

    def beat(self, actor: str, code: str, /, name: str | None = None, **figures: Figure) -> Beat:
        """This will tell what happened and keep its figures under `name`, or else the code."""
        made = self.journal.beat(
            Beat(
                scene=self._scene,
                name=name or code,
                code=code,
                on=self.today().isoformat(),
                by=actor,
                figures=figures,
            )
        )
        self._tell(made)
        return made

    def clock(self, procedure: procedures.ProcedureId, timer: str, name: str) -> Beat:
        """This will tell of a statutory clock: how long it is, how much is used, what is left."""
        known = self.journal.find_beat(name)
        if known is not None:
            self._tell(known)
            return known
        with self.reading() as tx:
            view = procedures.get_procedure(tx, procedure)
            calendar, today = rulebook.of(tx).calendar(), local_day(tx.now)
        found = next(clock for clock in view.clocks if clock.name == timer)
        used = calendar.working_days_between(found.started_on, today).days
        english = self.run.language == "en"
        return self.beat(
            "",
            "clock",
            name=name,
            label=found.label.en if english else found.label.zh,
            used=used,
            left=0 if found.days_left is None else found.days_left,
            due=found.due_on.isoformat(),
            article=found.article or "",
        )

    def _tell(self, beat: Beat) -> None:
        day, _, by = self._told.partition("/")
        if day != beat.on or beat.by not in {"", by}:
            self._told = f"{beat.on}/{beat.by}"
            self.run.tell()
            self.run.tell(f"  {self._date(beat.on)}  {self._who(beat.by)}".rstrip())
        figures = {
            key: f"{value:,}" if isinstance(value, int) else self._said(value)
            for key, value in beat.figures.items()
        }
        text = self.run.word(f"story.{beat.code}", **figures)
        for line in text.split("\n"):
            for piece in wrapped(line, terminal_width() - 4):
                self.run.tell(f"    {piece}")

    def _who(self, by: str) -> str:
        """Who acts; nobody does where a clock alone has gone on."""
        actor = self.cast.get(by.partition("/")[0])
        if actor is not None:
            return self._said(actor.name)
        return self.run.word("story.machine") if by else ""

    def _said(self, name: str) -> str:
        return glossed(name) if self.run.language == "en" else name

    def _date(self, text: str) -> str:
        day = parse_day(text)
        if self.run.language == "en":
            return f"{day:%a} {day.day} {day:%b %Y}"
        return f"{day.year}年{day.month}月{day.day}日（{_WEEK[day.weekday()]}）"


def slice_file(name: str) -> Path:
    """This will give the path of a real table that comes with the program."""
    return _SLICES / "45" / f"{name}.csv"
