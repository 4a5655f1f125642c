# SPDX-License-Identifier: Apache-2.0
"""Erasing a person: every row that tells of them is emptied, and the salts of its digests go."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu.runtime import Tx
from lingqu.trust import procedures
from lingqu.trust.access import AccountId, Action, Kind, PartyId, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.identity.certificates import CERTIFICATES
from lingqu.trust.identity.logins import LINKS
from lingqu.trust.identity.organizations import ORGANIZATIONS
from lingqu.trust.lockout import forget_failures, login_key
from lingqu.trust.parties import (
    ACCOUNTS,
    API_KEYS,
    PARTIES,
    Account,
    AccountState,
    Party,
    PartyErased,
    PartyKind,
)
from lingqu.trust.second_factor import FACTORS

Touched = list[tuple[str, str, int]]
"""Tables, keys and versions whose earlier contents go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyDataErased(Fact):
    """A person's data was emptied everywhere and the salts of its digests destroyed."""

    kind = "trust.party.erased"
    party: PartyId
    accounts: tuple[AccountId, ...]


_ERASE = "SELECT trust.erase_row_versions(%s, %s, %s)"
_OF_ACCOUNT = "WHERE account = %s ORDER BY 1 FOR UPDATE"


@command("trust.party.erase")
def erase_party(tx: Tx, *, party: PartyId) -> Party:
    """This will empty a person's data here and destroy the salts of what the log says of it.

    The log keeps its digests and still verifies; without salts they tell nothing. Accounts are
    closed, their API keys, certificates, second factors and linked logins end and are emptied.
    What a person wrote of its own in procedures is emptied; steps, and what was written in office,
    stay (decision 0027).
    Backups made before keep the data until they expire. Raises PartyErased.
    (个人信息保护法 第四十七条)
    """
    held = PARTIES.lock(tx, party)
    authorize(tx, Action.ERASE, Kind.PARTY, owner=party)
    if held.erased_at is not None:
        raise PartyErased(party=party)
    erased = PARTIES.update(tx, held, name=None, erased_at=tx.now)
    touched: Touched = [("trust.party", party, erased.version)]
    for known in ORGANIZATIONS.find(tx, "WHERE party = %s FOR UPDATE", (party,)):
        emptied = ORGANIZATIONS.update(tx, known, code=None)
        touched.append(("trust.organization", party, emptied.version))
    accounts = ACCOUNTS.find(tx, "WHERE party = %s ORDER BY id FOR UPDATE", (party,))
    for account in accounts:
        touched += _erase_account(tx, account)
    if held.kind is PartyKind.PERSON:
        own = [account.id for account in accounts]
        touched += procedures.forget_person(tx, party=party, accounts=own)
    tx.together((_ERASE, row) for row in touched)
    record(tx, PartyDataErased(party=party, accounts=tuple(account.id for account in accounts)))
    return erased


def _erase_account(tx: Tx, account: Account) -> Touched:
    closed = ACCOUNTS.update(tx, account, login=None, password_hash=None, state=AccountState.CLOSED)
    touched: Touched = [("trust.account", account.id, closed.version)]
    forget_failures(tx, login_key(account.login or str(account.id)))
    for table in ("session", "sign_in_step", "openid_attempt", "second_factor_use"):
        tx.execute(_FORGET[table], (account.id,))
    for key in API_KEYS.find(tx, _OF_ACCOUNT, (account.id,)):
        ended = API_KEYS.update(tx, key, label="", ended_at=key.ended_at or tx.now)
        touched.append(("trust.api_key", key.id, ended.version))
    for factor in FACTORS.find(tx, _OF_ACCOUNT, (account.id,)):
        off = FACTORS.update(tx, factor, sealed=None, recovery=(), enabled_at=None)
        touched.append(("trust.second_factor", account.id, off.version))
    for link in LINKS.find(tx, _OF_ACCOUNT, (account.id,)):
        cut = LINKS.update(tx, link, subject=None, ended_at=link.ended_at or tx.now)
        touched.append(("trust.login_link", link.id, cut.version))
    for one in CERTIFICATES.find(tx, _OF_ACCOUNT, (account.id,)):
        revoked = CERTIFICATES.update(tx, one, label="", ended_at=one.ended_at or tx.now)
        touched.append(("trust.certificate", one.id, revoked.version))
    return touched


_FORGET = {
    "session": "DELETE FROM trust.session WHERE account = %s",
    "sign_in_step": "DELETE FROM trust.sign_in_step WHERE account = %s",
    "openid_attempt": "DELETE FROM trust.openid_attempt WHERE account = %s",
    "second_factor_use": "DELETE FROM trust.second_factor_use WHERE account = %s",
}
