# SPDX-License-Identifier: Apache-2.0
"""An installation with loaded tables, an operator with product grants, and a bank that may call."""

import csv
import hashlib
import io
from contextlib import contextmanager
from pathlib import Path

from lingqu import gate, ledger, rights, supply, trust
from lingqu.gate import datasets, lists
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.runtime import new_id
from lingqu.runtime.engine import Engine
from lingqu.runtime.jobs import JobRegistry
from lingqu.runtime.keys import Keyring, Unlock, create_key_file
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode, collection
from lingqu.trust import LOCAL_ADMINISTRATOR, holds

SLICES = Path(supply.__file__).parents[1] / "cli" / "slices" / "45"
CREDIT = "industry.finance.credit"


def slice_rows(name):
    with (SLICES / f"{name}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def shape(length):
    """Keys of so many digits."""
    return gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=length, longest=length)


def _nothing(_context, job):
    """The queue is tried where queues are; here a job is only queued."""


class World:
    """Acts in one installation, in short words."""

    def __init__(self, place, folder):
        self.place, self.folder = place, folder
        create_key_file(folder / "key")
        self.keyring = Keyring.open(folder / "keys", Unlock.from_key_file(folder / "key"))
        self.engine = Engine(folder=folder / "copies", workers=2, spares=1)
        self.operator, self.buyer = (
            place.party("〈运营公司〉（演示）"),
            place.party("〈银行〉（演示）"),
        )
        self.operating = place.account(self.operator, role=trust.Role.OPERATOR)
        self.banker = place.account(self.buyer, role=trust.Role.BUYER)
        self.do = place.do
        self.do(
            ledger.register_currency, currency=gate.CALL, scale=0, name_zh="次", name_en="calls"
        )
        self.root = self._root()

    def _root(self):
        ground = new_id(rights.GroundId)
        self.do(
            rights.record_ground,
            ground=ground,
            kind=rights.GroundKind.DUTY,
            title="授权运营协议",
            party=self.operator,
            evidence=hashlib.sha256(b"agreement").digest(),
            articles=("《公共数据资源授权运营实施规范（试行）》第九条",),
        )
        return self.do(
            rights.issue_root,
            grant=new_id(rights.GrantId),
            ground=ground,
            holder=self.operator,
            kind=rights.GrantKind.OPERATING,
            terms=TermsForm(),
            quotas=(rights.Quantity(currency=gate.CALL, amount=1_000_000_000),),
        )

    def load(self, item, rows, *, level=1):
        """Describe, grade and load a table; gives its resource."""
        body = self.place.party(f"〈{item}〉（演示）")
        duty = new_id(supply.DutyId)
        self.do(supply.register_duty, duty=duty, body=body, item=item, basis="三定", territory="45")
        names = list(rows[0])
        resource = new_id(supply.ResourceId)
        self.do(
            supply.describe_resource,
            resource=resource,
            duty=duty,
            description=Description(
                title=item,
                summary=item,
                frequency=Frequency.YEARLY,
                mode=Mode.PHYSICAL,
                sharing=Access.UNCONDITIONAL,
                opening=Access.UNCONDITIONAL,
                fields=tuple(Field(name=n, label=n, kind=FieldKind.TEXT) for n in names),
            ),
        )
        self.do(supply.grade_resource, resource=resource, level=level, reason="公开")
        self.deliver(resource, rows)
        return resource

    def deliver(self, resource, rows):
        """Load rows as the next version of a resource's table, in place of those before."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        load = new_id(collection.LoadId)
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            plan = collection.plan_load(tx, load=load, resource=resource, source=None)
        landed = collection.land_delivery(
            collection.read_delivery("x.csv", text.getvalue().encode(), fields=plan.fields),
            load=load,
            resource=resource,
            fields=plan.fields,
            mode=collection.LoadMode.REPLACE,
            current=plan.current,
            tables=self.folder / "tables",
            engine=self.engine,
            entity_key=b"k" * 32,
        )
        self.do(collection.record_load, load=load, resource=resource, source=None, landed=landed)

    def with_jobs(self, command, **arguments):
        """Do a command of the bank that queues a job."""
        jobs = JobRegistry()
        jobs.job(lists.JOB)(_nothing)
        database = self.place.open(jobs=jobs)
        try:
            return trust.execute(
                database, command, self.banker, new_id(trust.CommandId), **arguments
            )
        finally:
            database.close()

    def grant(self, parent, *, kind=rights.GrantKind.USING, holder=None, calls=0, **terms):
        return self.do(
            rights.issue_grant,
            grant=new_id(rights.GrantId),
            parent=getattr(parent, "id", parent),
            holder=holder or self.buyer,
            kind=kind,
            terms=TermsForm(**terms),
            quotas=(rights.Quantity(currency=gate.CALL, amount=calls),) if calls else (),
        )

    def product(self, policy, *, form=gate.Form.VERIFICATION, calls=1_000_000, publish=True):
        """Define a product under a grant of exactly its columns, and publish its snapshot."""
        held = self.grant(
            self.root,
            kind=rights.GrantKind.OPERATING,
            holder=self.operator,
            calls=calls,
            fields=gate.fields_of(policy),
        )
        made = self.do(
            gate.define_product,
            self.operating,
            product=new_id(gate.ProductId),
            grant=held.id,
            form=form,
            title="号段归属核验",
            summary="号段是否属于某市",
            policy=policy,
        )
        return self.publish(made.id) if publish else made

    def build(self, product):
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            found = gate.get_product(tx, product)
            sealed = gate.find_sealed_key(tx, product)
            tables = gate.find_tables(tx, found, tables=self.folder / "tables")
            heads = datasets.find_datasets(tx, tables)
        return gate.build_snapshot(
            found,
            tables=tables,
            engine=self.engine,
            keyring=self.keyring,
            sealed=sealed,
            folder=self.folder / "gate",
            datasets=heads,
        )

    def publish(self, product):
        self.do(
            gate.publish_snapshot,
            self.operating,
            snapshot=new_id(gate.SnapshotId),
            product=product,
            built=self.build(product),
        )
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            return gate.get_product(tx, product)

    def desk(self):
        return gate.Desk(self.place.database, self.keyring, self.folder / "gate")

    def buy(self, product, *, calls=1_000, purpose=CREDIT, holder=None, **terms):
        """A using grant below the product's, of the bank or of another party."""
        purposes = ScopeForm(allowed=(purpose,))
        return self.grant(product.grant_id, calls=calls, holder=holder, purposes=purposes, **terms)

    def request(self, product, grant, *subjects, **changes):
        given = {
            "call": new_id(gate.CallId),
            "grant": grant.id,
            "product": product.id,
            "purpose": CREDIT,
            "subjects": tuple(gate.Subject(key=k, value=v) for k, v in subjects),
        }
        return gate.CallRequest(**given | changes)

    def hears(self, desk, product, grant, subject, code):
        """Poll until a desk has heard of a revocation or a hold, or of its end (None)."""
        request = self.request(product, grant, subject)
        for _ in range(2000):
            with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
                told = desk.explain(tx, request, may_call=True)
            if told.code == code:
                return
        raise AssertionError(f"never heard of {code}: {told.code}")

    @property
    def asker(self):
        return gate.Asker(account=self.banker.account, may_call=True)

    def hold(self, subject):
        return self.do(
            holds.place_hold,
            hold=new_id(holds.HoldId),
            subject=str(subject),
            reason=holds.HoldReason.SUPERVISION,
            article="网络数据安全管理条例 第五十二条",
        )

    def left(self, grant):
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            (state,) = rights.quantities.get_quota(tx, grant.id)
        return state.available, state.reserved


@contextmanager
def opened_world(place_type, trust_server, folder):
    place = place_type(trust_server)
    place.found()
    world = World(place, folder)
    try:
        yield world
    finally:
        world.engine.close()
        place.close()
