# SPDX-License-Identifier: Apache-2.0
"""Before a contract: a free sample of a product, and its admission material as one archive."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator

from litestar import Response, get
from litestar.params import FromPath

from lingqu import gate, market, rights, trust
from lingqu.errands import issue_paper
from lingqu.gate import lists
from lingqu.kernel.values import to_plain
from lingqu.market import CommitmentKind
from lingqu.market.listings import Listing, ListingId
from lingqu.rights import operation, registry
from lingqu.runtime import Tx, documents
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input
from lingqu.ui.asking import purposes_of
from lingqu.ui.navigation import TRADING
from lingqu.ui.pages.market import PATH as LISTINGS_PATH
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.things import Card, Step, Thing, my_party, show_thing

_LINES_MOST = 500
_FIXED = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: the same material, the same bytes."""


# -- a free sample --------------------------------------------------------------------------------


def _policy(tx: Tx, held: Listing) -> gate.VerificationPolicy | None:
    policy = gate.policy_of(gate.get_product(tx, gate.ProductId(held.product)))
    return policy if isinstance(policy, gate.VerificationPolicy) else None


def _ask_sample(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = market.listings.get_listing(tx, ListingId(about))
        policy = _policy(tx, held)
        buyers = my_party(desk, tx, trust.Action.OPERATE, trust.Kind.GRANT)
        purposes = purposes_of(desk, tx, held)
    names = () if policy is None else tuple((one.name, one.name) for one in policy.predicates)
    free = None if policy is None else policy.sample
    shown = (
        (desk.text("ui.sample.free"), desk.text("ui.reveals.no_sample"))
        if free is None
        else (
            desk.text("ui.sample.free"),
            desk.text(
                "ui.reveals.sample", least=free.least, most=free.most, altogether=free.altogether
            ),
        )
    )
    return Asked(
        about=held.title,
        trail=(
            (LISTINGS_PATH, desk.text("ui.listings.title")),
            (f"{LISTINGS_PATH}/{about}", held.title),
        ),
        shown=(shown,),
        fields=(
            Field(name="party", show=Input.CHOICE, label="ui.contract.buyer", options=buyers),
            Field(name="purpose", show=Input.CHOICE, label="ui.contract.purposes", options=purposes,
                  refusals=("gate.call.wrong_purpose",)),
            Field(name="predicate", show=Input.CHOICE, label="ui.listing.question", options=names),
            Field(name="subjects", show=Input.AREA, rows=8, most=20_000, required=False,
                  label="ui.console.subjects", hint="ui.sample.rows_hint",
                  refusals=("gate.sample", "gate.call.bad_subjects")),
            Field(name="are_true", show=Input.CHECK, label="ui.sample.are_true", required=False),
            Field(name="file", show=Input.FILES, label="ui.ask.document", required=False,
                  hint="ui.sample.file_hint", refusals=("gate.file",)),
            Field(name="key_column", required=False, most=60),
            Field(name="value_column", label="ui.ask.value_name", required=False, most=60),
        ),
    )  # fmt: skip


def _rows(given: Given) -> list[lists.SampleRow]:
    sent = given.form.file("file")
    if sent is not None:
        return list(
            lists.read_sample(
                sent.content,
                key=given.text("key_column"),
                value=given.maybe("value_column") or "",
            )
        )
    truth = gate.Answer.YES if given.maybe("are_true") is not None else None
    found = []
    for line in given.text("subjects").splitlines()[:_LINES_MOST]:
        key, _, value = line.replace("，", ",").partition(",")
        if key.strip():
            subject = gate.Subject(key=key.strip(), value=value.strip())
            found.append(lists.SampleRow(subject=subject, truth=truth))
    return found


def _try(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    with desk.reading() as tx:
        held = market.listings.get_listing(tx, ListingId(about))
    desk.visit.commanded = True
    lists.try_sample(
        desk.platform.database,
        desk.platform.desk.shelf(),
        desk.visit.caller,
        command,
        product=gate.ProductId(held.product),
        party=given.party("party"),
        purpose=given.text("purpose"),
        predicate=given.maybe("predicate") or "",
        rows=_rows(given),
    )
    return f"{LISTINGS_PATH}/{about}/samples"


@get(f"{LISTINGS_PATH}/{{about:str}}/samples", sync_to_thread=True)
def sample_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show how good a product was for own rows: hit rate and accuracy, no answer."""
    desk.require()
    with desk.reading() as tx:
        held = market.listings.get_listing(tx, ListingId(about))
        own = my_party(desk, tx, trust.Action.OPERATE, trust.Kind.GRANT)
        found = [
            one
            for party, _ in own
            for one in lists.find_samples(
                tx, product=gate.ProductId(held.product), party=trust.PartyId(party)
            )
        ]
    newest = found[:1]
    return show_thing(
        desk,
        Thing(
            title=desk.text("ui.sample.of", title=held.title),
            lead=desk.text("ui.sample.lead"),
            trail=(
                (LISTINGS_PATH, desk.text("ui.listings.title")),
                (f"{LISTINGS_PATH}/{about}", held.title),
            ),
            rule="market.paradigm",
            above=tuple(
                Card(
                    name="newest",
                    title=desk.text("ui.sample.result"),
                    figures=(
                        (desk.text("ui.sample.hit_rate"), f"{one.hit_rate}%"),
                        (
                            desk.text("ui.sample.accuracy"),
                            "–" if one.accuracy is None else f"{one.accuracy}%",
                        ),
                        (desk.text("ui.sample.tried_rows"), f"{one.rows:,}"),
                        (desk.text("ui.console.as_of"), desk.when(one.as_of)),
                    ),
                )
                for one in newest
            ),
            left=(
                Card(
                    name="samples",
                    title=desk.text("ui.sample.earlier"),
                    steps=tuple(
                        Step(
                            words=desk.text("ui.sample.line", rows=one.rows, hit=one.hit_rate),
                            when=desk.when(one.tried_at),
                        )
                        for one in found
                    ),
                    none=desk.text("ui.sample.none"),
                ),
            ),
            acts=(
                SAMPLE.link(desk, about),
                (f"{LISTINGS_PATH}/{about}/propose", desk.text("ui.propose.here")),
            ),
        ),
    )


# -- admission material ---------------------------------------------------------------------------


@get(f"{LISTINGS_PATH}/{{about:str}}/material", sync_to_thread=True)
def material(desk: FromDesk, about: FromPath[str]) -> Response[bytes]:
    """This will give the admission material of a product as one archive, with its digests."""
    desk.require(*TRADING, kind=trust.Kind.LISTING)
    with desk.reading() as tx:
        held = market.listings.get_listing(tx, ListingId(about))
        files = dict(_files(desk, tx, held))
    files |= _agreement(desk, held)
    manifest = {
        "listing": held.id,
        "product": held.product,
        "code": held.code,
        "files": [
            {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        ],
    }
    files["manifest.json"] = json.dumps(manifest, ensure_ascii=False, indent=2).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _FIXED), content, zipfile.ZIP_DEFLATED)
    return tables.file_answer(
        target.getvalue(), name=f"入场材料-{held.title}.zip", media_type="application/zip"
    )


def _files(desk: Desk, tx: Tx, held: Listing) -> Iterator[tuple[str, bytes]]:
    """Each document that there is for a product, under its official name."""
    if held.certificate is not None:
        paper = market.certificate_paper(tx, held.id, link=f"{desk.base}{LISTINGS_PATH}/{held.id}")
        yield "产品登记证书.pdf", _printed(desk, paper)
    registration = registry.find_by_code(tx, held.code)
    proof = registry.certificate_paper(
        tx, registration.id, link=f"{desk.base}/rights/registry?code={held.code}"
    )
    yield "公共数据资源登记凭证.pdf", _printed(desk, proof)
    price = market.prices.find_price(tx, held.product)
    if price is not None and price.schedule is not None:
        plan = {
            "price": price.id,
            "basis": price.basis.value,
            "permitted_minor": price.permitted,
            "ceiling_minor": price.ceiling,
            "fees": to_plain(price.schedule),
            "working": to_plain(price.steps),
            "lines": list(market.fee_lines(price.schedule)),
        }
        yield "收费标准.json", json.dumps(plan, ensure_ascii=False, indent=2).encode()
    for kind in CommitmentKind:
        text = market.get_commitment(kind)
        said = f"{text.ground}\n\n{text.zh}\n\n{text.en}\n"
        yield f"{desk.text(f'ui.commitment.{kind.value}')}.txt", said.encode()
    policy = gate.policy_of(gate.get_product(tx, gate.ProductId(held.product)))
    yield (
        "产品策略.json",
        json.dumps(to_plain(policy), ensure_ascii=False, indent=2).encode(),
    )


def disclosed_chain(desk: Desk, held: Listing) -> tuple[Step, ...]:
    """This will say from whom a product's right came, first to last: holders, kinds and days.

    To whom what was authorised is disclosed to the public (发改数据规〔2025〕27号); the grants
    themselves are not, so this is read for the page and not by the visitor.
    """
    with desk.platform.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        path = rights.explain_grant(tx, held.grant_id).path
        names = desk.names(tx, {one.holder for one in path})
    return tuple(
        Step(
            words=names.get(one.holder, one.holder),
            badge=desk.text(f"rights.kind.{one.kind.value}"),
            when=desk.when(one.issued_at),
        )
        for one in path
    )


def _agreement(desk: Desk, held: Listing) -> dict[str, bytes]:
    """The agreement that the product's right rests on, which its seller shows whom it trades with.

    Its text is disclosed with a product that is offered; it is read for the archive, not by the
    visitor, who may otherwise not see what others have agreed.
    """
    with desk.platform.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        grant = rights.get_grant(tx, held.grant_id)
        for one in (held.grant_id, *reversed(grant.ancestors)):
            found = operation.find_agreement_of_grant(tx, one)
            if found is not None:
                paper = operation.agreement_paper(tx, found.id)
                return {"公共数据授权运营协议.pdf": _printed(desk, paper)}
    return {}


def _printed(desk: Desk, paper: documents.Paper) -> bytes:
    return issue_paper(desk.platform, paper, to=documents.Format.PDF).content


SAMPLE = Act(
    name="try_sample",
    path=f"{LISTINGS_PATH}/{{about:str}}/sample",
    command="gate.sample.record",
    rule="market.paradigm",
    ask=_ask_sample,
    do=_try,
    takes_files=True,
)
ACTS = (SAMPLE,)
HANDLERS = (sample_page, material)
