# SPDX-License-Identifier: Apache-2.0
"""The officer's story: a city opens its codes to two catalogs and lists at the region's venue."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from datetime import date

from lingqu import interop, market, supervision, trust
from lingqu.cli.facts import logs_of
from lingqu.cli.story.building import CROSSWALK, TOWNS, product_of, registration_of
from lingqu.cli.story.collecting import resource_of
from lingqu.cli.story.elsewhere import Elsewhere, opened_elsewhere
from lingqu.cli.story.finding import compare_books, open_finding, procedure_of
from lingqu.cli.story.pricing import TRIAL_FEE, agree_trial_fee
from lingqu.cli.story.proving import verify_bundle
from lingqu.cli.story.stage import Scene, Stage
from lingqu.errands import Opening, open_file
from lingqu.kernel.money import Money
from lingqu.kernel.paging import PageRequest
from lingqu.rights import registry
from lingqu.supply import collection, opening
from lingqu.trust import log as logs
from lingqu.trust import procedures

LINGSHAN = "450721"
CATALOGS = (
    ("region", "自治区公共数据开放平台（演示）", "自治区数据局（演示）"),
    ("credit", "市信用信息平台（演示）", "市发展改革委（演示）"),
)


def compare(stage: Stage) -> None:
    """Two official books of the city's towns, and how far they can be joined."""
    stage.on("2025-03-06")
    seen = compare_books(stage, name="qinzhou.compared", code="collect.compared")
    found = seen.comparison
    assert found is not None, "two tables were compared"
    shared = Counter(one.key[:6] for one in found.conflicts)
    with (stage.files / "nbs_towns.csv").open(encoding="utf-8", newline="") as file:
        ours = {row["code"] for row in csv.DictReader(file)}
    with (stage.files / "mca_towns.csv").open(encoding="utf-8", newline="") as file:
        theirs = {row["code"] for row in csv.DictReader(file)}
    both = [code for code in ours & theirs if code.startswith(LINGSHAN)]
    stage.beat("bureau", "qinzhou.lingshan", conflicts=shared[LINGSHAN], shared=len(both))
    stage.beat(
        "bureau",
        "qinzhou.units",
        matched=found.derived_matches,
        right_rows=found.right_rows,
        count=len(found.left_only),
        names="、".join(one.name for one in found.left_only),
    )
    with stage.reading("bureau") as tx:
        villages = collection.find_table(tx, resource_of(stage, "nbs_villages"))
    stage.beat("bureau", "qinzhou.villages", count=villages.rows)


def mend(stage: Stage) -> None:
    """The finding goes to the statistics office with a notice, and is mended."""
    stage.on("2025-03-07")
    seen = compare_books(stage, name="qinzhou.attached", code="collect.attached")
    open_finding(stage, "towns", seen.observation, "乡级代码同码异名", "statistics")
    procedure = procedure_of(stage, "towns")
    sheet = stage.write("两表比对.txt", "同码异名清单见平台“两表比对”。\n".encode())
    stage.move("bureau", procedure, "feed_back", opinion="不得以九位代码关联。", files=(sheet,))
    stage.letter(procedure, "rectification_notice", "整改通知书")
    stage.beat("bureau", "collect.fed_back", count=1, body=stage.cast["statistics"].name)
    stage.on("2025-03-18")
    stage.clock(procedure, "rectification", "collect.rectification.towns")
    told = "已声明九位代码不作关联键，采用对照表。"
    report = stage.write("整改报告.txt", f"{told}\n".encode())
    stage.move("statistics", procedure, "report", opinion=told, files=(report,))
    stage.beat("statistics", "collect.mended", told=told)
    stage.on("2025-03-20")
    stage.move("bureau", procedure, "pass", opinion="复核通过。")
    stage.move("bureau", procedure, "share", opinion="关联前先做两表比对。")
    stage.beat("bureau", "collect.closed", count=1)


def open_files(stage: Stage) -> None:
    """The villages and the crosswalk are opened to everyone, under the yearly list."""
    stage.on("2025-05-09")
    year = 2025
    for table in ("nbs_towns", "nbs_villages"):
        entry = stage.id(opening.OpenEntryId, table)
        stage.do(
            "statistics",
            table,
            opening.propose_entry,
            entry=entry,
            year=year,
            territory=stage.region.prefix,
            resource=resource_of(stage, table),
            criteria=("livelihood", "value"),
            due_on=date(year, 6, 30),
        )
        stage.do("bureau", table, opening.confirm_entry, entry=entry)
    stage.do("bureau", "list", opening.publish_list, year=year, territory=stage.region.prefix)
    for made in (_open_crosswalk(stage), _open_villages(stage)):
        stage.beat(
            "bureau",
            "qinzhou.opened",
            name=f"qinzhou.opened.{made.recipe.value}",
            title=made.title,
            rows=made.rows,
        )


def _open_crosswalk(stage: Stage) -> opening.OpenFile:
    return _open(
        stage,
        Opening(
            entry=stage.id(opening.OpenEntryId, "nbs_towns"),
            title=CROSSWALK,
            summary="县级代码加规范名称为键，逐个对照。",
            terms="无条件开放，注明来源",
            recipe=opening.Recipe.CROSSWALK,
            resource=resource_of(stage, "nbs_towns"),
            other=resource_of(stage, "mca_towns"),
            name="name",
            parent="parent",
            other_name="name",
            other_parent="county",
        ),
    )


def _open_villages(stage: Stage) -> opening.OpenFile:
    return _open(
        stage,
        Opening(
            entry=stage.id(opening.OpenEntryId, "nbs_villages"),
            title="村级统计用区划代码",
            summary="截至 2023-06-30 的村居代码与名称。",
            terms="无条件开放，注明来源",
            recipe=opening.Recipe.TABLE,
            resource=resource_of(stage, "nbs_villages"),
        ),
    )


def _open(stage: Stage, wanted: Opening) -> opening.OpenFile:
    return open_file(
        stage.app,
        stage.caller("bureau"),
        stage.id(trust.CommandId, f"open/{wanted.entry}"),
        wanted,
    )


def export_catalogs(stage: Stage) -> None:
    """Each catalog gets one DCAT document, reports back, and is reconciled file by file."""
    stage.on("2025-05-16")
    for name, title, operator in CATALOGS:
        catalog = stage.id(opening.CatalogId, name)
        stage.do(
            "bureau",
            name,
            opening.register_catalog,
            catalog=catalog,
            title=title,
            operator=operator,
        )
        written = stage.do(
            "bureau",
            name,
            opening.write_catalog,
            catalog=catalog,
            base_url="https://data.qinzhou.example",
        )
        file = stage.write(f"开放目录-{title}.jsonld", written.document.encode())
        stage.beat(
            "bureau",
            "qinzhou.exported",
            name=f"qinzhou.exported.{name}",
            title=title,
            files=written.files,
            sha256=written.sha256,
            file=file.name,
        )
    stage.on("2025-05-20")
    with stage.reading("bureau") as tx:
        files = opening.find_files(tx, page=PageRequest(size=50)).items
    for name, title, _ in CATALOGS:
        reported = tuple(_reported(name, one) for one in files)
        found = stage.do(
            "bureau",
            name,
            opening.reconcile_catalog,
            catalog=stage.id(opening.CatalogId, name),
            reported=reported,
        )
        stage.beat(
            "bureau",
            "qinzhou.reconciled",
            name=f"qinzhou.reconciled.{name}",
            title=title,
            acknowledged=found.acknowledged,
            rejected=found.rejected,
            missing=found.missing,
        )


def _reported(catalog: str, file: opening.OpenFile) -> opening.Reported:
    """What a catalog says of a file: that of credit takes no villages."""
    refused = catalog == "credit" and file.recipe is opening.Recipe.TABLE
    reason = "与信用信息目录无关" if refused else ""
    return opening.Reported(file=file.id, accepted=not refused, reason=reason)


def agree_fee(stage: Stage) -> None:
    """The first year's fee is a trial fee here too."""
    stage.on("2025-06-11")
    agree_trial_fee(stage, TOWNS, "trial")


def find_no_venue(stage: Stage) -> None:
    """A city has no venue of its own: products are listed at the region's."""
    stage.on("2025-06-12")
    refusal = stage.refused("machine", "venue", market.open_venue, venue=stage.party("operator"))
    stage.beat("machine", "qinzhou.no_venue", refusal=refusal.code, article=refusal.article or "")


def list_at_the_region(stage: Stage) -> None:
    """The listing travels as a signed document; the venue's signed answer comes back."""
    stage.on("2025-06-13")
    with opened_elsewhere(stage) as there:
        _introduce(stage, there)
        offer = stage.id(interop.OfferId, "towns")
        stage.do(
            "operator",
            "offer",
            interop.prepare_offer,
            offer=offer,
            peer=stage.id(interop.PeerId, "venue"),
            party=stage.party("operator"),
            listing=_listing(stage),
        )
        with stage.reading("operator") as tx:
            document = interop.signed_offer(tx, stage.app.keyring, offer)
        stage.write("上架申请（签名文件）.json", document.encode())
        delivered = interop.deliver_offer(
            stage.app.database,
            stage.app.keyring,
            stage.caller("operator"),
            stage.id(trust.CommandId, "deliver/offer"),
            offer=offer,
        )
        stage.beat(
            "operator",
            "qinzhou.delivered",
            title=TOWNS.title,
            digest=delivered.digest or "",
            bytes=len(document.encode()),
        )
        _examine(stage, there, offer)


def _introduce(stage: Stage, there: Elsewhere) -> None:
    """Each side gets to know the other by its key, as two bureaus would by letter."""
    venue = stage.id(trust.PartyId, "venue-here")
    known = there.stage.cast["operator"]
    there.admit(known)
    there.do(
        "machine",
        "peer",
        interop.register_peer,
        peer=stage.id(interop.PeerId, "city"),
        verifier_key=str(interop.own_key(stage.app.keyring, stage.app.installation.origin)),
        name="钦州市公共数据运营平台（演示）",
        party=there.party("operator"),
        handler=there.party("venue"),
    )
    stage.do(
        "machine",
        "venue-here",
        trust.register_party,
        party=venue,
        kind=trust.PartyKind.ORGANIZATION,
        name="〈区域数据交易中心〉（演示）",
    )
    stage.do(
        "machine",
        "peer",
        interop.register_peer,
        peer=stage.id(interop.PeerId, "venue"),
        verifier_key=str(interop.own_key(there.app.keyring, there.app.installation.origin)),
        name="区域数据交易中心（演示）",
        party=venue,
        url=there.address,
    )


def _listing(stage: Stage) -> interop.Listing:
    with stage.reading("operator") as tx:
        entry = registry.get_registration(tx, registration_of(stage, TOWNS.key))
    assert entry.code is not None, "registered above"
    text = f"{entry.code}\n{TOWNS.title}\n"
    return interop.Listing(
        product=product_of(stage, TOWNS),
        title=TOWNS.title,
        summary=TOWNS.summary,
        form=TOWNS.form.value,
        operator=stage.cast["operator"].name,
        operator_code=stage.cast["operator"].code,
        registration=entry.code,
        fees=(interop.Fee(item="核验", unit="次", price=Money(minor=TRIAL_FEE, currency="CNY")),),
        free_calls=0,
        is_miss_billed=True,
        certificates=(
            interop.Certificate(
                name="公共数据资源登记结果", sha256=hashlib.sha256(text.encode()).hexdigest()
            ),
        ),
    )


def _examine(stage: Stage, there: Elsewhere, offer: interop.OfferId) -> None:
    """The venue publishes and lists; what it says, signed, is taken over here."""
    procedure = procedures.ProcedureId.of(offer.uuid)
    for day, move, opinion in (
        ("2025-06-16", "publish", "合规审查通过，公示。"),
        ("2025-06-20", "list", "公示期满，准予上架。"),
    ):
        stage.on(day)
        with stage.reading() as tx:
            now = tx.now
        there.on(now)
        procedures.fire_due_timers(there.app.database, trust.PLATFORM)
        with there.app.database.reading(stage.caller("machine")) as tx:
            seen = procedures.get_procedure(tx, procedure).procedure.version
        there.do(
            "venue",
            move,
            procedures.move_procedure,
            procedure=procedure,
            move=move,
            version=stage.journal.note(f"elsewhere/{move}", seen),
            opinion=opinion,
        )
        taken = interop.reconcile_offer(
            stage.app.database,
            stage.caller("operator"),
            stage.id(trust.CommandId, f"reconcile/{move}"),
            offer=offer,
        )
        assert taken.state is not None, "the venue said how it stands"
        stage.beat(
            "operator",
            "qinzhou.taken_over",
            name=f"qinzhou.taken_over.{move}",
            state=taken.state.value,
            folder=str(there.app.settings.data_dir.name),
        )


def prove(stage: Stage) -> None:
    """Everything said about the city's product is handed over as one bundle."""
    stage.on("2025-06-23")
    with stage.reading("regulator") as tx:
        text = supervision.bundle_of(tx, logs_of(stage.app), (product_of(stage, TOWNS),))
        key = str(logs.own_log(tx).keys[0].verifier)
    file = stage.write("举证材料包-乡镇街道代码核验.json", text.encode())
    verify_bundle(file, key)
    stage.beat(
        "regulator",
        "prove.bundle",
        file=file.name,
        kilobytes=len(text.encode()) // 1024,
        facts=len(json.loads(text)["leaves"]),
    )


OPENING: tuple[Scene, ...] = (open_files, export_catalogs)
LISTING: tuple[Scene, ...] = (agree_fee, find_no_venue, list_at_the_region)
"""The officer's scenes, between those that every story has."""
