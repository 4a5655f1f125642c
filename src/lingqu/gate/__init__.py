# SPDX-License-Identifier: Apache-2.0
"""应用 gate: use without seeing: products, their policies, decisions, answers and metering.

An operator defines a **product** over granted columns, under a closed **policy** everyone concerned
can read. A **snapshot** is built from loaded tables by the confined engine and holds keyed hashes,
no subject. A **call** under a buyer's grant is **decided** by pure rules over the request, the
effective grant, the policy and the log of what was asked, never over the data; it spends a
**lease** of the grant's quantity, is answered from the snapshot, and its answer leaves only when
its metering is durable. A refused call is metered as well, with its code and article.

Start reading in `products` and `policies`, then `decisions`, `desk`, `metering`, `building`.
"""

from lingqu.gate import consents, lists, publishing  # noqa: F401 - their tables and commands belong to the package
from lingqu.gate.answering import SubjectAnswer
from lingqu.gate.asking import Asking
from lingqu.gate.building import build_snapshot, find_tables
from lingqu.gate.decisions import (
    CallIdUsed,
    Enumerating,
    Explained,
    NotHolder,
    NotPublished,
    OtherProduct,
    OverQuota,
    ProductHeld,
    PurposeUnknown,
    WrongPurpose,
)
from lingqu.gate.desk import Desk, find_asker
from lingqu.gate.lanes import Asker, GateBusy, Reply, Waiting
from lingqu.gate.leasing import settle_abandoned, settle_overdue
from lingqu.gate.metering import (
    CallsMetered,
    drop_old_replies,
    find_batch_calls,
    find_calls,
    settle_by_meter,
)
from lingqu.gate.policies import (
    CountPolicy,
    Form,
    OpenFilePolicy,
    Policy,
    check_policy,
    find_columns,
    parse_policy,
    tell_policy,
)
from lingqu.gate.predicates import (
    Answer,
    BadPolicy,
    Characters,
    Enumeration,
    Evidence,
    Matching,
    Predicate,
    Relation,
    Sample,
    Subject,
    SubjectShape,
    VerificationPolicy,
)
from lingqu.gate.products import (
    CALL,
    Product,
    ProductDefined,
    ProductId,
    ProductNotFound,
    ProductWithdrawn,
    SnapshotId,
    define_product,
    fields_of,
    find_products,
    find_titles,
    get_product,
    look_through_products,
    policy_of,
    revise_product,
    withdraw_product,
)
from lingqu.gate.requests import (
    SUBJECTS_MOST,
    CallAnswer,
    CallId,
    CallRequest,
    MeterBatchId,
    MeteredCall,
)
from lingqu.gate.shelf import read_open_file
from lingqu.gate.snapshots import (
    KEY_PURPOSE,
    Snapshot,
    check_may_publish,
    find_sealed_key,
    find_snapshots,
    get_snapshot,
    publish_snapshot,
    read_sources,
)

__all__ = (
    "CALL",
    "KEY_PURPOSE",
    "SUBJECTS_MOST",
    "Answer",
    "Asker",
    "Asking",
    "BadPolicy",
    "CallAnswer",
    "CallId",
    "CallIdUsed",
    "CallRequest",
    "CallsMetered",
    "Characters",
    "CountPolicy",
    "Desk",
    "Enumerating",
    "Enumeration",
    "Evidence",
    "Explained",
    "Form",
    "GateBusy",
    "Matching",
    "MeterBatchId",
    "MeteredCall",
    "NotHolder",
    "NotPublished",
    "OpenFilePolicy",
    "OtherProduct",
    "OverQuota",
    "Policy",
    "Predicate",
    "Product",
    "ProductDefined",
    "ProductHeld",
    "ProductId",
    "ProductNotFound",
    "ProductWithdrawn",
    "PurposeUnknown",
    "Relation",
    "Reply",
    "Sample",
    "Snapshot",
    "SnapshotId",
    "Subject",
    "SubjectAnswer",
    "SubjectShape",
    "VerificationPolicy",
    "Waiting",
    "WrongPurpose",
    "build_snapshot",
    "check_may_publish",
    "check_policy",
    "define_product",
    "drop_old_replies",
    "fields_of",
    "find_asker",
    "find_batch_calls",
    "find_calls",
    "find_columns",
    "find_products",
    "find_sealed_key",
    "find_snapshots",
    "find_tables",
    "find_titles",
    "get_product",
    "get_snapshot",
    "look_through_products",
    "parse_policy",
    "policy_of",
    "publish_snapshot",
    "read_open_file",
    "read_sources",
    "revise_product",
    "settle_abandoned",
    "settle_by_meter",
    "settle_overdue",
    "tell_policy",
    "withdraw_product",
)
