# SPDX-License-Identifier: Apache-2.0
"""Steps two to eight of the story, played through the pages by whoever sits at them.

`play` is told how a person sits down; nothing here runs a command or reads the database, except
that the clock is moved and the platform's own work is waited for.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from decimal import Decimal

from trade_world import CITIES, SEGMENTS, TITLE, Region

from lingqu import rights, trust
from lingqu.runtime import documents
from lingqu.runtime.i18n import translate
from lingqu.trust import procedures, rulebook

MINUTES = {"files": ("会议纪要.txt", "同意。\n".encode())}
PRODUCT, COUNT = "移动号段归属核验", "号段分布统计"
PURPOSE = "industry.finance.credit"
VERIFICATION = {
    "title": PRODUCT, "summary": "号段是否归属所填城市：是或否。不提供清单。",
    "subject.shortest": "7", "subject.longest": "7", "predicates.0.name": "city",
    "predicates.0.yes.0.key": f"{TITLE} · 号段",
    "predicates.0.yes.0.value": f"{TITLE} · 归属城市",
    "sample.least": "5", "sample.most": "20", "sample.altogether": "40",
}  # fmt: skip


class Story:
    """One telling: who sits where, in which language."""

    def __init__(self, region: Region, sit: Callable, language: str = "zh-CN") -> None:
        """Begin; `sit` seats a login and gives what a person does."""
        self.region, self.language = region, language
        self._sit, self._seated = sit, {}
        self.seen: dict[str, str] = {}
        with region.server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
            self._charts = {one.code: one for one in procedures.find_charts(tx)}
            self._book = rulebook.of(tx)

    def __call__(self, login: str):
        """The person who signs in so."""
        known = "supervisor" if login == "regulator" else login
        if login not in self._seated:
            self._seated[login] = self._sit(known)
        return self._seated[login]

    def say(self, code: str, **parts) -> str:
        """What the page calls something."""
        return translate(code, self.language, **parts)

    def button(self, act: str) -> str:
        """The button of an act."""
        return self.say(f"ui.act.{act}.button")

    def name(self, body: str) -> str:
        """What a body is called."""
        return self.region.name(body)

    def move(self, person, chart: str, move: str, **given) -> None:
        """Make a move on the page of a procedure; the person is there already."""
        label = next(one.label for one in self._charts[chart].moves if one.name == move)
        words = label.en if self.language == "en" else label.zh
        person.press(words, given, MINUTES if given.pop("files", None) else None)

    def items(self, rule: str) -> dict[str, str]:
        """Something said about every item of a rule."""
        return {f"item-{one.code}": f"{one.zh}：按方案执行。" for one in self._book.items(rule)}

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait for the platform's own work."""
        ends = time.monotonic() + 180
        while not ready():
            assert time.monotonic() < ends, "the platform did not catch up"
            time.sleep(0.1)


def play(story: Story) -> None:
    """The whole story."""
    for part in (
        authorize, narrow, build, register, price, enter, offer, contract, use, supervise, settle,
        prove,
    ):  # fmt: skip
        part(story)


def authorize(story: Story) -> None:
    """Step 2: ground and root, scheme, decision, selection, agreement, filing, the grant."""
    story.region.on("2025-03-27")
    office = story("administrator")
    office.open("/rights/grants")
    office.follow(story.say("ui.act.record_ground"))
    ground = {"title": "关于确定实施机构的决定", "party": story.name("government"),
              "ground_kind": story.say("rights.ground_kind.duty")}  # fmt: skip
    office.press(story.button("record_ground"), ground, {"file": ("决定.txt", b"x")})
    holding = {"holder": story.name("implementer"), "kind": story.say("rights.kind.holding"),
               f"resources-{story.region.resource}": "yes", "calls": "1000000"}  # fmt: skip
    office.press(story.button("begin_tree"), holding)

    story.region.on("2025-03-28")
    body = story("implementer")
    body.open("/rights/operation")
    body.follow(story.say("ui.act.draft_scheme"))
    plan = {
        "authority": story.name("government"), "department": story.name("bureau"),
        "title": "号段归属等公共数据授权运营", f"resources-{story.region.resource}": "yes",
        f"consents-{story.region.parties['provider']}": "yes",
        **story.items("operation.scheme_items"),
    }  # fmt: skip
    consent = {"consent_file": ("同意函.txt", "同意。".encode())}
    body.press(story.button("draft_scheme"), plan | {"months": "999"}, consent, refused="999")
    body.press(story.button("draft_scheme"), plan | {"months": "36"}, consent)
    story.seen["scheme"] = body.path
    assert body.take("PDF").startswith(b"%PDF")
    body.follow(story.say("ui.thing.procedure"))
    story.seen["scheme_procedure"] = body.path
    story.move(body, "operation.scheme", "present")
    story.region.on("2025-04-08")
    government = story("government")
    government.go("/")
    government.follow("号段归属等公共数据授权运营")
    story.move(government, "operation.scheme", "approve", opinion="同意。", files=True)
    story.region.on("2025-04-10")
    bureau = story("bureau")
    bureau.go("/")
    bureau.follow("号段归属等公共数据授权运营")
    story.move(bureau, "operation.scheme", "file")

    story.region.on("2025-04-14")
    body.go(story.seen["scheme"])
    body.follow(story.say("ui.act.open_selection"))
    body.press(story.button("open_selection"), {"way": story.say("ui.selection_way.open_tender")})
    story.region.on("2025-04-21")
    body.follow(story.say("ui.act.choose_operator"))
    chosen = {"operator": story.name("operator"), "opinion": "综合评分第一名。"}
    body.press(story.button("choose_operator"), chosen, MINUTES)
    story.region.on("2025-04-27")
    body.go(story.seen["scheme"])
    body.follow(story.say("ui.act.draft_agreement"))
    terms = {
        "title": "号段归属数据授权运营协议", "calls": "400000", "level": story.say("ui.level.2"),
        "purposes-governance": "yes", "purposes-industry.finance": "yes",
        **story.items("operation.agreement_items"),
    }  # fmt: skip
    body.press(story.say("ui.act.preview"), terms)
    assert story.say("ui.level.2") in body.words or "2" in body.words
    body.press(story.button("draft_agreement"))
    story.seen["agreement"] = body.path
    body.follow(story.say("ui.thing.procedure"))
    story.move(body, "operation.agreement", "decide", opinion="同意签订。", files=True)
    for signer in (body, story("operator")):
        signer.open("/rights/operation")
        signer.follow(story.say("ui.agreements.title"))
        signer.follow("号段归属数据授权运营协议")
        signer.follow(story.say("ui.act.sign_agreement"))
        signer.press(story.button("sign_agreement"), {"agreed": "yes"})
    story.region.on("2025-05-08")
    bureau.open("/rights/operation")
    bureau.follow(story.say("ui.agreements.title"))
    bureau.follow("号段归属数据授权运营协议")
    bureau.follow(story.say("ui.act.file_agreement"))
    bureau.press(story.button("file_agreement"), {"opinion": "准予备案。"})
    assert story.say("ui.agreement_state.in_effect") in bureau.words


def narrow(story: Story) -> None:
    """The operator gives on: what would be too wide is refused, the rest is told beforehand."""
    story.region.on("2025-05-12")
    operator = story("operator")
    for purpose, calls, key in (
        ("industry.finance", "200000", "p2"),
        ("governance", "1000", "count"),
    ):
        operator.open("/rights/grants")
        operator.follow("grt_")
        story.seen.setdefault("operating", operator.path)
        operator.go(story.seen["operating"])
        operator.follow(story.say("ui.act.issue_grant"))
        given = {"holder": story.name("operator"), "kind": story.say("rights.kind.operating")}
        if key == "p2":
            operator.press(story.button("issue_grant"), given | {"calls": "900000"}, refused="")
        operator.press(story.say("ui.act.preview"), given | {f"purposes-{purpose}": "yes"})
        operator.press(story.button("issue_grant"), {"calls": calls})
        story.seen[f"grant_{key}"] = operator.path


def build(story: Story) -> None:
    """Step 3: the product builder with its plain words, and snapshots with their progress."""
    operator, resource = story("operator"), story.region.resource
    counting = {
        "title": COUNT, "summary": "按城市和运营商统计号段数。", "entity": f"{TITLE} · 号段",
        f"dimensions-{resource}.city": "yes", f"dimensions-{resource}.operator": "yes",
        "merged": f"{TITLE} · 运营商", "threshold": "10",
    }  # fmt: skip
    for key, form, fields in (("p2", "verification", VERIFICATION), ("count", "count", counting)):
        operator.go(story.seen[f"grant_{key}"])
        operator.follow(story.say("ui.act.define_product"))
        if form == "count":
            operator.follow(story.say("ui.product_form.count"))
        operator.press(story.say("ui.act.preview"), fields)
        told = "no_total" if form == "count" else "no_list"
        assert story.say(f"ui.reveals.{told}") in operator.words
        operator.press(story.button("define_product"))
        story.seen[key] = operator.path
        operator.follow(story.say("ui.product.publish"))
        operator.press(story.say("ui.product.publish"))
        story.wait(lambda: _again(operator, story.say("ui.work.result")))
        operator.follow(story.say("ui.work.result"))
        assert operator.path == story.seen[key]
        assert story.say("ui.product.answers") in operator.words


def _again(person, words: str) -> bool:
    """Look at the same page again until it says so."""
    if words not in person.words:
        person.go(person.address)
    return words in person.words


def register(story: Story) -> None:
    """Step 3, the registry: apply, accept, three persons decide, publicity, 赋码, certificate."""
    story.region.on("2025-05-14")
    office = story("administrator")
    office.go("/rights/registrars/name")
    named = {"party": story.name("clerk"), "registry": story.say("ui.registry_name.public"),
             "area": "45", "number": "1"}  # fmt: skip
    office.press(story.button("name_registrar"), named)
    papers = {"evidence_file": ("存证.txt", b"kept"), "files": ("申请表.txt", "申请。".encode())}
    said = story.items("registration.first_materials")
    for login, title, key in (
        ("provider", TITLE, "resource"), ("operator", PRODUCT, "p2"), ("operator", COUNT, "count"),
    ):  # fmt: skip
        person = story(login)
        person.open("/rights/registrations")
        person.follow(title)
        person.press(story.button("apply_registration"), said, papers)
        story.seen[f"registration_{key}"] = person.path
    clerk, reviewer, signer = story("clerk"), story("reviewer"), story("signer")
    keys = ("resource", "p2", "count")

    def at(person, key: str) -> None:
        person.go(story.seen[f"registration_{key}"])
        person.follow(story.say("ui.thing.procedure"))

    chart = "registration.public"
    story.region.on("2025-05-16")
    for key in keys:
        at(clerk, key)
        story.move(clerk, chart, "accept")
    story.region.on("2025-05-23")
    for key in keys:
        at(clerk, key)
        story.move(clerk, chart, "draft_decision")
        story.move(clerk, chart, "decision.present")
        at(reviewer, key)
        story.move(reviewer, chart, "decision.agree", opinion="材料齐全，同意公示。")
        at(signer, key)
        story.move(signer, chart, "decision.sign", opinion="同意。")
    story.region.on("2025-06-10")
    for key in keys:
        clerk.open("/rights/registrations")
        clerk.go(story.seen[f"registration_{key}"])
        clerk.follow(story.say("ui.act.code_registration"))
        clerk.press(story.button("code_registration"))
        assert clerk.take("PDF").startswith(b"%PDF")
    clerk.open("/rights/registry")
    assert PRODUCT in clerk.words


def price(story: Story) -> None:
    """Step 4: trial fee; a year later permitted revenue, ceiling, a too high fee, the fee."""
    story.region.on("2025-06-11")
    operator, government = story("operator"), story("government")
    operator.open("/market/prices")
    operator.follow(story.say("ui.act.apply_trial"))
    trial = {"product": PRODUCT, "authorizer": story.name("government"),
             "operating_since": "2025-06-11", "unit_price": "0.50"}  # fmt: skip
    operator.press(story.button("apply_trial"), trial)
    _price_step(story, government, operator.path, "agree_trial", opinion="首年试行，同意。")
    _price_step(story, operator, operator.path, "publish_price")

    story.region.on("2026-06-12")
    operator.open("/market/prices")
    operator.follow(story.say("ui.act.apply_trial"))
    operator.press(story.button("apply_trial"), trial, refused="2025")
    operator.open("/market/prices")
    operator.follow(story.say("ui.act.apply_formal"))
    costs = {"platform": "4200000", "processing": "1800000", "people": "1500000",
             "acquisition": "300000", "period": "200000", "subsidies": "0"}  # fmt: skip
    formal = {"product": PRODUCT, "authorizer": story.name("government"),
              "authority": story.name("price"), "operating_since": "2025-06-11",
              "planned_calls": "8852000", **costs}  # fmt: skip
    operator.press(story.button("apply_formal"), formal)
    at = operator.path
    story.region.on("2026-06-24")
    _price_step(story, story("price"), at, "permit_revenue", bond_yield="1.90", margin="5.00",
                tax="300000", opinion="按成本调查结果核定。")  # fmt: skip
    assert "8,852,000" in story("price").words
    story.region.on("2026-06-26")
    government.go(at)
    government.follow(story.say("ui.act.set_ceiling"))
    government.press(story.button("set_ceiling"), {"ceiling": "9.00", "opinion": "试一试。"},
                     refused="9")  # fmt: skip
    government.press(story.button("set_ceiling"), {"ceiling": "1.00", "opinion": "不突破。"})
    operator.go(at)
    operator.follow(story.say("ui.act.publish_price"))
    operator.press(story.button("publish_price"), {"unit_price": "1.01"}, refused="1.0")
    operator.press(story.button("publish_price"), {"unit_price": "0.80"})
    assert story.say("ui.price_state.published") in operator.words
    _count_fee(story)


def _count_fee(story: Story) -> None:
    operator = story("operator")
    operator.open("/market/prices")
    operator.follow(story.say("ui.act.apply_trial"))
    fee = {"product": COUNT, "authorizer": story.name("government"),
           "operating_since": "2026-06-01", "unit_price": "0"}  # fmt: skip
    operator.press(story.button("apply_trial"), fee)
    _price_step(story, story("government"), operator.path, "agree_trial", opinion="免费。")
    _price_step(story, operator, operator.path, "publish_price")


def _price_step(story: Story, person, at: str, act: str, **given: str) -> None:
    person.go(at)
    person.follow(story.say(f"ui.act.{act}"))
    person.press(story.button(act), given)


def enter(story: Story) -> None:
    """Step 4, the venue opens and admits; step 5, the bank's payment is recorded."""
    story.region.on("2026-07-01")
    office = story("administrator")
    office.open("/market/members")
    office.follow(story.say("ui.act.open_venue"))
    office.press(story.button("open_venue"), {"venue": story.name("venue")})
    venue = story("venue")
    for login, role in (("operator", "seller"), ("bank", "buyer")):
        person = story(login)
        person.open("/market/members")
        person.follow(story.say("ui.act.apply_member"))
        person.press(story.button("apply_member"), {f"member_roles-{role}": "yes", "agreed": "yes"},
                     {"material": ("营业执照.txt", login.encode())})  # fmt: skip
        venue.open("/market/members")
        venue.follow(story.name(login))
        venue.follow(story.say("ui.act.admit_member"))
        venue.press(story.button("admit_member"), {"opinion": "材料齐全，准予入场。"})


def offer(story: Story) -> None:
    """Step 4, the listing: application, review and publicity, certificate, catalog."""
    story.region.on("2026-07-02")
    operator, venue = story("operator"), story("venue")
    for title, form, key in ((PRODUCT, "verification", "p2"), (COUNT, "count", "count")):
        operator.open("/market/offers")
        operator.follow(story.say("ui.act.apply_listing"))
        operator.press(story.button("apply_listing"), {
            "code": title, "title": title, "summary": f"{title}。",
            "form": story.say(f"ui.product_form.{form}"),
        })  # fmt: skip
        story.seen[f"listing_{key}"] = operator.path
        venue.open("/market/offers")
        venue.follow(title)
        venue.follow(story.say("ui.act.publicize_listing"))
        venue.press(story.button("publicize_listing"), {"opinion": "合规。"})
    story.region.on("2026-07-08")
    for key in ("p2", "count"):
        venue.go(story.seen[f"listing_{key}"])
        venue.follow(story.say("ui.act.certify_listing"))
        venue.press(story.button("certify_listing"))
        venue.follow(story.say("ui.act.put_up_listing"))
        venue.press(story.button("put_up_listing"))
    venue.open("/market/settlements")
    venue.follow(story.say("ui.act.register_plan"))
    plan = {
        "listing": PRODUCT, "share_0": story.say("ui.share.venue_fee"),
        "payee_0": story.name("venue"), "rate_0": "5", "share_1": story.say("ui.share.service_fee"),
        "payee_1": story.name("operator"), "rate_1": "70",
        "share_2": story.say("ui.share.government"), "payee_2": story.name("treasury"),
        "rate_2": "100", "source": "授权运营协议第七项", "payee": "国库（演示）",
        "bank": "演示国库", "account": "0000-0000",
    }  # fmt: skip
    venue.press(story.say("ui.act.preview"), plan)
    assert "6,650.00" in venue.words
    venue.press(story.button("register_plan"))


def contract(story: Story) -> None:
    """Step 5: the bank finds, tries, takes the material, proposes; both settle and sign."""
    story.region.on("2026-07-20")
    bank, operator = story("bank"), story("operator")
    bank.open("/market/listings")
    bank.follow(PRODUCT)
    archive = zipfile.ZipFile(io.BytesIO(bank.take(story.say("ui.listing.material"))))
    manifest = json.loads(archive.read("manifest.json"))
    assert {one["name"] for one in manifest["files"]} >= {
        "产品登记证书.pdf", "公共数据资源登记凭证.pdf", "公共数据授权运营协议.pdf", "收费标准.json",
    }  # fmt: skip
    bank.follow(story.say("ui.act.try_sample"))
    rows = "\n".join(f"{segment},{city}" for segment, city, _ in SEGMENTS[:10])
    purpose = _purpose(story)
    bank.press(
        story.button("try_sample"), {"purpose": purpose, "subjects": rows, "are_true": "yes"}
    )
    assert "100%" in bank.words

    cashier = story("cashier")
    cashier.open("/market/funds")
    cashier.follow(story.say("ui.act.record_deposit"))
    cashier.press(story.button("record_deposit"), {
        "party": story.name("bank"), "amount": "30000", "reference": "YH0001",
        "paid_on": story.region.today(),
    })  # fmt: skip
    assert "30,000.00" in cashier.words

    story.region.on("2026-08-03")
    bank.go(story.seen["listing_p2"])
    bank.follow(story.say("ui.propose.here"))
    bank.press(story.say("ui.propose.button"),
               {"purpose": purpose, "quota": "2000", "months": "12", "agreed": "yes"})  # fmt: skip
    story.seen["contract"] = bank.path
    operator.open("/market/contracts")
    operator.go(story.seen["contract"])
    operator.follow(story.say("ui.act.counter_contract"))
    operator.press(story.say("ui.act.preview"), {"quota": "1000"})
    assert "800.00" in operator.words
    operator.press(story.button("counter_contract"))
    operator.follow(story.say("ui.editions.title"))
    assert "1000" in operator.words
    assert "2000" in operator.words
    for person in (bank, operator):
        person.go(story.seen["contract"])
        person.press(story.say("ui.contract.sign"))
    assert story.say("ui.contract_state.performing") in operator.words


def _purpose(story: Story) -> str:
    with story.region.server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        found = next(one for one in rights.find_codes(tx) if one.code == PURPOSE)
    return found.en if story.language == "en" else found.zh


def use(story: Story) -> None:
    """Step 6: a decision explained, a verification, what is outside refused, a governed count."""
    story.region.on("2026-09-01")
    bank = story("bank")
    bank.go(story.seen["contract"])
    bank.follow(story.say("ui.console.here"))
    rows = "\n".join(f"{segment},{city}" for segment, city, _ in SEGMENTS)
    bank.press(story.say("ui.console.explain"), {"subjects": rows})
    assert story.say("ui.console.allowed") in bank.words
    bank.press(story.say("ui.console.ask"), {"subjects": rows})
    assert story.say("ui.console.receipt") in bank.words
    segment, right = SEGMENTS[0][0], SEGMENTS[0][1]
    others = "\n".join(f"{segment},{city}" for city in CITIES if city != right)
    bank.press(story.say("ui.console.ask"), {"subjects": others}, refused="")
    assert "gate.call.enumeration" in bank.text, bank.words


def supervise(story: Story) -> None:
    """Step 6: the regulator sees what was refused, holds the bank's grant, and frees it."""
    regulator, bank = story("regulator"), story("bank")
    story.wait(lambda: _shows(regulator, "/supervision/attempts", "gate.call.enumeration"))
    bank.go(story.seen["contract"])
    grant = _link_of(bank, "/rights/grants/")
    regulator.open("/supervision/cases")
    regulator.follow(story.say("ui.act.open_case"))
    regulator.press(story.button("open_case"),
                    {"subject": grant, "case_summary": "抽查：核对用途承诺"})  # fmt: skip
    regulator.follow(story.say("ui.act.hold_case"))
    regulator.press(story.button("hold_case"), {"article": "《方案》第7项"})
    bank.follow(story.say("ui.console.here"))
    ask = {"subjects": f"{SEGMENTS[5][0]},{SEGMENTS[5][1]}"}

    def refused() -> bool:
        bank.press(story.say("ui.console.explain"), ask)
        return story.say("ui.console.refused") in bank.words

    story.wait(refused)
    regulator.follow(story.say("ui.act.lift_case"))
    regulator.press(story.button("lift_case"))
    regulator.follow(story.say("ui.act.close_case"))
    regulator.press(story.button("close_case"), {"outcome": "用途一致，恢复使用"})
    story.wait(lambda: not refused())


def _link_of(person, begins: str) -> str:
    """The last part of the first link that leads there."""
    return person.text.partition(f'href="{begins}')[2].partition('"')[0]


def _shows(person, path: str, words: str) -> bool:
    person.go(path)
    return words in person.words


def settle(story: Story) -> None:
    """Step 7: charges out of frozen funds, the day shared, the notice and its receipt, the bill."""
    bank, venue, treasury = story("bank"), story("venue"), story("treasury")
    story.wait(lambda: _shows(bank, story.seen["contract"], "38.40"))
    story.region.on("2026-09-04")
    cashier = story("cashier")
    cashier.open("/market/settlements")
    cashier.follow(story.say("ui.act.close_day"))
    cashier.press(story.button("close_day"), {"day": "2026-09-01"})
    venue.open("/market/settlements")
    venue.follow(story.say("ui.act.settle_day"))
    venue.press(story.button("settle_day"), {"day": "2026-09-01"})
    assert "38.40" in venue.words
    venue.open("/market/contributions")
    assert TITLE in venue.words
    treasury.open("/market/payables")
    number = _link_of(treasury, "/market/payables/")
    treasury.go(f"/market/payables/{number}")
    assert treasury.take("PDF").startswith(b"%PDF")
    treasury.follow(story.say("ui.act.close_payable"))
    treasury.press(story.button("close_payable"),
                   {"receipt": "YS2026091000001", "paid_on": "2026-09-04"})  # fmt: skip
    assert story.say("ui.payable.paid") in treasury.words
    _reconcile(story)


def _reconcile(story: Story) -> None:
    """The bank lays its own log beside the bill."""
    bank = story("bank")
    bank.go(story.seen["contract"])
    book = io.BytesIO()
    documents.write_sheet(
        book, title="调用记录",
        columns=(
            documents.SheetColumn(name="call", zh="调用编号"),
            documents.SheetColumn(name="amount", zh="金额（元）", kind=documents.CellKind.DECIMAL),
        ),
        rows=[{"call": "cal_01", "amount": Decimal("1.00")}],
    )  # fmt: skip
    bank.press(
        story.say("ui.contract.reconcile_button"), {}, {"log": ("记录.xlsx", book.getvalue())}
    )
    assert story.say("ui.log_difference.only_theirs") in bank.words


def _is_proven(story: Story, person) -> bool:
    """Whether the bundle can be had; what was recorded just now waits for its checkpoint."""
    taken = person.take(story.say("ui.bundle.take"))
    return taken.startswith(b"{") and bool(json.loads(taken)["leaves"])


def prove(story: Story) -> None:
    """Step 8: from a total to a fact, the day's comparison, the bundle, the month's report."""
    regulator = story("regulator")
    story.region.on("2026-09-14")

    def compared() -> bool:
        regulator.open("/supervision/reconciliations")
        regulator.follow(story.say("ui.act.reconcile_day"))
        regulator.press(story.button("reconcile_day"), {"day": "2026-09-01"})
        return story.say("ui.compared.agrees") in regulator.words

    story.wait(compared)
    number = _link_of(regulator, "/supervision/reconciliations/rcl")
    regulator.go(f"/supervision/reconciliations/rcl{number}")
    story.wait(lambda: _is_proven(story, regulator))
    regulator.open("/supervision/flows")
    flow = _link_of(regulator, "/supervision/flows/mtb")
    regulator.go(f"/supervision/flows/mtb{flow}")
    assert story.name("implementer") in regulator.words
    story.region.on("2026-10-09")
    regulator.open("/supervision/reports")
    regulator.follow(story.say("ui.act.make_report"))
    regulator.press(story.button("make_report"), {"month": "2026-09-01"})
    regulator.follow(story.say("ui.report.check"))
    assert story.say("ui.report.same") in regulator.words
    assert regulator.take("DOCX").startswith(b"PK")
