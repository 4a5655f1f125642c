# SPDX-License-Identifier: Apache-2.0
"""What is said to every checker of grants at the instant a change commits.

A notice tells just enough to stop what must stop at once; whatever is new is read again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from lingqu.kernel import canon
from lingqu.kernel.values import BadValue, from_plain, to_plain
from lingqu.rights.grants import GrantId
from lingqu.runtime import Tx

CHANNEL = "lingqu_grants"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One change of one tree, which brought it to `epoch`; without a root: of the code trees.

    `ended` is a grant that ended with everything below it, on the ground of an `article`; where
    `reload`, the tree has grants it did not have.
    """

    root: GrantId | None = None
    epoch: int = 0
    ended: GrantId | None = None
    article: str | None = None
    reload: bool = False


def announce(tx: Tx, notice: Notice) -> None:
    """This will notify the listeners when, and only if, the transaction commits."""
    text = canon.encode(to_plain(notice)).decode()
    tx.execute("SELECT pg_notify(%s, %s)", (CHANNEL, text))


def read_notice(payload: str) -> Notice | None:
    """This will read what was announced; None for anything we did not say."""
    try:
        return from_plain(Notice, json.loads(payload))
    except (ValueError, BadValue):
        return None
