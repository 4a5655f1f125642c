# SPDX-License-Identifier: Apache-2.0
"""A region with its offices on a story clock: bodies, an operator, a registrar, people."""

import hashlib
from datetime import UTC, datetime, time, timedelta, timezone

from lingqu import ledger, rights, supply, trust
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import operation, registry
from lingqu.rights.quantities import Quantity
from lingqu.runtime import new_id
from lingqu.trust import PLATFORM, identity, procedures, rulebook
from lingqu.trust.identity.organizations import demonstration_code
from lingqu.trust.procedures import GivenFile

CHINA = timezone(timedelta(hours=8))
FILE = GivenFile(name="会议纪要.pdf", sha256="ab" * 32, size=7)
NAMES = {
    "body": "钦州市数据局（演示）",
    "authority": "钦州市人民政府（演示）",
    "department": "自治区数据局（演示）",
    "operator": "北部湾数据运营公司（演示）",
    "registrar": "自治区数据登记中心（演示）",
    "other": "邻市数据公司（演示）",
    "provider": "钦州市民政局（演示）",
}


def digest(text):
    return hashlib.sha256(text.encode()).digest()


def at(day, hour=10):
    return datetime.combine(day, time(hour), CHINA).astimezone(UTC)


def only(*allowed):
    return ScopeForm(allowed=allowed)


class Region:
    """One installation, its offices, and short words for what they do."""

    def __init__(self, place, day):
        self.place, self.day = place, day
        place.found(story_from=at(day))
        place.database.use_story_clock(story=True)
        self.parties, self.people = {}, {}
        for number, (role, name) in enumerate(NAMES.items()):
            party = new_id(trust.PartyId)
            place.do(
                identity.register_organization,
                party=party,
                name=name,
                kind=identity.OrganizationKind.ENTERPRISE,
                region="450700",
                code=demonstration_code(number),
            )
            self.parties[role] = party
            self.people[role] = place.account(party, role=trust.Role.MEMBER)
        self.registrar("public")
        self.resource = self.describe("body")
        place.do(
            ledger.register_currency,
            currency="CALL",
            scale=0,
            name_zh="调用次数",
            name_en="calls",
        )
        self.root = self.found_root()

    def go(self, day, hour=10):
        """Move the story clock to a local day, and let the clocks act that ran out."""
        if day > self.day:
            self.place.do(trust.move_story_clock, to=at(day, hour))
        self.day = day
        procedures.fire_due_timers(self.place.database, PLATFORM)

    def do(self, role, command, **named):
        return self.place.do(command, self.people[role], **named)

    def read(self, function, *given, role=None, **named):
        caller = trust.LOCAL_ADMINISTRATOR if role is None else self.people[role]
        with self.place.database.reading(caller) as tx:
            return function(tx, *given, **named)

    def move(self, role, matter, move, **given):
        """Make a move of the matter's procedure that changes nothing else."""
        view = self.read(procedures.get_procedure, matter.procedure)
        more = {"opinion": "同意。", "reason": "依据充分。", "files": (FILE,)} | given
        return self.do(
            role,
            procedures.move_procedure,
            procedure=matter.procedure,
            move=move,
            version=view.procedure.version,
            **more,
        )

    def registrar(self, kind, number=1):
        return self.place.do(
            registry.name_registrar,
            registrar=new_id(registry.RegistrarId),
            party=self.parties["registrar"],
            registry=registry.Registry(kind),
            area="45",
            number=number,
        )

    def describe(self, role, item="行政区划代码"):
        duty = new_id(supply.DutyId)
        self.place.do(
            supply.register_duty,
            duty=duty,
            body=self.parties[role],
            item=item,
            basis="职责清单",
            territory="450700",
        )
        made = self.do(
            role,
            supply.describe_resource,
            resource=new_id(supply.ResourceId),
            duty=duty,
            description=supply.Description(
                title=item,
                summary="代码与名称。",
                frequency=supply.Frequency.YEARLY,
                mode=supply.Mode.PHYSICAL,
                sharing=supply.Access.UNCONDITIONAL,
                opening=supply.Access.UNCONDITIONAL,
                fields=(
                    supply.Field(name="code", label="代码", kind=supply.FieldKind.TEXT),
                    supply.Field(name="name", label="名称", kind=supply.FieldKind.TEXT),
                ),
            ),
        )
        return made.id

    def found_root(self, role="body", calls=1_000_000):
        ground = self.place.do(
            rights.record_ground,
            ground=new_id(rights.GroundId),
            kind=rights.GroundKind.DUTY,
            title="区划代码管理职责",
            party=self.parties[role],
            evidence=digest("职责"),
        )
        made = self.place.do(
            rights.issue_root,
            grant=new_id(rights.GrantId),
            ground=ground.id,
            holder=self.parties[role],
            kind=rights.GrantKind.HOLDING,
            terms=TermsForm(territories=only("china")),
            quotas=(Quantity(currency="CALL", amount=calls),),
        )
        return made.id

    @staticmethod
    def items(rule, but=()):
        listed = rulebook.open_rulebook().items(rule)
        return tuple(
            rights.Statement(item=one.code, text=f"{one.zh}：见附件。")
            for one in listed
            if one.code not in but
        )

    def plan(self, **changes):
        given = {
            "title": "区划代码授权运营",
            "mode": operation.Mode.BY_SCENARIO,
            "term_months": 36,
            "resources": (self.resource,),
            "root": self.root,
            "items": self.items("operation.scheme_items"),
        }
        return operation.Plan(**given | changes)

    def draft_scheme(self, **changes):
        return self.do(
            "body",
            operation.draft_scheme,
            scheme=new_id(operation.SchemeId),
            body=self.parties["body"],
            authority=self.parties["authority"],
            department=self.parties["department"],
            plan=self.plan(**changes),
        )

    def filed_scheme(self, **changes):
        scheme = self.draft_scheme(**changes)
        self.move("body", scheme, "present")
        self.move("authority", scheme, "approve")
        self.move("department", scheme, "file")
        return scheme

    def selected(self, scheme, days):
        made = self.do(
            "body",
            operation.open_selection,
            selection=new_id(operation.SelectionId),
            scheme=scheme.id,
            way=operation.Way.OPEN_TENDER,
        )
        self.do(
            "body",
            operation.choose_operator,
            selection=made.id,
            operator=self.parties["operator"],
            opinion="综合评分第一。",
            files=(FILE,),
        )
        self.go(self.day + days)
        return made

    def offer(self, **changes):
        given = {
            "title": "区划代码授权运营协议",
            "term_months": 24,
            "resources": (self.resource,),
            "terms": TermsForm(
                purposes=only("industry"),
                territories=only("450000"),
                fields=(f"{self.resource}.code", f"{self.resource}.name"),
            ),
            "items": self.items("operation.agreement_items"),
            "quotas": (Quantity(currency="CALL", amount=100_000),),
        }
        return operation.Offer(**given | changes)

    def draft_agreement(self, selection, **changes):
        return self.do(
            "body",
            operation.draft_agreement,
            agreement=new_id(operation.AgreementId),
            selection=selection.id,
            offer=self.offer(**changes),
        )

    def sign(self, role, agreement):
        return self.do(
            role, operation.sign_agreement, agreement=agreement.id, digest=agreement.digest
        )

    def file(self, agreement, role="department"):
        return self.do(
            role,
            operation.file_agreement,
            agreement=agreement.id,
            grant=new_id(rights.GrantId),
            ground=new_id(rights.GroundId),
        )

    def operated(self, **changes):
        """A filed agreement, with everything before it."""
        selection = self.selected(self.filed_scheme(), timedelta(days=14))
        agreement = self.draft_agreement(selection, **changes)
        self.move("body", agreement, "decide")
        self.sign("body", agreement)
        self.sign("operator", agreement)
        return self.file(agreement)

    def product_grant(self, agreement, valid=None):
        return self.do(
            "operator",
            rights.issue_grant,
            grant=new_id(rights.GrantId),
            parent=agreement.grant,
            holder=self.parties["operator"],
            kind=rights.GrantKind.OPERATING,
            terms=TermsForm(
                fields=(f"{self.resource}.code",),
                valid=valid,
            ),
        ).id

    def apply(self, role, kind="resource", **changes):
        named = registry.RegistrationKind(kind)
        rule = "property.first_fields" if kind == "property" else "registration.first_materials"
        given = {
            "registration": new_id(registry.RegistrationId),
            "kind": named,
            "subject": self.resource,
            "applicant": self.parties[role],
            "registrar": self.parties["registrar"],
            "title": "钦州市行政区划代码",
            "summary": "各级行政区划代码及名称。",
            "materials": self.items(rule),
            "evidence": digest("存证"),
            "files": () if kind == "property" else (FILE,),
        }
        return self.do(role, registry.apply_registration, **given | changes)

    def published(self, made):
        """Accept, review, decide by two people, publish."""
        second = self.people.setdefault("second", self.colleague("registrar"))
        third = self.people.setdefault("third", self.colleague("registrar"))
        assert second is not third
        self.move("registrar", made, "accept")
        self.move("registrar", made, "draft_decision")
        self.move("registrar", made, "decision.present")
        self.move("second", made, "decision.agree")
        self.move("third", made, "decision.sign")

    def colleague(self, role):
        return self.place.account(self.parties[role], role=trust.Role.MEMBER)

    def registered(self, role, kind="resource", **changes):
        made = self.apply(role, kind, **changes)
        self.published(made)
        self.go(self.day + timedelta(days=30))
        return self.do("registrar", registry.code_registration, registration=made.id)

    def grant_until(self, agreement, end):
        return self.product_grant(agreement, valid=Period(agreement.effective_at, end))
