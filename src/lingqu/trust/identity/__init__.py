# SPDX-License-Identifier: Apache-2.0
"""Who a party is and by what proof its accounts act: everything beyond name, password and key.

**Organisations** have a kind, a unified social credit code whose check character holds, a region
by its division code, and a level. **Mandates** let an account act for a party for a period; where
it may act for several, it chooses (`act_for`). **Signing in**: failed attempts lock a login for a
while (`LockPolicy`), a second factor asks for one-time codes, a login at an identity provider is
linked by issuer and subject. **Machines** act by a key or by a client certificate. Erasing a person
(`erase_party`) empties all of it.
"""

from lingqu.trust.identity.certificates import (
    Certificate,
    CertificateId,
    find_certificates,
    register_certificate,
    revoke_certificate,
)
from lingqu.trust.identity.erasure import erase_party
from lingqu.trust.identity.logins import (
    Attempt,
    LoginLinkId,
    find_login_links,
    keep_attempt,
    link_login,
    sign_in_by_link,
    take_attempt,
    unlink_login,
)
from lingqu.trust.identity.mandates import (
    Mandate,
    MandateId,
    end_mandate,
    find_mandates,
    give_mandate,
)
from lingqu.trust.identity.organizations import (
    Organization,
    OrganizationKind,
    OrganizationLevel,
    describe_organization,
    find_organization,
    get_organization,
    organization_codes,
    register_organization,
)
from lingqu.trust.lockout import LockPolicy, drop_old_failures, unlock_account
from lingqu.trust.second_factor import (
    disable_second_factor,
    enable_second_factor,
    is_prepared,
    prepare_second_factor,
    propose_secret,
)
from lingqu.trust.sessions import (
    CodeAwaited,
    act_for,
    finish_sign_in,
    identify_certificate,
    prove_password,
)

__all__ = (
    "Attempt",
    "Certificate",
    "CertificateId",
    "CodeAwaited",
    "LockPolicy",
    "LoginLinkId",
    "Mandate",
    "MandateId",
    "Organization",
    "OrganizationKind",
    "OrganizationLevel",
    "act_for",
    "describe_organization",
    "disable_second_factor",
    "drop_old_failures",
    "enable_second_factor",
    "end_mandate",
    "erase_party",
    "find_certificates",
    "find_login_links",
    "find_mandates",
    "find_organization",
    "finish_sign_in",
    "get_organization",
    "give_mandate",
    "identify_certificate",
    "is_prepared",
    "keep_attempt",
    "link_login",
    "organization_codes",
    "prepare_second_factor",
    "propose_secret",
    "prove_password",
    "register_certificate",
    "register_organization",
    "revoke_certificate",
    "sign_in_by_link",
    "take_attempt",
    "unlink_login",
    "unlock_account",
)
