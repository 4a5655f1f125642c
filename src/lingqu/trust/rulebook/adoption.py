# SPDX-License-Identifier: Apache-2.0
"""Since when which rules were in force in this installation: adopted by a command, with a fact."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust.access import Action, Kind, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.rows import Table


class AdoptionId(Id):
    """The id of one adoption of a rulebook version."""

    prefix = "rba"


class AlreadyAdopted(errors.Conflict):
    """This version is the one in force already."""

    code = "trust.rulebook.already_adopted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """From `adopted_at` on, decisions of this installation use the rulebook version `rules`."""

    id: AdoptionId
    rules: str
    profile: str
    edition: str
    unverified: tuple[str, ...]
    adopted_at: Instant
    version: int = 1


ADOPTIONS = Table("trust.rulebook_adoption", Adoption)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulebookAdopted(Fact):
    """From now on decisions use this version; `before` is the one they used until now."""

    kind = "trust.rulebook.adopted"
    adoption: AdoptionId
    rules: str
    profile: str
    unverified: tuple[str, ...]
    before: str | None


@command("trust.rulebook.adopt", internal=True)
def adopt_rulebook(
    tx: Tx,
    *,
    adoption: AdoptionId,
    rules: str,
    profile: str,
    edition: str,
    unverified: tuple[str, ...],
) -> Adoption:
    """This will record that a version is in force from now on. Raises AlreadyAdopted."""
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('trust.rulebook', 1))")
    authorize(tx, Action.OPERATE, Kind.INSTALLATION)
    latest = find_adoption(tx)
    if latest is not None and latest.rules == rules:
        raise AlreadyAdopted(rules=rules)
    made = Adoption(
        id=adoption,
        rules=rules,
        profile=profile,
        edition=edition,
        unverified=unverified,
        adopted_at=tx.now,
    )
    ADOPTIONS.insert(tx, made)
    record(
        tx,
        RulebookAdopted(
            adoption=adoption,
            rules=rules,
            profile=profile,
            unverified=unverified,
            before=None if latest is None else latest.rules,
        ),
    )
    return made


def find_adoption(tx: Tx) -> Adoption | None:
    """This will give the version in force, or None before the first was adopted."""
    found = ADOPTIONS.find(tx, "ORDER BY adopted_at DESC, id DESC LIMIT 1")
    return found[0] if found else None
