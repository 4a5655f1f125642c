# SPDX-License-Identifier: Apache-2.0
"""An installation whose web and hot gate run as processes of their own, with products to ask."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg

from killing import children
from lingqu import errands, gate, ledger, rights, supply, trust
from lingqu.gate import governance
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.runtime.postgres import discard_postgres, open_postgres
from lingqu.runtime.settings import load_settings
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode
from lingqu.wiring import initialize, open_app

ORIGIN = "lingqu.test/calls"
CREDIT = "industry.finance.credit"
PATH, QUERIES = "/api/v1/gate/calls", "/api/v1/gate/queries"
QUERY = "SELECT kind, count(DISTINCT person) AS n FROM visit WHERE kind <> '{}' GROUP BY kind"
"""What is published of cells does not tell this, so that a worker counts it."""
ROWS, PERSONS, KINDS = 200, 150, ("甲", "乙")
PROGRAM = Path(sys.executable).with_name("lingqu")
QUOTA = 10_000_000
STARTS_WITHIN_S = 240


class Served:
    """One data folder with two products, grants of a buyer for them, and a key of its."""

    def __init__(self, base):
        self.base, self.data = base, base / "data"
        self.settings = load_settings({}, overrides={"data_dir": self.data, "origin": ORIGIN})
        initialize(self.settings, origin=ORIGIN)
        self.server = open_postgres(data_dir=self.data)
        with open_app(self.settings) as app:
            self._found(app)

    def buyer(self, do):
        """A party with its key for machines."""
        party, account, key = new_id(trust.PartyId), new_id(trust.AccountId), trust.new_secret()
        do(trust.register_party, party=party, kind=trust.PartyKind.ORGANIZATION, name="〈银行〉")
        do(trust.open_account, account=account, party=party, kind=trust.AccountKind.MACHINE,
           login=None, password=None)  # fmt: skip
        do(trust.assign_role, assignment=new_id(trust.AssignmentId), account=account,
           role=trust.Role.BUYER, party=party)  # fmt: skip
        do(trust.issue_api_key, api_key=new_id(trust.ApiKeyId), account=account,
           secret=Hidden(key), label="crash")  # fmt: skip
        return party, key

    def granted(self, do, party, **terms):
        """A using grant below the one both products stand on."""
        grant = new_id(rights.GrantId)
        do(rights.issue_grant, grant=grant, parent=self.root, holder=party,
           kind=rights.GrantKind.USING, terms=TermsForm(**terms),
           quotas=(rights.Quantity(currency=gate.CALL, amount=QUOTA),))  # fmt: skip
        return grant

    def _found(self, app):
        def do(what, **values):
            caller = trust.LOCAL_ADMINISTRATOR
            return trust.execute(app.database, what, caller, new_id(trust.CommandId), **values)

        ground, self.root, self.product, self.queried = (
            new_id(kind)
            for kind in (rights.GroundId, rights.GrantId, gate.ProductId, gate.ProductId)
        )
        party, self.key = self.buyer(do)
        do(ledger.register_currency, currency=gate.CALL, scale=0, name_zh="次", name_en="calls")
        do(rights.record_ground, ground=ground, kind=rights.GroundKind.DUTY, title="x",
           party=party, evidence=bytes(32), articles=())  # fmt: skip
        quota = (rights.Quantity(currency=gate.CALL, amount=100 * QUOTA),)
        do(rights.issue_root, grant=self.root, ground=ground, holder=party,
           kind=rights.GrantKind.OPERATING, terms=TermsForm(), quotas=quota)  # fmt: skip
        products = (
            (self.product, gate.Form.VERIFICATION, self._verifying(app, do, party)),
            (self.queried, gate.Form.QUERY, self._counting(app, do, party)),
        )
        for product, form, policy in products:
            do(gate.define_product, product=product, grant=self.root, form=form, title="x",
               summary="x", policy=policy)  # fmt: skip
            errands.publish_product(
                app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), product=product
            )
        self.grant, self.querying = self.granted(do, party), self.granted(do, party)

    def _verifying(self, app, do, party):
        texts = [Field(name=one, label=one, kind=FieldKind.TEXT) for one in ("segment", "city")]
        rows = (f"{one:07},南宁" for one in range(0, ROWS, 2))
        resource = self._table(app, do, party, texts, rows)
        found = (gate.Relation(resource=resource, key="segment", value="city"),)
        return gate.VerificationPolicy(
            subject=gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=7, longest=7),
            predicates=(gate.Predicate(name="city", yes=found),),
        )

    def _counting(self, app, do, party):
        fields = [Field(name=one, label=one, kind=FieldKind.TEXT) for one in ("person", "kind")]
        fields.append(Field(name="amount", label="amount", kind=FieldKind.INTEGER))
        rows = (f"p{one % PERSONS},{KINDS[one % 2]},{one % 9}" for one in range(ROWS))
        resource = self._table(app, do, party, fields, rows)
        column, role = governance.GovernedColumn, governance.Role
        exact = governance.Grid(kind=governance.GridKind.EXACT)
        added = governance.Measure(scale=0, lower=0, upper=9)
        columns = (
            column(name="person", role=role.KEY, type="VARCHAR"),
            column(name="kind", role=role.DIMENSION, type="VARCHAR", grid=exact),
            column(name="amount", role=role.MEASURE, type="BIGINT", measure=added),
        )
        table = governance.GovernedTable(
            name="visit", resource=resource, columns=columns, entity="person", threshold=5
        )
        return governance.QueryPolicy(tables=(table,), modes=(governance.Mode.AD_HOC,))

    def _table(self, app, do, party, fields, rows):
        duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
        do(supply.register_duty, duty=duty, body=party, item=f"x{len(fields)}", basis="x",
           territory="45")  # fmt: skip
        description = Description(
            title="x", summary="x", frequency=Frequency.YEARLY, mode=Mode.PHYSICAL,
            sharing=Access.UNCONDITIONAL, opening=Access.UNCONDITIONAL, fields=tuple(fields),
        )  # fmt: skip
        do(supply.describe_resource, resource=resource, duty=duty, description=description)
        do(supply.grade_resource, resource=resource, level=1, reason="x")
        head = ",".join(one.name for one in fields)
        errands.deliver_file(
            app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), resource=resource,
            name="x.csv", content="\n".join([head, *rows, ""]).encode(),
        )  # fmt: skip
        return resource

    def close(self):
        self.server.close()
        discard_postgres(data_dir=self.data)
        shutil.rmtree(self.base)

    def query(self, sql, params=()):
        with psycopg.connect(self.server.app_conninfo) as connection:
            return connection.execute(sql, params).fetchall()

    @contextlib.contextmanager
    def served(self, *words, **settings):
        """`lingqu WORDS --port ...`, killed in the end if it still is there."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {one: value for one, value in os.environ.items() if one[:7] != "LINGQU_"}
        environment |= {
            "LINGQU_DATA_DIR": str(self.data), "LINGQU_API_REQUESTS_PER_MINUTE": "1000000",
        } | {f"LINGQU_{name.upper()}": str(value) for name, value in settings.items()}  # fmt: skip
        with (self.base / "said").open("ab") as said:
            process = subprocess.Popen(
                [PROGRAM, *words, "--port", str(port)], env=environment, stdin=subprocess.DEVNULL,
                stdout=said, stderr=said,
            )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while not self._ready(url):
                assert process.poll() is None, (self.base / "said").read_text()[-4000:]
                assert time.monotonic() < deadline, "it does not get ready"
                time.sleep(0.05)
            yield process, url
        finally:
            process.kill()
            process.wait()

    def _ready(self, url):
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
        return False

    def verification(self, grant, segment):
        """A call about one segment, under an id of its own."""
        return {
            "call": new_id(gate.CallId), "grant": grant, "product": self.product, "purpose": CREDIT,
            "subjects": [{"key": f"{segment:07}", "value": "南宁"}],
        }  # fmt: skip

    def question(self, grant, text):
        """A governed query, under an id of its own."""
        return {
            "call": new_id(gate.CallId), "grant": grant, "product": self.queried,
            "purpose": CREDIT, "query": text, "mode": "ad_hoc",
        }  # fmt: skip


def engine_workers(platform):
    """The processes the engine of a platform has ready or at work."""
    found = []
    for nursery in children(platform):
        with contextlib.suppress(OSError):
            if b"nursery" in Path(f"/proc/{nursery}/cmdline").read_bytes():
                found += children(nursery)
    return found
