# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a running process: its log, its metrics, whether it is alive and ready.

Secrets and personal data never reach the log: fields are masked by name, texts by pattern, and an
exception is shown by its type and place, its text masked like any other.
"""

from __future__ import annotations

import itertools
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TextIO

import psycopg
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from structlog.typing import EventDict, Processor

from lingqu.kernel import errors

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_HIDDEN = "[hidden]"
_PERSONAL = "[personal]"
_DEEPEST = 5
_LONGEST_TEXT = 2000

_SECRET_WORDS = frozenset({
    "password", "passwd", "passphrase", "token", "key", "secret", "authorization", "cookie",
    "credential", "credentials", "otp", "totp", "csrf", "salt", "private", "pin",
})  # fmt: skip
_PERSONAL_WORDS = frozenset({
    "phone", "mobile", "telephone", "email", "mail", "address", "birthday", "birthdate",
    "surname", "nickname", "passport", "idcard", "applicant_name", "person_name", "real_name",
    "full_name", "display_name", "contact_name", "id_number", "id_card", "national_id",
    "user_agent",
})  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TEXT_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(://[^\s/:@]*):[^\s@]*@"), rf"\1:{_HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {_HIDDEN}"),
    (
        re.compile(
            r"\b([a-z0-9_-]*(?:password|passwd|passphrase|token|secret|authorization|cookie"
            r"|api[_-]?key))(['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;&]+)",
            re.IGNORECASE,
        ),
        rf"\1\2{_HIDDEN}",
    ),
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"), _PERSONAL),
    (re.compile(r"(?<![0-9A-Za-z.])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])"), _PERSONAL),
    (re.compile(r"(?<![0-9A-Za-z.])(?:\+?86-?)?1[3-9][0-9]{9}(?![0-9A-Za-z])"), _PERSONAL),
)

_ROUTED = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "litestar", "procrastinate", "psycopg")
_QUIET = MappingProxyType({
    # Each request is counted and logged by the edge, without its query string.
    "uvicorn.access": logging.ERROR,
    # Each job is logged by lingqu.runtime.jobs, without its arguments.
    "procrastinate": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
})  # fmt: skip


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """This will give a logger; log an event name in dotted words, and values as fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure_logging(
    form: Literal["auto", "console", "json"] = "auto",
    level: Literal["debug", "info", "warning", "error"] = "info",
    *,
    stream: TextIO | None = None,
) -> None:
    """This will send structlog and the standard library's logging, masked, to one stream.

    The stream is standard error unless given; calling it again replaces the earlier configuration.
    """
    target = sys.stderr if stream is None else stream
    console = form == "console" or (form == "auto" and target.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _describe_exception,
        mask,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=_no_traceback)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in _ROUTED:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name, lowest in _QUIET.items():
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(max(lowest, root.level))


@contextmanager
def bind(**values: str | int) -> Iterator[None]:
    """This will add values (as `correlation`) to every line logged inside the block."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def correlation() -> str:
    """This will give the correlation id bound here, or an empty text."""
    return str(structlog.contextvars.get_contextvars().get("correlation", ""))


def mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """This will replace secrets and personal data in an event; a structlog processor."""
    return {
        name: value if name.startswith("_") else _masked(name, value, 0)
        for name, value in event.items()
    }


def _masked(name: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    replacement = _masked_by_name(name)
    if replacement is None:
        return _masked_value(value, depth)
    return replacement


def _masked_by_name(name: str) -> str | None:
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = {"_".join(pair) for pair in itertools.pairwise(words)}
    if not _SECRET_WORDS.isdisjoint(words):
        return _HIDDEN
    return None if _PERSONAL_WORDS.isdisjoint({*words, *pairs}) else _PERSONAL


def _masked_value(value: object, depth: int) -> object:
    if isinstance(value, int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth == _DEEPEST:
            return "[...]"
        if isinstance(value, Mapping):
            return {str(key): _masked(str(key), item, depth + 1) for key, item in value.items()}
        return [_masked("", item, depth + 1) for item in value]
    return _masked_text(str(value))


def _masked_text(text: str) -> str:
    text = text[:_LONGEST_TEXT]
    for pattern, replacement in _TEXT_MASKS:
        text = pattern.sub(replacement, text)
    return text


def _describe_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    if isinstance(given, tuple):
        given = given[1]
    error = sys.exc_info()[1] if given is True else given
    if not isinstance(error, BaseException):
        return event
    event["error"] = _summary(error)
    event["trace"] = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-12:]
    ]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        event["cause"] = _summary(cause)
    return event


def _summary(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, psycopg.Error):
        # The text of a database error quotes rows; the state and the constraint do not.
        return f"{name} {error.sqlstate or ''} {error.diag.constraint_name or ''}".rstrip()
    return f"{name}: {error}"[:500]


def _no_traceback(_stream: TextIO, _exc_info: object) -> None:
    """Exceptions were described before rendering."""


class Metrics:
    """The counters and histograms of this process, in a Prometheus registry of our own."""

    def __init__(self) -> None:
        """Make every metric, so that each is exported as zero from the start."""
        self.registry = CollectorRegistry()
        self.commands_total = self._counter(
            "commands_total", "Commands by outcome", "name", "outcome"
        )
        self.command_seconds = self._histogram("command_seconds", "Time of a command", "name")
        self.facts_total = self._counter("facts_total", "Facts committed")
        self.log_size = self._gauge("log_size", "Leaves in the log")
        self.log_pending = self._gauge("log_pending", "Committed facts not yet in the log")
        self.log_checkpoint_age_seconds = self._gauge(
            "log_checkpoint_age_seconds", "Age of the latest published checkpoint"
        )
        self.log_witnessed = self._gauge(
            "log_witnessed", "Witnesses that cosigned the latest published checkpoint"
        )
        self.http_requests_total = self._counter(
            "http_requests_total", "HTTP requests by route and status", "route", "status"
        )
        self.http_seconds = self._histogram("http_seconds", "Time of an HTTP request", "route")
        self.jobs_total = self._counter("jobs_total", "Jobs by outcome", "name", "outcome")
        self.refusals_total = self._counter("refusals_total", "Refusals by code", "code")
        self.engine_queries_total = self._counter(
            "engine_queries_total", "Queries given to workers by outcome", "outcome"
        )
        self.engine_query_seconds = self._histogram("engine_query_seconds", "Time of a query")
        self.engine_workers = self._gauge("engine_workers", "Workers at work")
        self.engine_loads_total = self._counter(
            "engine_loads_total", "Loads into tables by outcome", "outcome"
        )
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"lingqu_{name}", words, labels, registry=self.registry)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(f"lingqu_{name}", words, registry=self.registry)

    def _histogram(self, name: str, words: str, *labels: str) -> Histogram:
        buckets = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
        return Histogram(f"lingqu_{name}", words, labels, registry=self.registry, buckets=buckets)


METRICS = Metrics()
"""The metrics of this process."""


def render_metrics() -> bytes:
    """This will write all metrics in the Prometheus text format (`METRICS_CONTENT_TYPE`)."""
    return generate_latest(METRICS.registry)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check found: fine or not, and for people the code with its parameters."""

    ok: bool
    code: str = ""
    parameters: Mapping[str, errors.Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of all checks by name; ok when every one is."""

    ok: bool
    results: tuple[tuple[str, CheckResult], ...]


Check = Callable[[], CheckResult]
_FINE = CheckResult(ok=True)


class Readiness:
    """Named checks that say whether this process can serve, and whether it must be restarted.

    A check returns a CheckResult, or raises a refusal, which counts as not ready with its code.
    """

    def __init__(self) -> None:
        """Start without checks: alive and ready."""
        self._checks: dict[str, tuple[Check, bool]] = {}

    def add(self, name: str, check: Check, *, vital: bool = False) -> None:
        """This will add a check; a vital one that fails means the process must be restarted."""
        assert name not in self._checks, f"the check {name} exists"
        self._checks[name] = (check, vital)

    def remove(self, name: str) -> None:
        """This will take a check away again, when what it looked at has ended."""
        del self._checks[name]

    def ready(self) -> Report:
        """This will run every check."""
        return self._report(tuple(self._checks))

    def live(self) -> Report:
        """This will run the vital checks only."""
        checks = dict(self._checks)
        return self._report(tuple(name for name, (_, vital) in checks.items() if vital))

    def _report(self, names: tuple[str, ...]) -> Report:
        # A check may be taken away while another thread asks.
        checks = {name: self._checks.get(name) for name in names}
        results = tuple((name, _run(name, found[0])) for name, found in checks.items() if found)
        return Report(ok=all(result.ok for _, result in results), results=results)


def fine() -> CheckResult:
    """This will give the result of a check that found nothing wrong."""
    return _FINE


def _run(name: str, check: Check) -> CheckResult:
    try:
        return check()
    except errors.LingquError as refusal:
        return CheckResult(ok=False, code=refusal.code, parameters=refusal.parameters)
    except Exception:  # noqa: BLE001  # an edge
        # The health page is an edge: it must answer whatever a check does.
        get_logger(__name__).exception("readiness.check_failed", check=name)
        return CheckResult(
            ok=False, code="runtime.readiness.check_failed", parameters={"check": name}
        )
