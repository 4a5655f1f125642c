# SPDX-License-Identifier: Apache-2.0
"""The API of 基础设施 trust: parties, accounts, roles, keys, facts with their proofs, the clock."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1 import shapes
from lingqu.api.v1.rules import find_rules, get_rule
from lingqu.api.v1.shapes import (
    AccountRef,
    ApiKeyRef,
    ClockView,
    FactPage,
    FactView,
    FailedJobPage,
    FailedJobView,
    InstallationView,
    IssuedApiKey,
    LogView,
    PartyPage,
    PartyView,
    ReceiptView,
    RoleView,
)
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import format_instant, parse_instant
from lingqu.kernel.values import Hidden
from lingqu.runtime import REAL_TIME
from lingqu.trust import jobs, log
from lingqu.wiring import App

WITHOUT_ROUTE = {
    "trust.installation.found": "an installation is founded before there is a server",
}
"""Commands that no route can do, and why."""

SECRET_TABLES = frozenset({"trust.account", "trust.api_key"})
"""Their rows hold hashes of secrets: a bundle names their digests and never shows their content."""


@reads("/parties", "List parties")
def find_parties(
    platform: FromPlatform, visit: FromVisit, size: Size = 50, after: After = None
) -> PartyPage:
    """This will list the parties the caller may see, oldest first."""
    with platform.database.reading(visit.caller) as tx:
        page = trust.find_parties(tx, page=PageRequest(size=size, after=after))
    return PartyPage(items=[shapes.party_view(one) for one in page.items], next=page.next)


@reads("/parties/{party:str}", "Read a party")
def get_party(platform: FromPlatform, visit: FromVisit, party: FromPath[str]) -> PartyView:
    """This will read one party."""
    wanted = trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        return shapes.party_view(trust.get_party(tx, wanted))


@makes("/parties", "trust.party.register", "Register a party")
def register_party(write: FromWrite, data: JSONBody[shapes.RegisterParty]) -> PartyView:
    """This will register a party."""
    made = write.execute(
        trust.register_party,
        party=trust.PartyId(data.party),
        kind=trust.PartyKind(data.kind),
        name=data.name,
    )
    return shapes.party_view(made)


@does("/parties/{party:str}/rename", "trust.party.rename", "Rename a party")
def rename_party(
    write: FromWrite, party: FromPath[str], data: JSONBody[shapes.RenameParty]
) -> PartyView:
    """This will give a party another name."""
    renamed = write.execute(trust.rename_party, party=trust.PartyId(party), name=data.name)
    return shapes.party_view(renamed)


@does("/parties/{party:str}/erase", "trust.party.erase", "Erase a person's data")
def erase_party(write: FromWrite, party: FromPath[str]) -> PartyView:
    """This will empty a party's data here, for good; the log keeps its digests and verifies."""
    return shapes.party_view(write.execute(trust.erase_party, party=trust.PartyId(party)))


@makes("/accounts", "trust.account.open", "Open an account")
def open_account(write: FromWrite, data: JSONBody[shapes.OpenAccount]) -> AccountRef:
    """This will open an account for a party."""
    account, party = trust.AccountId(data.account), trust.PartyId(data.party)
    made = write.execute(
        trust.open_account,
        account=account,
        party=party,
        kind=trust.AccountKind(data.kind),
        login=data.login,
        password=None if data.password is None else trust.hash_password(data.password),
    )
    return AccountRef(account=made)


@does("/accounts/{account:str}/close", "trust.account.close", "Close an account")
def close_account(write: FromWrite, account: FromPath[str]) -> AccountRef:
    """This will close an account for good, with its sessions."""
    write.execute(trust.close_account, account=trust.AccountId(account))
    return AccountRef(account=account)


@does("/accounts/{account:str}/password", "trust.account.change_password", "Change a password")
def change_password(
    write: FromWrite, account: FromPath[str], data: JSONBody[shapes.ChangePassword]
) -> AccountRef:
    """This will replace an account's password and close its sessions."""
    wanted = trust.AccountId(account)
    password = trust.hash_password(data.password)
    write.execute(trust.change_password, account=wanted, password=password)
    return AccountRef(account=account)


@makes("/roles", "trust.role.assign", "Assign a role")
def assign_role(write: FromWrite, data: JSONBody[shapes.AssignRole]) -> RoleView:
    """This will give an account a role for a party."""
    given = write.execute(
        trust.assign_role,
        assignment=trust.AssignmentId(data.assignment),
        account=trust.AccountId(data.account),
        role=trust.Role(data.role),
        party=trust.PartyId(data.party),
    )
    return shapes.role_view(given)


@does("/roles/{assignment:str}/withdraw", "trust.role.withdraw", "Withdraw a role")
def withdraw_role(write: FromWrite, assignment: FromPath[str]) -> RoleView:
    """This will end a role assignment."""
    ended = write.execute(trust.withdraw_role, assignment=trust.AssignmentId(assignment))
    return shapes.role_view(ended)


@makes("/api-keys", "trust.api_key.issue", "Issue an API key")
def issue_api_key(write: FromWrite, data: JSONBody[shapes.IssueApiKey]) -> IssuedApiKey:
    """This will let a machine act as an account; the secret is in this answer and nowhere else."""
    secret = trust.new_secret()
    made = write.execute(
        trust.issue_api_key,
        api_key=trust.ApiKeyId(data.api_key),
        account=trust.AccountId(data.account),
        label=data.label,
        secret=Hidden(secret),
    )
    return IssuedApiKey(api_key=made, secret=secret if _is_known(write.platform, secret) else None)


def _is_known(platform: App, secret: str) -> bool:
    """A repeated request made no key, so its fresh secret opens nothing and must not be shown."""
    try:
        trust.identify_api_key(platform.database, secret)
    except errors.Forbidden:
        return False
    return True


@does("/api-keys/{api_key:str}/revoke", "trust.api_key.revoke", "Revoke an API key")
def revoke_api_key(write: FromWrite, api_key: FromPath[str]) -> ApiKeyRef:
    """This will stop a key from working."""
    write.execute(trust.revoke_api_key, api_key=trust.ApiKeyId(api_key))
    return ApiKeyRef(api_key=api_key)


@reads("/facts", "List facts")
def find_facts(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    kind: Annotated[str | None, QueryParameter(name="kind", max_length=100)] = None,
    subject: Annotated[
        str | None,
        QueryParameter(name="subject", max_length=100, description="The id of a thing it changed"),
    ] = None,
) -> FactPage:
    """This will list the facts the caller may see, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = trust.find_facts(tx, page=request, kind=kind, subject=subject)
    return FactPage(items=[shapes.fact_view(one) for one in page.items], next=page.next)


@reads("/facts/{fact:str}", "Read a fact")
def get_fact(platform: FromPlatform, visit: FromVisit, fact: FromPath[str]) -> FactView:
    """This will read one fact."""
    wanted = trust.FactId(fact)
    with platform.database.reading(visit.caller) as tx:
        return shapes.fact_view(trust.get_fact(tx, wanted))


@reads("/facts/{fact:str}/receipt", "Read a fact's receipt")
def get_receipt(platform: FromPlatform, visit: FromVisit, fact: FromPath[str]) -> ReceiptView:
    """This will give a fact's place in the log with its proof; 503 until a checkpoint holds it."""
    wanted = trust.FactId(fact)
    with platform.database.reading(visit.caller) as tx:
        known = trust.get_fact(tx, wanted)
        receipt = log.receipt(tx, platform.log_directory.parent, known.id)
    return ReceiptView(
        fact=receipt.fact,
        origin=receipt.origin,
        index=receipt.index,
        size=receipt.size,
        leaf_hash=receipt.leaf_hash.hex(),
        proof=[one.hex() for one in receipt.proof],
        checkpoint=str(receipt.checkpoint),
    )


@reads(
    "/facts/{fact:str}/bundle", "Download a fact's evidence bundle", media_type="application/json"
)
def get_bundle(platform: FromPlatform, visit: FromVisit, fact: FromPath[str]) -> Response[bytes]:
    """This will give one file that `lingqu-verify` verifies without this platform."""
    wanted = trust.FactId(fact)
    with platform.database.reading(visit.caller) as tx:
        known = trust.get_fact(tx, wanted)
        named = {row["table"] for row in known.entry.get("rows", ())}
        text = log.bundle(
            tx,
            platform.log_directory.parent,
            (known.id,),
            disclose=not named & SECRET_TABLES,
        )
    return Response(
        text.encode(),
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="{wanted}.bundle.json"'},
    )


@reads("/installation", "Read what this installation is", is_open=True)
def get_installation(platform: FromPlatform) -> InstallationView:
    """This will say what this installation is and how its public log stands; open to everyone."""
    status = platform.sequencer.status()
    with platform.database.reading(trust.VISITOR) as tx:
        keys = [str(key) for key in log.own_log(tx, status.origin).verifiers]
        now = tx.now
    at = status.checkpoint_at
    age = None if at is None else round((REAL_TIME.now() - at).total_seconds(), 3)
    known = platform.installation
    return InstallationView(
        id=known.id,
        origin=known.origin,
        clock="story" if known.clock == "story" else "real",
        created_at=format_instant(known.created_at),
        now=format_instant(now),
        log=LogView(
            origin=status.origin,
            number=status.number,
            size=status.size,
            pending=status.pending,
            checkpoint_at=shapes.instant(at),
            checkpoint_age_seconds=age,
            keys=keys,
            witnesses=[one.witness for one in status.cosigned],
        ),
    )


@does("/clock/move", "trust.clock.move", "Move a demonstration clock")
def move_clock(write: FromWrite, data: JSONBody[shapes.MoveClock]) -> ClockView:
    """This will move a demonstration clock forward."""
    shows = write.execute(trust.move_story_clock, to=parse_instant(data.to))
    return ClockView(clock="story", now=format_instant(shows))


@reads("/jobs", "List failed jobs")
def find_failed_jobs(
    platform: FromPlatform, visit: FromVisit, size: Size = 50, after: After = None
) -> FailedJobPage:
    """This will list the background jobs that failed for good, newest first."""
    with platform.database.reading(visit.caller) as tx:
        page = jobs.find_failed_jobs(tx, page=PageRequest(size=size, after=after))
    return FailedJobPage(items=[shapes.job_view(one) for one in page.items], next=page.next)


@does("/jobs/{job:int}/retry", "trust.job.retry", "Retry a failed job")
def retry_job(write: FromWrite, job: FromPath[int]) -> FailedJobView:
    """This will put a failed job back into the queue."""
    return shapes.job_view(write.execute(jobs.retry_job, job=job))


@does("/jobs/{job:int}/drop", "trust.job.drop", "Drop a failed job")
def drop_job(write: FromWrite, job: FromPath[int]) -> FailedJobView:
    """This will throw a failed job away."""
    return shapes.job_view(write.execute(jobs.drop_job, job=job))


@reads("/works", "List long work")
def find_works(
    platform: FromPlatform, visit: FromVisit, size: Size = 50, after: After = None
) -> shapes.WorkPage:
    """This will list the caller's works, newest first, or everyone's for who runs the platform."""
    with platform.database.reading(visit.caller) as tx:
        page = jobs.find_works(tx, page=PageRequest(size=size, after=after))
    return shapes.WorkPage(items=[shapes.work_view(one) for one in page.items], next=page.next)


@reads("/works/{work:str}", "Read a work")
def get_work(platform: FromPlatform, visit: FromVisit, work: FromPath[str]) -> shapes.WorkView:
    """This will say how far a work is, and what came of it."""
    with platform.database.reading(visit.caller) as tx:
        return shapes.work_view(jobs.get_work(tx, jobs.WorkId(work)))


@does("/works/{work:str}/stop", "trust.work.stop", "Stop a work")
def stop_work(write: FromWrite, work: FromPath[str]) -> shapes.WorkView:
    """This will ask a work to stop; nothing of it is done."""
    return shapes.work_view(write.execute(jobs.stop_work, work=jobs.WorkId(work)))


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_parties, get_party, register_party, rename_party, erase_party,
        open_account, close_account, change_password, assign_role, withdraw_role,
        issue_api_key, revoke_api_key, find_facts, get_fact, get_receipt, get_bundle, move_clock,
        find_failed_jobs, retry_job, drop_job, get_installation, find_rules, get_rule,
        find_failed_jobs, retry_job, drop_job, find_works, get_work, stop_work,
    ]  # fmt: skip
    return routes_of("/api/v1/trust", "trust", handlers)
