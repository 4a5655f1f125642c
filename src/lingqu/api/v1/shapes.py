# SPDX-License-Identifier: Apache-2.0
"""What travels over the API for trust: shapes of JSON, and how values become them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lingqu import trust
from lingqu.kernel.time import Instant, format_instant
from lingqu.kernel.values import to_plain
from lingqu.trust import jobs

PartyKindName = Literal["organization", "person", "system"]
AccountKindName = Literal["person", "machine"]
RoleName = Literal[
    "administrator", "member", "regulator", "financial_regulator", "provider", "implementer",
    "operator", "clerk", "reviewer", "price_authority", "treasury", "chief_data_officer", "venue",
    "merchant", "buyer", "service_body", "person", "clearing",
]  # fmt: skip


class PartyView(msgspec.Struct, kw_only=True):
    """An organisation, a person or a system."""

    id: str
    kind: PartyKindName
    name: str | None
    created_at: str
    erased_at: str | None
    version: int


class PartyPage(msgspec.Struct, kw_only=True):
    """Some parties, and the cursor of the page after them (null: this was the last)."""

    items: list[PartyView]
    next: str | None


class RegisterParty(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new party under an id the caller made (`pty_...`)."""

    party: str
    kind: PartyKindName
    name: str


class RenameParty(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another name."""

    name: str


class OpenAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new account for a party under an id the caller made (`acc_...`)."""

    account: str
    party: str
    kind: AccountKindName
    login: str | None = None
    password: str | None = None


class ChangePassword(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another password, of 12 to 1000 characters."""

    password: str


class AssignRole(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A role for an account, held for a party, under an id the caller made (`rol_...`)."""

    assignment: str
    account: str
    role: RoleName
    party: str


class IssueApiKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A key for a machine under an id the caller made (`apk_...`)."""

    api_key: str
    account: str
    label: str


class MoveClock(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The moment a demonstration clock shall show, RFC 3339."""

    to: str


class AccountRef(msgspec.Struct, kw_only=True):
    """The account a command was about."""

    account: str


class ApiKeyRef(msgspec.Struct, kw_only=True):
    """The key a command was about."""

    api_key: str


class IssuedApiKey(msgspec.Struct, kw_only=True):
    """A new key. `secret` is shown this once; a repeated request gives null."""

    api_key: str
    secret: str | None


class RoleView(msgspec.Struct, kw_only=True):
    """A role an account holds for a party."""

    id: str
    account: str
    role: str
    party: str
    given_at: str
    ended_at: str | None


class ClockView(msgspec.Struct, kw_only=True):
    """What business time it is, and whether the clock is a demonstration clock."""

    clock: Literal["real", "story"]
    now: str


class FactView(msgspec.Struct, kw_only=True):
    """A fact. `index` is its place in the log `origin`, null until it is sequenced."""

    id: str
    kind: str
    at: str
    actor: str
    command: str
    command_name: str
    origin: str | None
    index: int | None
    entry: dict[str, Any]


class FactPage(msgspec.Struct, kw_only=True):
    """Some facts, and the cursor of the page after them (null: this was the last)."""

    items: list[FactView]
    next: str | None


class ReceiptView(msgspec.Struct, kw_only=True):
    """Where a fact stands in the log, with the proof; `checkpoint` is a signed note."""

    fact: str
    origin: str
    index: int
    size: int
    leaf_hash: str
    proof: list[str]
    checkpoint: str


class LogView(msgspec.Struct, kw_only=True):
    """The public log as it stands."""

    origin: str
    number: int
    size: int
    pending: int
    checkpoint_at: str | None
    checkpoint_age_seconds: float | None
    keys: list[str]
    witnesses: list[str]


class InstallationView(msgspec.Struct, kw_only=True):
    """What this installation is."""

    id: str
    origin: str
    clock: Literal["real", "story"]
    created_at: str
    now: str
    log: LogView


class FailedJobView(msgspec.Struct, kw_only=True):
    """A background job that failed for good."""

    id: int
    name: str
    queue: str
    attempts: int
    failed_at: str | None


class FailedJobPage(msgspec.Struct, kw_only=True):
    """Some failed jobs, and the cursor of the page after them (null: this was the last)."""

    items: list[FailedJobView]
    next: str | None


class WorkView(msgspec.Struct, kw_only=True):
    """Long work: how far it is, what it made, or the code of the refusal that ended it."""

    id: str
    kind: str
    subject: str
    state: Literal["waiting", "running", "done", "refused", "cancelled"]
    done: int
    total: int
    percent: int
    result: str | None
    code: str | None
    asked_at: str
    changed_at: str
    stop_at: str | None


class WorkPage(msgspec.Struct, kw_only=True):
    """Some works, and the cursor of the page after them (null: this was the last)."""

    items: list[WorkView]
    next: str | None


def work_view(value: jobs.Work) -> WorkView:
    """This will map a work."""
    return WorkView(
        id=value.id,
        kind=value.kind,
        subject=value.subject,
        state=value.state.value,
        done=value.done,
        total=value.total,
        percent=value.percent,
        result=value.result or None,
        code=value.code or None,
        asked_at=format_instant(value.asked_at),
        changed_at=format_instant(value.changed_at),
        stop_at=instant(value.stop_at),
    )


def instant(value: Instant | None) -> str | None:
    """This will write an instant, or nothing."""
    return None if value is None else format_instant(value)


def party_view(value: trust.Party) -> PartyView:
    """This will map a party."""
    return PartyView(
        id=value.id,
        kind=value.kind.value,
        name=value.name,
        created_at=format_instant(value.created_at),
        erased_at=instant(value.erased_at),
        version=value.version,
    )


def role_view(value: Any) -> RoleView:
    """This will map a role assignment."""
    return RoleView(
        id=value.id,
        account=value.account,
        role=value.role.value,
        party=value.party,
        given_at=format_instant(value.given_at),
        ended_at=instant(value.ended_at),
    )


def fact_view(value: trust.FactRecord) -> FactView:
    """This will map a fact with its entry."""
    entry = to_plain(value.entry)
    assert isinstance(entry, dict), "an entry is a JSON object"
    return FactView(
        id=value.id,
        kind=value.kind,
        at=format_instant(value.at),
        actor=value.actor,
        command=value.command,
        command_name=value.command_name,
        origin=value.origin,
        index=value.index,
        entry=entry,
    )


def job_view(value: jobs.FailedJob) -> FailedJobView:
    """A failed job as it travels."""
    return FailedJobView(
        id=value.id,
        name=value.name,
        queue=value.queue,
        attempts=value.attempts,
        failed_at=instant(value.failed_at),
    )
