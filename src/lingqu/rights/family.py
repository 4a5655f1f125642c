# SPDX-License-Identifier: Apache-2.0
"""A grant among its relatives: the way up to the root, everything below, and what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lingqu.rights.grants import (
    GRANTS,
    EndingKind,
    Grant,
    GrantId,
    Life,
    Standing,
    get_grant,
    read_form,
)
from lingqu.runtime import Tx

BELOW_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A grant of the family with its standing."""

    grant: Grant
    life: Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """From the root down to the grant (`path`), and what hangs below it, parents first.

    `is_cut` says that there is more below than is given.
    """

    path: tuple[Relative, ...]
    below: tuple[Relative, ...]
    is_cut: bool

    def children_of(self, grant: GrantId) -> tuple[Relative, ...]:
        """What was granted on right from a grant of the family, oldest first."""
        return tuple(one for one in self.below if one.grant.parent == grant)


_BELOW = "WHERE ancestors @> ARRAY[%s]::text[] ORDER BY cardinality(ancestors), id LIMIT %s"


def find_family(tx: Tx, grant: GrantId) -> Family:
    """This will give a grant's relatives, in a few queries; raises GrantNotFound.

    Whoever may see a grant may see what was granted on from it, and whose right it comes from.
    """
    found = get_grant(tx, grant)
    above = GRANTS.find(
        tx, "WHERE id = ANY(%s) ORDER BY cardinality(ancestors)", (list(found.ancestors),)
    )
    below = GRANTS.find(tx, _BELOW, (grant, BELOW_MAX + 1))
    is_cut = len(below) > BELOW_MAX
    path, rest = (*above, found), below[:BELOW_MAX]
    lives = find_lives(tx, grants=(*path, *rest))
    relatives = [
        Relative(grant=one, life=life) for one, life in zip((*path, *rest), lives, strict=True)
    ]
    return Family(
        path=tuple(relatives[: len(path)]), below=tuple(relatives[len(path) :]), is_cut=is_cut
    )


_ENDED = """
    SELECT grant_id, kind, successor, article FROM rights.ending WHERE grant_id = ANY(%s)
    ORDER BY kind = 'revoked' DESC, grant_id
"""
_HELD = """
    SELECT subject, article FROM trust.hold WHERE subject = ANY(%s) AND lifted_at IS NULL
    ORDER BY subject, id
"""


def find_lives(tx: Tx, *, grants: Sequence[Grant]) -> tuple[Life, ...]:
    """This will say of many grants at once what `find_life` says of each, in their order."""
    chains = sorted({one for grant in grants for one in grant.chain})
    subjects = sorted({one for grant in grants for one in grant.subjects})
    endings = tx.all(_ENDED, (chains,))
    held = {row["subject"]: row["article"] for row in reversed(tx.all(_HELD, (subjects,)))}
    lives = []
    for grant in grants:
        chain = {*grant.chain}
        ended = next((row for row in endings if row["grant_id"] in chain), None)
        if ended is not None:
            revoked = EndingKind(ended["kind"]) is EndingKind.REVOKED
            successor = ended["successor"]
            lives.append(
                Life(
                    standing=Standing.REVOKED if revoked else Standing.SUCCEEDED,
                    by=ended["grant_id"],
                    successor=None if successor is None else GrantId(successor),
                    article=ended["article"],
                )
            )
            continue
        lives.append(_not_ended(tx, grant, held))
    return tuple(lives)


def _not_ended(tx: Tx, grant: Grant, held: dict[str, str | None]) -> Life:
    valid = read_form(grant.effective).valid
    if valid is not None and valid.end is not None and valid.end <= tx.now:
        return Life(standing=Standing.EXPIRED, by=grant.id)
    stopped = min((one for one in grant.subjects if one in held), default=None)
    if stopped is not None:
        return Life(standing=Standing.HELD, by=stopped, article=held[stopped])
    if valid is not None and tx.now < valid.start:
        return Life(standing=Standing.NOT_BEGUN, by=grant.id)
    return Life(standing=Standing.ALIVE)
