# SPDX-License-Identifier: Apache-2.0
"""登记 the two registries: 公共数据资源登记 and 数据产权登记, one mechanism in two configurations.

Who holds or operates something **applies** at a named **registrar** with the materials the rule
lists; acceptance, review, publicity and objections run on the charts `registration.public` and
`registration.property` of `trust.procedures`, whose moves people make there. Here are the commands
that change more: applying, supplementing, objecting, renewing, and giving the **code**
(登记结果查询码 or 登记凭证编号). The state of a registration is that of its procedure. By its code
everybody can look one up; a certificate carries the code as QR.
"""

from pathlib import Path

from lingqu.rights.registry.applying import (
    EvidenceMissing,
    GovernmentData,
    NotTheirs,
    RegistrationOpen,
    apply_registration,
    object_to_registration,
    supplement_registration,
)
from lingqu.rights.registry.certificates import (
    PublicEntry,
    certificate_paper,
    public_entry,
)
from lingqu.rights.registry.changes import (
    ChangeId,
    ChangeKind,
    NotInForce,
    RegistrationChange,
    apply_change,
    find_changes,
    record_change,
)
from lingqu.rights.registry.coding import (
    code_registration,
    renew_registration,
)
from lingqu.rights.registry.registrars import (
    Registrar,
    RegistrarId,
    Registry,
    end_registrar,
    find_registrars,
    name_registrar,
)
from lingqu.rights.registry.registrations import (
    CodeUnknown,
    Registration,
    RegistrationId,
    RegistrationKind,
    RegistrationNotFound,
    RegistrationState,
    find_by_code,
    find_by_subject,
    find_filed,
    find_published,
    find_registrations,
    get_registration,
    look_through_published,
    look_through_registrations,
)
from lingqu.trust import procedures

CHARTS = procedures.provide_charts(Path(__file__).parent / "charts")
"""The chart of changes; those of the registries themselves are shipped with `procedures`."""

__all__ = (
    "CHARTS",
    "ChangeId",
    "ChangeKind",
    "CodeUnknown",
    "EvidenceMissing",
    "GovernmentData",
    "NotInForce",
    "NotTheirs",
    "PublicEntry",
    "Registrar",
    "RegistrarId",
    "Registration",
    "RegistrationChange",
    "RegistrationId",
    "RegistrationKind",
    "RegistrationNotFound",
    "RegistrationOpen",
    "RegistrationState",
    "Registry",
    "apply_change",
    "apply_registration",
    "certificate_paper",
    "code_registration",
    "end_registrar",
    "find_by_code",
    "find_by_subject",
    "find_changes",
    "find_filed",
    "find_published",
    "find_registrars",
    "find_registrations",
    "get_registration",
    "look_through_published",
    "look_through_registrations",
    "name_registrar",
    "object_to_registration",
    "public_entry",
    "record_change",
    "renew_registration",
    "supplement_registration",
)
