# SPDX-License-Identifier: Apache-2.0
"""Commands: one transaction, authorised beside the act, one or more facts, safe to send again.

`@command` carries the house rules so that no command can forget them; `execute` is the way in for
every edge. Sending a command id again gives the first result where the request is the same, and a
Conflict where it is not. A refusal changes nothing and is itself recorded, in a small transaction
of its own, so that refused attempts are as visible as allowed ones.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import time
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import METRICS, Caller, Database, Tx, new_id
from lingqu.trust.access import (
    PLATFORM,
    SELECT_HOLDINGS,
    Action,
    Kind,
    authorize,
    take_holdings,
)
from lingqu.trust.facts import CommandId, Draft, Fact, new_salt, record, write_draft

P = ParamSpec("P")
R = TypeVar("R")


class CommandIdReused(errors.Conflict):
    """This command id was used before for something else, or by someone else."""

    code = "trust.command.id_reused"


class BadArguments(errors.Rejected):
    """An argument holds what no record can keep: half a character, or a number beyond 2^53."""

    code = "trust.command.bad_arguments"


class ResultErased(errors.Conflict):
    """This command was done, but what it answered was erased with the person it concerned."""

    code = "trust.command.result_erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused(Fact):
    """Someone asked for a command and was refused; nothing was changed."""

    kind = "trust.command.refused"
    attempt: CommandId | None
    by: Id
    command: str
    channel: str
    code: str
    article: str | None


class Command(Generic[P, R]):
    """A registered change of state. Call it with a Tx inside another command, or `execute` it."""

    def __init__(
        self, name: str, function: Callable[Concatenate[Tx, P], R], *, internal: bool
    ) -> None:
        """Keep the function under its name; names are `package.thing.verb`."""
        self.name = name
        self.internal = internal
        self.function = function
        self._result = functools.cache(lambda: typing.get_type_hints(function).get("return"))
        functools.update_wrapper(self, function)

    def __call__(self, tx: Tx, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run inside the open command of `tx`; asserts authorisation and a fact of its own."""
        draft = tx.notes.get(Draft)
        assert draft is not None, f"{self.name} runs through execute() or inside another command"
        authorized, facts = draft.authorized, len(draft.facts)
        result = self.function(tx, *args, **kwargs)
        assert draft.authorized > authorized, f"{self.name} authorised nothing"
        assert len(draft.facts) > facts, f"{self.name} recorded no fact"
        return result

    def encode(self, result: R) -> str | None:
        """The result as canonical JSON, or None."""
        return None if result is None else canon.encode(to_plain(result)).decode()

    def decode(self, text: str | None) -> R:
        """The result of a command that was done before."""
        if text is None:
            return typing.cast("R", None)
        kind = self._result()
        assert kind is not None, f"{self.name} states what it gives"
        return typing.cast("R", from_plain(kind, json.loads(text)))


_commands: dict[str, Command[..., Any]] = {}


def commands() -> tuple[Command[..., Any], ...]:
    """This will list every command, by name."""
    return tuple(_commands[name] for name in sorted(_commands))


def command(
    name: str, *, internal: bool = False
) -> Callable[[Callable[Concatenate[Tx, P], R]], Command[P, R]]:
    """This will make a function a command. `internal` ones have no route of their own."""

    def register(function: Callable[Concatenate[Tx, P], R]) -> Command[P, R]:
        made = Command(name, function, internal=internal)
        known = _commands.setdefault(name, made)
        assert known.function.__qualname__ == function.__qualname__, f"two commands are {name}"
        return made

    return register


_LOCK_ID = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))"
_SELECT_COMMAND = "SELECT name, actor, salt, request, result FROM trust.command WHERE id = %s"


def execute(
    database: Database,
    what: Command[P, R],
    caller: Caller,
    command_id: CommandId | None,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """This will do a command in a transaction of its own, once per `command_id`.

    Without one, an id is made here: nobody can have sent it before, so nothing is looked for.
    Raises what the command raises, after recording the refusal; CommandIdReused where the id was
    used for another request.
    """
    assert not args, "commands take keyword arguments"
    if command_id is None:
        return _measured(database, what, caller, new_id(CommandId), kwargs, _do_new)
    return _measured(database, what, caller, command_id, kwargs, _do)


def _measured(
    database: Database,
    what: Command[P, R],
    caller: Caller,
    command_id: CommandId,
    kwargs: dict[str, Any],
    do: Callable[[Tx, Command[P, R], CommandId, dict[str, Any]], R],
) -> R:
    began = time.perf_counter()
    outcome = "done"
    try:
        return database.run(caller, lambda tx: do(tx, what, command_id, kwargs))
    except errors.LingquError as refusal:
        outcome = refusal.family
        if not isinstance(refusal, errors.Unavailable):
            record_refusal(database, caller, what.name, refusal, command_id=command_id)
        raise
    except BaseException:
        outcome = "failed"
        raise
    finally:
        METRICS.commands_total.labels(name=what.name, outcome=outcome).inc()
        METRICS.command_seconds.labels(name=what.name).observe(time.perf_counter() - began)


def _do(tx: Tx, what: Command[P, R], command_id: CommandId, kwargs: dict[str, Any]) -> R:
    _, known, held = tx.together((
        (_LOCK_ID, (command_id,)),
        (_SELECT_COMMAND, (command_id,)),
        (SELECT_HOLDINGS, (tx.caller.account,)),
    ))  # fmt: skip
    take_holdings(tx, held)
    if known:
        return _replay(tx, what, known[0], kwargs)
    return _do_new(tx, what, command_id, kwargs)


def _do_new(tx: Tx, what: Command[P, R], command_id: CommandId, kwargs: dict[str, Any]) -> R:
    salt = new_salt()
    draft = Draft(
        command=command_id,
        name=what.name,
        salt=salt,
        request=_request_digest(tx, what.name, salt, kwargs),
    )
    tx.notes[Draft] = draft
    result = what(tx, **kwargs)  # type: ignore[call-arg]  # keyword arguments are the command's own
    write_draft(tx, draft, what.encode(result))
    METRICS.facts_total.inc(len(draft.facts))
    return result


def _replay(tx: Tx, what: Command[P, R], known: dict[str, Any], kwargs: dict[str, Any]) -> R:
    if known["name"] != what.name or known["actor"] != tx.caller.account:
        raise CommandIdReused(command=what.name)
    if known["salt"] is None:
        raise ResultErased(command=what.name)
    request = _request_digest(tx, what.name, bytes(known["salt"]), kwargs)
    if not hmac.compare_digest(request, bytes(known["request"])):
        raise CommandIdReused(command=what.name)
    return what.decode(known["result"])


def _request_digest(tx: Tx, name: str, salt: bytes, kwargs: dict[str, Any]) -> bytes:
    request = {"name": name, "actor": str(tx.caller.account), "arguments": to_plain(kwargs)}
    try:
        return hmac.digest(salt, canon.encode(request), hashlib.sha256)
    except canon.NotCanonical:
        raise BadArguments(command=name) from None


@command("trust.refusal.record", internal=True)
def _record_refusal(tx: Tx, *, refusal: CommandRefused) -> None:
    """This will record that a known caller was refused."""
    authorize(tx, Action.CREATE, Kind.REFUSAL)
    record(tx, refusal)


def record_refusal(
    database: Database,
    caller: Caller,
    attempted: str,
    refusal: errors.LingquError,
    *,
    command_id: CommandId | None = None,
) -> None:
    """This will record a refused attempt of a known caller, by the platform's own hand.

    Edges call it too, for requests refused before they became a command. Raises what the database
    raises; nothing is recorded of personal data, only ids and codes.
    """
    fact = CommandRefused(
        attempt=command_id,
        by=caller.account,
        command=attempted,
        channel=caller.channel,
        code=refusal.code,
        article=refusal.article,
    )
    METRICS.refusals_total.labels(code=refusal.code).inc()
    execute(database, _record_refusal, PLATFORM, new_id(CommandId), refusal=fact)
