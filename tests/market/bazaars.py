# SPDX-License-Identifier: Apache-2.0
"""A venue with its people, a product somebody may offer, and ways to bring it to a contract."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta, timezone

from lingqu import ledger, market, rights, trust
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import Period
from lingqu.market import listings, prices
from lingqu.rights import registry
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM, Role, identity, procedures, rulebook
from lingqu.trust.identity.organizations import demonstration_code

CHINA = timezone(timedelta(hours=8))
BEGIN = date(2026, 3, 2)
FILE = procedures.GivenFile(name="材料.pdf", sha256="ab" * 32, size=7)
FEES = market.FeeSchedule(unit_price_minor=50, free_calls=2)


def at(day, hour=10):
    """A moment on a local day."""
    return datetime.combine(day, time(hour), CHINA).astimezone(UTC)


def digest(text):
    return hashlib.sha256(text.encode()).digest()


class Bazaar:
    """One installation on a story clock, with a venue and everybody who acts at it."""

    FORM = listings.ProductForm.VERIFICATION

    def __init__(self, place):
        self.place = place
        self.day = BEGIN
        place.found(story_from=at(BEGIN))
        place.database.use_story_clock(story=True)
        self.numbers = iter(range(1, 10_000))
        self.venue, self.staff = self.organization("〈北部湾大数据交易中心〉（演示）", Role.VENUE)
        self.seller, self.operator = self.organization("〈桂数运营〉（演示）", Role.OPERATOR)
        self.buyer, self.banker = self.organization("〈漓江银行〉（演示）", Role.BUYER)
        self.body, self.implementer = self.organization("〈数据局〉（演示）", Role.IMPLEMENTER)
        self.bureau, self.pricer = self.organization("〈发展改革委〉（演示）", Role.PRICE_AUTHORITY)
        self.registry, first = self.organization("〈数据登记中心〉（演示）", Role.CLERK)
        others = (self.another(self.registry, Role.REVIEWER) for _ in range(2))
        self.registrars = (first, *others)
        self.do(
            registry.name_registrar,
            registrar=new_id(registry.RegistrarId),
            party=self.registry,
            registry=registry.Registry.PUBLIC,
            area="45",
            number=1,
        )
        self.clerk = self.another(self.venue, Role.CLEARING)
        self.do(market.open_venue, venue=self.venue)
        names = {"zh": "次", "en": "calls"}
        self.do(
            ledger.register_currency,
            currency=market.CALL,
            scale=0,
            name_zh=names["zh"],
            name_en=names["en"],
        )

    def do(self, *words, **named):
        return self.place.do(*words, **named)

    def read(self, query, *words, caller=LOCAL_ADMINISTRATOR, **named):
        with self.place.database.reading(caller) as tx:
            return query(tx, *words, **named)

    def organization(self, name, role):
        party = new_id(trust.PartyId)
        self.do(
            identity.register_organization,
            party=party,
            name=name,
            kind=identity.OrganizationKind.ENTERPRISE,
            region="450100",
            code=demonstration_code(next(self.numbers)),
        )
        return party, self.place.account(party, role=role)

    def another(self, party, role):
        return self.place.account(party, role=role)

    def go(self, day, hour=10):
        """Move the story clock to a local day, and let the clocks act that ran out."""
        self.do(trust.move_story_clock, to=at(day, hour))
        self.day = day
        procedures.fire_due_timers(self.place.database, PLATFORM)

    def pass_days(self, count):
        self.go(self.day + timedelta(days=count))

    def admit(self, party, caller, *roles):
        """Apply and be admitted."""
        kind = market.CommitmentKind.MEMBER
        made = self.do(
            market.apply_membership,
            caller,
            member=new_id(market.MemberId),
            venue=self.venue,
            party=party,
            roles=roles,
            material=digest("营业执照"),
            commitment=market.get_commitment(kind).digest,
        )
        return self.do(
            market.admit_member, self.staff, member=made.id, opinion="材料齐全，准予入场。"
        )

    def product(
        self, *, purposes=("industry.finance", "welfare"), until=date(2029, 1, 1), calls=10**6
    ):
        """A product with its grant, registered; gives its id and its code."""
        ground = self.do(
            rights.record_ground,
            ground=new_id(rights.GroundId),
            kind=rights.GroundKind.CONTRACT,
            title="授权运营协议",
            party=self.body,
            evidence=digest("agreement"),
            articles=("发改数据规〔2025〕27号 第十条",),
        )
        root = self.do(
            rights.issue_root,
            grant=new_id(rights.GrantId),
            ground=ground.id,
            holder=self.seller,
            kind=rights.GrantKind.OPERATING,
            terms=TermsForm(
                purposes=ScopeForm(allowed=purposes), valid=Period(at(BEGIN), at(until))
            ),
            quotas=(rights.Quantity(currency=market.CALL, amount=calls),),
        )
        product, grant = self.make_product(root)
        return product, self.register(product, grant), grant

    def make_product(self, root):
        """The id of a product and the grant it stands on; the market asks no more of one."""
        return f"prd_{next(self.numbers):026d}", root.id

    def register(self, product, grant):
        """Register a product: apply, review by two people, publicity, code."""
        listed = rulebook.open_rulebook().items("registration.first_materials")
        made = self.do(
            registry.apply_registration,
            self.operator,
            registration=new_id(registry.RegistrationId),
            kind=registry.RegistrationKind.PRODUCT,
            subject=product,
            applicant=self.seller,
            registrar=self.registry,
            title="行政区划代码时效核验",
            summary="核验区划代码在某日是否有效。",
            materials=tuple(
                rights.Statement(item=one.code, text=f"{one.zh}：见附件。") for one in listed
            ),
            evidence=digest("存证"),
            files=(FILE,),
            grant=grant,
        )
        for at_desk, move in (
            (0, "accept"), (0, "draft_decision"), (0, "decision.present"), (1, "decision.agree"),
            (2, "decision.sign"),
        ):  # fmt: skip
            self.move(self.registrars[at_desk], made.procedure, move)
        self.pass_days(20)
        coded = self.do(registry.code_registration, self.registrars[0], registration=made.id)
        return coded.code

    def move(self, caller, procedure, name):
        """Make a move that changes nothing but the procedure."""
        view = self.read(procedures.get_procedure, procedure)
        self.do(
            procedures.move_procedure,
            caller,
            procedure=procedure,
            move=name,
            version=view.procedure.version,
            opinion="同意。",
            reason="依据充分。",
            files=(FILE,),
        )

    def trial(self, product, *, fees=FEES, since=None):
        """A published trial fee."""
        price = new_id(prices.PriceId)
        self.do(
            prices.apply_trial_price,
            self.operator,
            price=price,
            product=product,
            seller=self.seller,
            authorizer=self.body,
            operating_since=since or self.day,
            fees=fees,
        )
        self.do(prices.agree_trial_price, self.implementer, price=price, opinion="同意试行。")
        return self.do(prices.publish_price, self.operator, price=price, fees=fees)

    def apply(self, code, *, title="行政区划代码时效核验", summary="核验区划代码在某日是否有效"):
        return self.do(
            listings.apply_listing,
            self.operator,
            listing=new_id(listings.ListingId),
            venue=self.venue,
            code=code,
            offer=listings.Offer(title=title, summary=summary, form=self.FORM),
        )

    def listed(self, *, fees=FEES, **named):
        """A product in the catalog, from nothing."""
        words = {name: named.pop(name) for name in ("title", "summary") if name in named}
        product, code, _ = self.product(**named)
        self.trial(product, fees=fees)
        made = self.apply(code, **words)
        self.do(listings.publicize_listing, self.staff, listing=made.id, opinion="合规审查通过。")
        self.pass_days(4)
        self.do(listings.certify_listing, self.staff, listing=made.id)
        return self.do(listings.put_up_listing, self.staff, listing=made.id)

    def pay_in(self, amount, *, party=None, reference=None):
        return self.do(
            market.record_deposit,
            self.clerk,
            deposit=new_id(market.DepositId),
            venue=self.venue,
            party=party or self.buyer,
            direction=market.Direction.IN,
            amount=amount,
            reference=reference or f"BANK{next(self.numbers)}",
            paid_on=self.day,
        )

    def terms(self, **changes):
        given = {
            "purposes": ("industry.finance.credit",),
            "quota": 100,
            "starts_at": at(self.day),
            "ends_at": at(self.day + timedelta(days=90)),
            "duties": (
                rights.Duty(
                    kind=rights.ObligationKind.DELETE, days=30, starts=rights.ClockStart.ENDED
                ),
            ),
        }
        return market.ContractTerms(**given | changes)

    def propose(self, listing, *, caller=None, **changes):
        return self.do(
            market.propose_contract,
            caller or self.banker,
            contract=new_id(market.ContractId),
            listing=listing.id,
            buyer=self.buyer,
            terms=self.terms(**changes),
            commitment=market.get_commitment(market.CommitmentKind.USE).digest,
        )

    def sign(self, contract, side, *, digest=None):
        party, caller = {
            "buyer": (self.buyer, self.banker),
            "seller": (self.seller, self.operator),
        }[side]
        return self.do(
            market.sign_contract,
            caller,
            contract=contract.id,
            party=party,
            digest=digest or contract.digest,
        )

    def in_force(self, listing, **changes):
        made = self.propose(listing, **changes)
        self.sign(made, "buyer")
        return self.sign(made, "seller")

    def funds(self, party=None):
        return self.read(market.get_funds, venue=self.venue, party=party or self.buyer)
