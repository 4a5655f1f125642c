# SPDX-License-Identifier: Apache-2.0
"""Hides how an installation on real time gets a product that is registered: two months ago."""

import hashlib
from contextlib import contextmanager
from datetime import timedelta

from lingqu import rights, trust
from lingqu.kernel.lattice import TermsForm
from lingqu.rights import registry
from lingqu.runtime import REAL_TIME, Caller, new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM, Role, identity, procedures, rulebook
from lingqu.trust.identity.organizations import demonstration_code

DIGEST = hashlib.sha256(b"material").digest()
FILE = procedures.GivenFile(name="材料.pdf", sha256="ab" * 32, size=7)
DESKS = (
    (0, "accept"), (0, "draft_decision"), (0, "decision.present"), (1, "decision.agree"),
    (2, "decision.sign"),
)  # fmt: skip


class _Earlier:
    """The time of so long ago."""

    def __init__(self, by):
        self.by = by

    def now(self):
        return REAL_TIME.now() - self.by


@contextmanager
def earlier(database, by):
    """Let a database take the time of so long ago for now."""
    real, database.time = database.time, _Earlier(by)
    try:
        yield
    finally:
        database.time = real


def register_product(database, product):
    """Register a product as its applicant and a registrar with three people do; gives its code."""

    def do(command, caller=LOCAL_ADMINISTRATOR, **named):
        return trust.execute(database, command, caller, new_id(trust.CommandId), **named)

    def person(party, role):
        account = new_id(trust.AccountId)
        do(trust.open_account, account=account, party=party, kind=trust.AccountKind.PERSON)
        do(
            trust.assign_role,
            assignment=new_id(trust.AssignmentId),
            account=account,
            role=role,
            party=party,
        )
        return Caller(account=account, channel="web")

    def organization(name, number):
        party = new_id(trust.PartyId)
        do(
            identity.register_organization,
            party=party,
            name=name,
            kind=identity.OrganizationKind.ENTERPRISE,
            region="450700",
            code=demonstration_code(number),
        )
        return party

    with earlier(database, timedelta(days=60)):
        seller, center = (
            organization("〈运营机构〉（演示）", 91),
            organization("〈登记中心〉（演示）", 92),
        )
        clerks = [person(center, one) for one in (Role.CLERK, Role.REVIEWER, Role.REVIEWER)]
        do(
            registry.name_registrar,
            registrar=new_id(registry.RegistrarId),
            party=center,
            registry=registry.Registry.PUBLIC,
            area="45",
            number=1,
        )
        ground = do(
            rights.record_ground,
            ground=new_id(rights.GroundId),
            kind=rights.GroundKind.CONTRACT,
            title="授权运营协议",
            party=seller,
            evidence=DIGEST,
            articles=("发改数据规〔2025〕27号 第十条",),
        )
        root = do(
            rights.issue_root,
            grant=new_id(rights.GrantId),
            ground=ground.id,
            holder=seller,
            kind=rights.GrantKind.OPERATING,
            terms=TermsForm(),
        )
        listed = rulebook.open_rulebook().items("registration.first_materials")
        made = do(
            registry.apply_registration,
            person(seller, Role.OPERATOR),
            registration=new_id(registry.RegistrationId),
            kind=registry.RegistrationKind.PRODUCT,
            subject=product,
            applicant=seller,
            registrar=center,
            title="乡镇区划代码核验",
            summary="核验一个九位代码在某日是否有效。",
            materials=tuple(
                rights.Statement(item=one.code, text=f"{one.zh}：见附件。") for one in listed
            ),
            evidence=DIGEST,
            files=(FILE,),
            grant=root.id,
        )
        for desk, move in DESKS:
            with database.reading(LOCAL_ADMINISTRATOR) as tx:
                version = procedures.get_procedure(tx, made.procedure).procedure.version
            do(
                procedures.move_procedure,
                clerks[desk],
                procedure=made.procedure,
                move=move,
                version=version,
                opinion="同意。",
                reason="依据充分。",
                files=(FILE,),
            )
    with earlier(database, timedelta(days=20)):
        procedures.fire_due_timers(database, PLATFORM)
        return do(registry.code_registration, clerks[0], registration=made.id).code
