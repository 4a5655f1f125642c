# SPDX-License-Identifier: Apache-2.0
"""Hides which format the document of a policy came in."""

from __future__ import annotations

import enum
from typing import Any

from lingqu.kernel import canon
from lingqu.kernel.lattice import Vocabulary
from lingqu.rights.odrl import from_odrl, to_odrl
from lingqu.rights.policies import Policy, PolicyUnreadable, read_document
from lingqu.rights.tc609 import from_tc609, to_tc609


class PolicyFormat(enum.Enum):
    """The formats of policies that are read and written."""

    ODRL = "odrl"
    TC609 = "tc609"


def read_policy(data: bytes | str, *, vocabulary: Vocabulary) -> tuple[PolicyFormat, Policy]:
    """This will read a document in either format; what has no exact meaning here is refused.

    Raises the refusals of policies: each has a `place` (JSON pointer), most a `reason`, which
    `explain_reason` puts into words.
    """
    document = read_document(data)
    if "@context" in document:
        return PolicyFormat.ODRL, from_odrl(document, vocabulary=vocabulary)
    if "contractPolicies" in document:
        return PolicyFormat.TC609, from_tc609(document, vocabulary=vocabulary)
    raise PolicyUnreadable(reason="format")


def write_policy(policy: Policy, wanted: PolicyFormat) -> dict[str, Any]:
    """This will write a policy in one of the formats. Raises NotExpressible."""
    return to_odrl(policy) if wanted is PolicyFormat.ODRL else to_tc609(policy)


def canonical_bytes(document: dict[str, Any]) -> bytes:
    """This will give the one text of a written policy (RFC 8785), for digests and signatures."""
    return canon.encode(document)
