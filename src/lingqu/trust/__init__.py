# SPDX-License-Identifier: Apache-2.0
"""基础设施 trust: who, may, did, and the proof of it.

A **party** has **accounts**; an account holds **roles** for parties; `authorize` asks one table
whether a role allows an action on a kind of thing. Everything that changes is a **command**: one
transaction, authorised beside the act, with one or more **facts**. A fact is evidence, audit entry
and message at once: it names every row version its command wrote, by salted digest. Facts carry no
position; `trust.log` gives each its place in a Merkle log with signed checkpoints, and
`trust.audit` finds every row and fact that was touched behind the log's back. Subscribers follow
the log.

Start reading in `commands`, then `facts`, `rows`, `access`, `parties`.
"""

from lingqu.trust import (  # noqa: F401 - their tables and commands belong to the package
    copies,
    notices,
    rulebook,
)
from lingqu.trust.access import (
    LOCAL_ADMINISTRATOR,
    PLATFORM,
    VISITOR,
    AccessDenied,
    AccountId,
    Action,
    Kind,
    PartyId,
    Role,
    authorize,
    is_allowed,
)
from lingqu.trust.commands import (
    Command,
    command,
    commands,
    execute,
    record_refusal,
)
from lingqu.trust.evidence import (
    FactRecord,
    count_facts,
    find_facts,
    get_fact,
    latest_instant,
)
from lingqu.trust.facts import CommandId, Fact, FactId, fact_kinds, record
from lingqu.trust.identity import erase_party
from lingqu.trust.installation import (
    Installation,
    InstallationId,
    StrangerRefusals,
    found_installation,
    get_installation,
    move_story_clock,
)
from lingqu.trust.logbook import (
    LogSucceeded,
    introduce_log_key,
    record_foreign_checkpoint,
    register_foreign_log,
    succeed_log,
)
from lingqu.trust.parties import (
    Account,
    AccountKind,
    AccountState,
    ApiKeyId,
    AssignmentId,
    Party,
    PartyKind,
    assign_role,
    change_password,
    close_account,
    find_accounts,
    find_parties,
    get_party,
    hash_password,
    issue_api_key,
    new_secret,
    open_account,
    register_party,
    rename_party,
    revoke_api_key,
    secret_hash,
    withdraw_role,
)
from lingqu.trust.reads import (
    count_facts_by,
    find_api_keys,
    find_roles,
    find_sessions,
    find_stranger_refusals,
    organization_names,
)
from lingqu.trust.rows import AuditClass, BatchTable, Table, declare
from lingqu.trust.sessions import (
    Identity,
    SignInRefused,
    close_session,
    drop_expired_sessions,
    identify_api_key,
    identify_session,
    sign_in,
)
from lingqu.trust.subscriptions import DeliveredFact, Subscription, deliver

__all__ = (
    "LOCAL_ADMINISTRATOR",
    "PLATFORM",
    "VISITOR",
    "AccessDenied",
    "Account",
    "AccountId",
    "AccountKind",
    "AccountState",
    "Action",
    "ApiKeyId",
    "AssignmentId",
    "AuditClass",
    "BatchTable",
    "Command",
    "CommandId",
    "DeliveredFact",
    "Fact",
    "FactId",
    "FactRecord",
    "Identity",
    "Installation",
    "InstallationId",
    "Kind",
    "LogSucceeded",
    "Party",
    "PartyId",
    "PartyKind",
    "Role",
    "SignInRefused",
    "StrangerRefusals",
    "Subscription",
    "Table",
    "assign_role",
    "authorize",
    "change_password",
    "close_account",
    "close_session",
    "command",
    "commands",
    "count_facts",
    "count_facts_by",
    "declare",
    "deliver",
    "drop_expired_sessions",
    "erase_party",
    "execute",
    "fact_kinds",
    "find_accounts",
    "find_api_keys",
    "find_facts",
    "find_parties",
    "find_roles",
    "find_sessions",
    "find_stranger_refusals",
    "found_installation",
    "get_fact",
    "get_installation",
    "get_party",
    "hash_password",
    "identify_api_key",
    "identify_session",
    "introduce_log_key",
    "is_allowed",
    "issue_api_key",
    "latest_instant",
    "move_story_clock",
    "new_secret",
    "open_account",
    "organization_names",
    "record",
    "record_foreign_checkpoint",
    "record_refusal",
    "register_foreign_log",
    "register_party",
    "rename_party",
    "revoke_api_key",
    "secret_hash",
    "sign_in",
    "succeed_log",
    "withdraw_role",
)
