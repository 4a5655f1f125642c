# SPDX-License-Identifier: Apache-2.0
"""What a listing needs of the registry: the product, the grant and the validity behind a code."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import rights, trust
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.rights import registry
from lingqu.runtime import Tx


class NotRegistered(errors.Conflict):
    """No product stands in the registry under this code now."""

    code = "market.listing.not_registered"
    article = "《公共数据资源授权运营实施规范（试行）》（发改数据规〔2025〕27号）第十六条"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredProduct:
    """A product that stands in the registry."""

    registration: str
    product: str
    applicant: trust.PartyId
    grant: rights.GrantId
    valid_until: Instant


def require_product(tx: Tx, code: str) -> RegisteredProduct:
    """This will give the product registered under a code, in force now; raises NotRegistered."""
    try:
        found = registry.find_by_code(tx, code)
    except registry.CodeUnknown:
        raise NotRegistered(code=code[:40]) from None
    product = found.kind is registry.RegistrationKind.PRODUCT
    if not product or not found.is_in_force(tx.now) or found.grant is None:
        raise NotRegistered(code=code[:40])
    assert found.valid_until is not None, "what is in force has its period"
    return RegisteredProduct(
        registration=found.id,
        product=found.subject,
        applicant=found.applicant,
        grant=found.grant,
        valid_until=found.valid_until,
    )
