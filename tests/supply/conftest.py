# SPDX-License-Identifier: Apache-2.0
"""One installation and one folder of tables for the tests of a module, and a body that delivers."""

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from lingqu import supply, trust
from lingqu.runtime import new_id
from lingqu.runtime.engine import Engine
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode, collection

SLICES = resources.files("lingqu.cli") / "slices" / "45"


def text(name, *, key=False, kind=FieldKind.TEXT, label=None):
    return Field(name=name, label=label or name, kind=kind, is_key=key)


OPEN = Description(
    title="乡镇区划代码",
    summary="乡镇级行政区划代码和名称",
    frequency=Frequency.YEARLY,
    mode=Mode.PHYSICAL,
    sharing=Access.UNCONDITIONAL,
    opening=Access.UNCONDITIONAL,
    fields=(text("code", key=True, label="代码"), text("name", label="名称")),
)


@dataclass
class World:
    """A founded installation, its folder of tables, its engine, and short ways to fill them."""

    place: Any
    tables: Path
    engine: Engine
    count: int = 0
    text = staticmethod(text)

    def resource(self, *fields, body=None, title="乡镇区划代码", level=1, **said):
        """A resource of a body, under a duty of its own."""
        self.count += 1
        owner = body or self.place.party(f"〈提供单位{self.count}〉（演示）")
        duty = self.place.do(
            supply.register_duty,
            duty=new_id(supply.DutyId),
            body=owner,
            item=f"{title}{self.count}",
            basis="三定规定",
            territory="45",
        )
        told = {"title": title, **said} | ({"fields": fields} if fields else {})
        made = self.place.do(
            supply.describe_resource,
            resource=new_id(supply.ResourceId),
            duty=duty.id,
            description=replace(OPEN, **told),
        )
        if level is None:
            return made
        return self.place.do(supply.grade_resource, resource=made.id, level=level, reason="公开")

    def land(self, resource, name, content, *, load=None, mode=collection.LoadMode.REPLACE):
        """What the gates make of a delivery; nothing is recorded yet."""
        load = load or new_id(collection.LoadId)
        with self.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
            plan = collection.plan_load(tx, load=load, resource=resource.id)
        delivery = collection.read_delivery(name, content, fields=plan.fields)
        return collection.land_delivery(
            delivery,
            load=load,
            resource=resource.id,
            fields=plan.fields,
            mode=mode,
            current=plan.current,
            tables=self.tables,
            engine=self.engine,
            entity_key=b"e" * 32,
        )

    def load(self, resource, content, *, name="delivery.csv", load=None, **options):
        """Deliver and record, as the edges do."""
        load = load or new_id(collection.LoadId)
        if isinstance(content, str):
            content = content.encode()
        landed = self.land(resource, name, content, load=load, **options)
        return self.place.do(
            collection.record_load, load=load, resource=resource.id, source=None, landed=landed
        )

    def slice(self, name):
        """A slice of real data as its own resource, loaded."""
        content = (SLICES / f"{name}.csv").read_bytes()
        heads = content.decode().splitlines()[0].split(",")
        fields = [text(head, key=head in {"code", "segment"}) for head in heads]
        made = self.resource(*fields, title=name)
        self.load(made, content, name=f"{name}.csv")
        return made

    def table(self, resource):
        with self.place.database.reading() as tx:
            return supply.find_table(tx, resource.id)

    def rows(self, resource):
        return supply.read_loaded(self.table(resource), tables=self.tables, engine=self.engine).rows


@pytest.fixture(scope="module")
def world(trust_server, place_type, tmp_path_factory):
    made = place_type(trust_server)
    made.found()
    base = tmp_path_factory.mktemp("supply")
    with Engine(folder=base / "engine", workers=1, spares=0) as engine:
        yield World(made, base / "tables", engine)
    made.close()
