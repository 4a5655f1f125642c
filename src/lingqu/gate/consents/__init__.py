# SPDX-License-Identifier: Apache-2.0
"""同意 consents: persons who let a party ask about them, and the register the gate looks in.

`record_consent` puts one on record, `withdraw_consent` ends it at once; `find_agreed` is what a
window is decided on.
"""

from lingqu.gate.consents.register import (
    BadConsent,
    Consent,
    ConsentId,
    find_agreed,
    find_consents,
    record_consent,
    withdraw_consent,
)

__all__ = (
    "BadConsent",
    "Consent",
    "ConsentId",
    "find_agreed",
    "find_consents",
    "record_consent",
    "withdraw_consent",
)
