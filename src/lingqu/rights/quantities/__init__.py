# SPDX-License-Identifier: Apache-2.0
"""用量 quantities of grants: given on, used, leased for local use, and returned, in the ledger.

Nothing here is counted twice: every figure is the balance of an account. **Quotas** are what a
grant has of a currency; a **lease** reserves a part of it for a gate that spends without asking.
What a dead grant has left belongs to the nearest living one above it from that instant.

The commands of `rights` that issue and end grants use `give_quotas`, `move_along`, `pass_up`,
`free_leases` and `renew_leases` inside their own transaction.
"""

from lingqu.rights.quantities.leases import (
    BadLease,
    Lease,
    LeaseClosed,
    LeaseId,
    LeaseNotFound,
    LeaseTaken,
    find_overdue_leases,
    free_leases,
    get_lease,
    lock_lease,
    lock_open_leases,
    renew_leases,
    settle_lease,
    take_lease,
)
from lingqu.rights.quantities.quotas import (
    BadQuantity,
    NoQuota,
    Quantity,
    QuotaCount,
    QuotaState,
    add_quota,
    count_quota,
    find_unswept,
    get_quota,
    give_quotas,
    move_along,
    pass_up,
    spend_quota,
    sweep_quotas,
)

__all__ = (
    "BadLease",
    "BadQuantity",
    "Lease",
    "LeaseClosed",
    "LeaseId",
    "LeaseNotFound",
    "LeaseTaken",
    "NoQuota",
    "Quantity",
    "QuotaCount",
    "QuotaState",
    "add_quota",
    "count_quota",
    "find_overdue_leases",
    "find_unswept",
    "free_leases",
    "get_lease",
    "get_quota",
    "give_quotas",
    "lock_lease",
    "lock_open_leases",
    "move_along",
    "pass_up",
    "renew_leases",
    "settle_lease",
    "spend_quota",
    "sweep_quotas",
    "take_lease",
)
