# SPDX-License-Identifier: Apache-2.0
"""Holds: anything with a typed id can be stopped, with a reason, its ground and a way back.

A hold names its subject by id (a grant, a listing, an account of the ledger, a party) and nothing
else, so that every domain's things can be held without the trust package knowing them. A command
that must not act on a held thing calls `refuse_held` after locking, with every subject it depends
on; it waits for a hold that is being placed, and a hold waits for it. `is_held` only looks.

A subject may be under several holds; it is free when the last of them is lifted.
"""

from lingqu.trust.holds.subjects import (
    CHANNEL,
    Held,
    Hold,
    HoldId,
    HoldReason,
    find_held,
    find_holds,
    is_held,
    lift_hold,
    place_hold,
    refuse_held,
)

__all__ = (
    "CHANNEL",
    "Held",
    "Hold",
    "HoldId",
    "HoldReason",
    "find_held",
    "find_holds",
    "is_held",
    "lift_hold",
    "place_hold",
    "refuse_held",
)
