# SPDX-License-Identifier: Apache-2.0
"""Long work of a page: done in a thread of this process, with a page that tells how far it is.

An errand is safe to send again, so work that was lost with its process is begun again by the same
button; nothing here is evidence. Cancelling stops before the command that would make it true.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from lingqu.kernel import errors
from lingqu.runtime.observability import get_logger
from lingqu.ui.refusals import PageFault

KEPT_MOST = 200
RUNNING_MOST = 4
_log = get_logger(__name__)


class WorkCancelled(errors.Conflict):
    """Somebody cancelled the work before it was done."""

    code = "ui.work.cancelled"


class TooMuchWork(errors.Unavailable):
    """So much work is under way that no more is begun now."""

    code = "ui.work.too_much"


class WorkState(enum.Enum):
    """Where some work stands."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"


@dataclass(slots=True, kw_only=True)
class Work:
    """One piece of work: who began it, how far it is, what came of it."""

    owner: str
    about: str
    state: WorkState = WorkState.RUNNING
    stage: str = ""
    refusal: errors.LingquError | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def reach(self, stage: str) -> None:
        """This will note how far the work is. Raises WorkCancelled."""
        if self.stop.is_set():
            raise WorkCancelled
        self.stage = stage


class Works:
    """The work of this process by its command; the oldest that is over is forgotten first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, Work] = {}
        self._lock = threading.Lock()

    def find(self, key: str, *, owner: str) -> Work | None:
        """This will give work that this owner began."""
        found = self._known.get(key)
        return found if found is not None and found.owner == owner else None

    def begin(self, key: str, *, owner: str, about: str, do: Callable[[Work], object]) -> Work:
        """This will begin work once; the same key again gives the same. Raises TooMuchWork."""
        with self._lock:
            known = self.find(key, owner=owner)
            if known is not None:
                return known
            running = [one for one in self._known.values() if one.state is WorkState.RUNNING]
            if len(running) >= RUNNING_MOST:
                raise TooMuchWork(most=RUNNING_MOST)
            over = [name for name, one in self._known.items() if one.state is not WorkState.RUNNING]
            for name in over[: max(0, len(self._known) - KEPT_MOST + 1)]:
                del self._known[name]
            made = self._known[key] = Work(owner=owner, about=about)
        threading.Thread(target=_run, args=(made, do), name="page-work", daemon=True).start()
        return made


def _run(work: Work, do: Callable[[Work], object]) -> None:
    try:
        do(work)
    except errors.LingquError as refusal:
        work.refusal, work.state = refusal, WorkState.REFUSED
    except Exception as error:  # noqa: BLE001  # the edge of a thread: logged, and told as a fault
        _log.error("ui.work.fault", exc_info=error)
        work.refusal, work.state = PageFault(), WorkState.REFUSED
    else:
        work.state = WorkState.DONE
