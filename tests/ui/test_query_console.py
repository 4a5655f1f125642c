# SPDX-License-Identifier: Apache-2.0
"""The query console: a query explained, refused at its field, asked, kept as a file."""

import contextlib
import html
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
from looking import CASES, look_at, open_pages, picture
from web_server import PASSWORD, running, token

from lingqu import errands, gate, market, rights, supervision, supply, trust
from lingqu.gate.governance import (
    DpTerms,
    GovernedColumn,
    GovernedTable,
    Grid,
    GridKind,
    Measure,
    Mode,
    QueryPolicy,
    Role,
)
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.paging import PageRequest
from lingqu.market import listings
from lingqu.rights import registry
from lingqu.runtime import Caller, new_id
from lingqu.runtime.engine import Cancel
from lingqu.runtime.i18n import catalog
from lingqu.runtime.yamls import read_yaml
from lingqu.supply import Access, Description, Field, FieldKind, Frequency
from lingqu.trust import holds

if (there := str(Path(__file__).parents[1] / "market")) not in sys.path:
    sys.path.insert(0, there)

from bazaars import BEGIN, Bazaar, at  # found through the path above

CREDIT = "industry.finance.credit"
TOWNS = ("甲", "乙", "丙")
ROWS = "".join(f"p{n:03},{TOWNS[n % 3]},{n % 50}\n" for n in range(90)) + "q1,丁,7\n"


class Hall(Bazaar):
    """A bazaar where queries are sold, on a server whose people sign in by the names of roles."""

    FORM = listings.ProductForm.QUERY

    def __init__(self, server):
        self.server = server
        self.database = server.app.database
        super().__init__(self)

    def found(self, *, story_from):
        assert story_from is not None

    def do(self, command, caller=trust.LOCAL_ADMINISTRATOR, /, **arguments):
        return trust.execute(self.database, command, caller, new_id(trust.CommandId), **arguments)

    def account(self, party, *, role):
        account = new_id(trust.AccountId)
        login = None
        if role in {trust.Role.BUYER, trust.Role.OPERATOR}:
            login = f"the-{role.value}"
        self.do(
            trust.open_account, account=account, party=party, kind=trust.AccountKind.PERSON,
            login=login, password=login and trust.hash_password(PASSWORD),
        )  # fmt: skip
        assignment = new_id(trust.AssignmentId)
        self.do(trust.assign_role, assignment=assignment, account=account, role=role, party=party)
        return Caller(account=account, channel="web")

    def make_product(self, root):
        """A table of visits, loaded, and a product that answers queries about it."""
        policy = _policy(self._load())
        self.grant = self.do(
            rights.issue_grant,
            grant=new_id(rights.GrantId),
            parent=root.id,
            holder=self.seller,
            kind=rights.GrantKind.OPERATING,
            terms=TermsForm(fields=gate.fields_of(policy)),
            quotas=(rights.Quantity(currency=market.CALL, amount=10_000),),
        )
        product = new_id(gate.ProductId)
        self.do(
            gate.define_product,
            self.operator,
            product=product,
            grant=self.grant.id,
            form=gate.Form.QUERY,
            title="就诊统计查询",
            summary="按乡镇查询就诊人次。",
            policy=policy,
        )
        command = new_id(trust.CommandId)
        errands.publish_product(self.server.app, self.operator, command, product=product)
        return product, self.grant.id

    def _load(self):
        duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
        self.do(
            supply.register_duty, duty=duty, body=self.body, item="就诊", basis="三定",
            territory="45",
        )  # fmt: skip
        fields = (
            Field(name="person", label="人员", kind=FieldKind.TEXT, is_key=True),
            Field(name="town", label="乡镇", kind=FieldKind.TEXT),
            Field(name="amount", label="金额", kind=FieldKind.INTEGER),
        )
        self.do(
            supply.describe_resource,
            resource=resource,
            duty=duty,
            description=Description(
                title="就诊", summary="就诊", frequency=Frequency.YEARLY, mode=supply.Mode.PHYSICAL,
                sharing=Access.UNCONDITIONAL, opening=Access.UNCONDITIONAL, fields=fields,
            ),
        )  # fmt: skip
        self.do(supply.grade_resource, resource=resource, level=2, reason="公开")
        errands.deliver_file(
            self.server.app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), resource=resource,
            name="visits.csv", content=f"person,town,amount\n{ROWS}".encode(),
        )  # fmt: skip
        return resource


def _policy(resource):
    exact = Grid(kind=GridKind.EXACT)
    amount = Measure(scale=0, lower=0, upper=100)
    return QueryPolicy(
        tables=(
            GovernedTable(
                name="visit",
                resource=resource,
                entity="person",
                threshold=5,
                columns=(
                    GovernedColumn(name="person", role=Role.KEY, type="VARCHAR"),
                    GovernedColumn(name="town", role=Role.QUASI, type="VARCHAR", grid=exact),
                    GovernedColumn(name="amount", role=Role.MEASURE, type="BIGINT", measure=amount),
                ),
            ),
        ),
        modes=(Mode.CUBE, Mode.AD_HOC, Mode.DP),
        dp=DpTerms(
            contribution=5, rho_least=10, rho_most=1_000, organization_ceiling=10_000,
            dataset_ceiling=100_000,
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    with running(tmp_path_factory.mktemp("query"), story_from=at(BEGIN)) as server:
        made = Hall(server)
        made.admit(made.seller, made.operator, market.MemberRole.SELLER)
        made.admit(made.buyer, made.banker, market.MemberRole.BUYER)
        made.listing = made.listed(title="就诊统计查询", summary="按乡镇查询就诊人次。")
        made.pay_in(20_000)
        made.contract = made.in_force(made.listing)
        yield made


@pytest.fixture
def person(hall):
    with hall.server.browser("the-buyer") as client:
        client.path = f"/market/contracts/{hall.contract.id}/console"
        yield client


def send(person, page, act, **fields):
    """Press a button of the console's form, as it stands on a page."""
    call = re.search(r'name="call" value="([^"]+)"', page.text)[1]
    given = {"csrf": token(page), "call": call, "purpose": CREDIT, "mode": "cube", "act": act}
    return person.post(person.path, data=given | fields)


def calls_of(hall):
    """What was metered under the contract."""
    page = PageRequest(size=5)
    return hall.read(gate.find_calls, page=page, grant=hall.contract.grant_id).items


def test_a_query_is_explained_asked_and_kept_as_a_file_without_script(hall, person):
    page = person.get(person.path)
    said = html.unescape(page.text)
    example = "SELECT town, count(*) AS n, sum(amount) AS total\nFROM visit\nGROUP BY town"
    for words in (example, "每组至少要有 5 个不同的人员", "count(DISTINCT person)",
                  "分组和筛选，按原值：town", "每个值限定在 0 至 100", "10 至 1000"):  # fmt: skip
        assert words in said, words
    told = send(person, page, "explain", query=example)
    assert (told.status_code, "可以应答" in told.text) == (200, True)
    assert not calls_of(hall)
    answer = send(person, told, "ask", query=example)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", answer.text)
    assert cells == ["乙", "30", "685", "甲", "30", "655"], "a second town goes with the small one"
    assert "gate.query.threshold" in answer.text
    kept = (
        html.unescape(answer.text).partition('name="act" value="sheet"')[0].rpartition("<form")[2]
    )
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', kept))
    book = person.post(person.path, data={**fields, "act": "sheet"})
    sheet = openpyxl.load_workbook(io.BytesIO(book.content)).active
    heads, *lines = sheet.iter_rows(values_only=True)
    assert heads == ("town", "n", "total", "说明")
    assert [str(cell) for line in lines[:2] for cell in line[:3]] == cells
    assert any("gate.query.threshold" in line[3] for line in lines)
    assert [one.units for one in calls_of(hall)] == [1], "the file is the same answer again"


@pytest.mark.parametrize(
    ("field", "code", "given"),
    [
        ("query", "gate.query.", {"query": "SELECT * FROM visit"}),
        ("query", "gate.call.query_missing", {"query": " "}),
        ("mode", "gate.query.mode", {"mode": "other"}),
        ("rho", "gate.noise.budget", {"mode": "dp", "rho": "5"}),
        ("rho", "ui.form.field_refused", {"mode": "dp", "rho": "viel"}),
        ("purpose", "gate.call.wrong_purpose", {"purpose": "welfare"}),
    ],
)
def test_a_refusal_stands_at_its_field_with_its_code_and_what_was_typed(
    person, field, code, given
):  # fmt: skip
    query = "SELECT count(*) AS 人次 FROM visit"
    page = send(person, person.get(person.path), "ask", **{"query": query} | given)
    assert page.status_code >= 400
    after = page.text.partition(f'id="{field}"')[2]
    assert after.find("lq-note-bad") < after.find('class="lq-field"') or field == "purpose"
    assert f"<code>{code}" in after.partition("lq-actions")[0]
    assert html.escape(given.get("query", query)) in page.text


def test_what_does_not_run_cannot_be_stopped_and_the_listing_says_how_it_is_asked(hall, person):
    page = send(person, person.get(person.path), "stop", query="SELECT count(*) FROM visit")
    assert "没有正在运行的查询" in page.text
    listing = f"/market/listings/{hall.listing.id}"
    assert "只给出汇总；回答方式：已发布的格" in person.get(listing).text
    assert person.get(f"{listing}/certificate/pdf").content.startswith(b"%PDF")


def test_a_query_that_waits_says_its_place_is_stopped_and_fetched_by_machines(hall, person):
    """All turns are taken by others, so the query waits; then they are given back."""
    asking = hall.server.app.asking
    with contextlib.ExitStack() as others:
        for number in range(hall.server.app.settings.engine_workers):
            others.enter_context(asking._turns.taken(f"other-{number}", Cancel()))
        query = "SELECT town, count(*) AS n FROM visit GROUP BY town ORDER BY town"
        sent = send(person, person.get(person.path), "ask", query=query, mode="ad_hoc")
        where = sent.headers["location"]
        until = time.monotonic() + 60
        while "第 1 位" not in (waiting := person.get(where)).text:
            assert time.monotonic() < until, "it never came to the queue"
            time.sleep(0.05)
        assert '<meta http-equiv="refresh"' in waiting.text
        stopped = send(person, waiting, "stop", query=query, mode="ad_hoc")
        assert "已停止正在运行的查询" in stopped.text
        call = where.rpartition("/")[2]
        asking.underway.wait(hall.contract.grant_id, gate.CallId(call), wait_ms=60_000)
        assert "gate.query.stopped" in person.get(where).text
    with hall.server.machine() as machine:
        asked = {
            "call": new_id(gate.CallId), "grant": hall.contract.grant_id, "mode": "ad_hoc",
            "product": hall.contract.product, "purpose": CREDIT, "query": query,
        }  # fmt: skip
        base = "/api/v1/gate/queries"
        begun = machine.post(f"{base}/begin", json=asked)
        assert begun.status_code == 202, begun.text
        asking.underway.wait(asked["grant"], asked["call"], wait_ms=60_000)
        under = {"grant": asked["grant"]}
        standing = machine.get(f"{base}/{asked['call']}", params=under).json()
        assert (standing["stage"], standing["percent"]) == ("answered", 100)
        told = machine.get(f"{base}/{asked['call']}/answer", params=under)
        head, *rows = [json.loads(line) for line in told.text.splitlines()]
        assert (head["released"]["columns"], len(rows)) == (["town", "n"], 2)
        assert machine.get(f"{base}/{call}/answer", params=under).json()["code"] == (
            "gate.query.stopped"
        )
        unknown = machine.get(f"{base}/{new_id(gate.CallId)}", params=under)
        assert unknown.json()["code"] == "gate.query.not_here"


def test_what_all_buyers_could_learn_together_is_said_to_who_offers_it(hall, person):
    path = f"/gate/products/{hall.contract.product}/reveals"
    with hall.server.browser("the-operator") as client:
        text = client.get(path).text
        assert "现有 1 家单位持有有效授权" in text
        assert "就诊·乡镇：能按公布的网格分组和筛选" in text
        assert "ε = " in text
    assert "现有 1 家" not in person.get(path).text, "who buys is not told how many others do"
    with hall.server.machine() as machine:
        (told,) = machine.get(
            f"/api/v1/gate/products/{hall.contract.product}/reveals?language=en"
        ).json()["datasets"]
        ways = {one["column"]: one["ways"] for one in told["columns"]}
        assert ways == {"person": ["counted"], "town": ["grid"], "amount": ["summed", "noise"]}
        assert told["live"]["holders"] == 1
        assert any("At least 5 different entities" in line for line in told["alone"])


class Editor:
    """The policy editor as somebody without script uses it."""

    def __init__(self, client, path):
        self.client, self.path = client, path
        self.fields = self._read(client.get(path))

    def press(self, act, **changes):
        """Press a button with what stands in the form, changed so; gives the page."""
        sent = {**self.fields, **{name.replace("__", "."): one for name, one in changes.items()}}
        if act != "do":
            sent["act"] = act
        page = self.client.post(self.path, data=sent)
        if 'id="editor"' in page.text:
            self.fields = self._read(page)
        return page

    def _read(self, page):
        """What a browser would send: inputs, chosen options, texts."""
        text = page.text.partition('id="act-form"')[2]
        self.fields = {"csrf": token(page)}
        for tag in re.findall(r"<input [^>]*>", text):
            name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
            if name and ("checkbox" not in tag or " checked" in tag):
                self.fields[name[1]] = html.unescape(value[1]) if value else ""
        for name, inside in re.findall(r'<select [^>]*name="([^"]+)".*?>(.*?)</select>', text):
            chosen = re.search(r'<option value="([^"]*)" selected', inside)
            self.fields[name] = (chosen or re.search(r'<option value="([^"]*)"', inside))[1]
        for name, inside in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', text,
                                       flags=re.DOTALL):  # fmt: skip
            self.fields[name] = html.unescape(inside)
        return self.fields


def test_every_paper_of_a_sale_is_marked_and_known_again(hall, person):
    registration = f"/rights/registry/{hall.read(_registered, hall.listing.code)}"
    contract = f"/market/contracts/{hall.contract.id}"
    papers = {
        f"{contract}/document/": "agreement",
        f"{contract}/bill/": "bill",
        f"/market/listings/{hall.listing.id}/certificate/": "product_certificate",
        f"{registration}/certificate/": "certificate",
    }
    for path, template in papers.items():
        drawn = [person.get(f"{path}{ending}").content for ending in ("docx", "json")]
        found = [errands.check_paper(hall.server.app, one) for one in drawn]
        assert {one.paper.template for one in found} == {template}
        assert found[0].sha256 == found[1].sha256, "the file says what was signed"
        assert found[0].paper.subject in path
    for place in (contract, f"/market/listings/{hall.listing.id}", registration):
        assert (
            "/certificate/json" in person.get(place).text
            or "/document/json" in person.get(place).text
        )
    filed = person.get(f"/market/listings/{hall.listing.id}/material").content
    with zipfile.ZipFile(io.BytesIO(filed)) as archive:
        for name in archive.namelist():
            if name.endswith(".pdf"):
                errands.check_paper(hall.server.app, archive.read(name))


def _registered(tx, code):
    return registry.find_by_code(tx, code).id


def test_who_is_concerned_is_told_in_the_portal(hall):
    """Offers, contracts, publicity, rights and supervision: each to its party, and no other."""
    words = catalog()
    waiting = hall.propose(hall.listing, ends_at=at(hall.day + timedelta(days=20)))
    seen = told(hall, "the-operator", "contract_waits")
    assert f"/market/contracts/{waiting.id}" in seen
    for kind in ("publicity_over", "contract_concluded"):
        assert words[f"ui.notices.told.{kind}"].zh in seen
    assert words["ui.notices.told.contract_waits"].zh not in told(
        hall, "the-buyer", "contract_concluded"
    )
    hall.sign(waiting, "buyer")
    short = hall.sign(waiting, "seller")
    ends = words["ui.notices.grant_ends"].zh.partition("{")[0]
    with hall.server.browser("the-buyer", headers={"accept-language": "zh-CN"}) as client:
        assert ends in client.get("/account/notices").text, "it ends in twenty days"
    hold = hall.do(
        holds.place_hold, hold=new_id(holds.HoldId), subject=short.grant_id,
        reason=holds.HoldReason.DISPUTE, article="合同约定", evidence=None,
    )  # fmt: skip
    told(hall, "the-buyer", "held")
    hall.do(holds.lift_hold, hold=hold.id)
    told(hall, "the-buyer", "freed")
    hall.do(
        supervision.open_case, case=new_id(supervision.CaseId),
        kind=supervision.CaseKind.INSPECTION, subject=short.id, summary="例行检查",
    )  # fmt: skip
    told(hall, "the-buyer", "case_opened")
    assert words["ui.notices.told.case_opened"].zh in told(hall, "the-operator", "case_opened")
    hall.do(
        rights.revoke_grant, grant=short.grant_id, cause=rights.RevocationCause.ERROR, article=None
    )
    assert ends not in told(hall, "the-buyer", "grant_revoked"), "what was revoked ends no more"


def told(hall, login, kind):
    """The page of notices once it has a notice of a kind."""
    wanted = catalog()[f"ui.notices.told.{kind}"].zh
    until = time.monotonic() + 60
    with hall.server.browser(login, headers={"accept-language": "zh-CN"}) as client:
        while True:
            page = client.get("/account/notices").text
            if wanted in page:
                return page
            assert time.monotonic() < until, kind
            time.sleep(0.05)


def test_the_builder_begins_with_the_strictest_policy_and_is_edited_without_script(hall):
    path = f"/gate/define/{hall.grant.id}?form=query"
    with hall.server.browser("the-operator") as client:
        editor = Editor(client, path)
        draft = read_yaml(editor.fields["policy"])["tables"][0]["columns"]
        assert [(one["name"], one["role"]) for one in draft] == [
            ("person", "key"), ("town", "sensitive"), ("amount", "sensitive"),
        ]  # fmt: skip
        first = client.get(path).text
        assert "不能出现在任何回答里：就诊·人员、就诊·乡镇、就诊·金额" in first
        assert "gate.query" not in first.partition('id="preview"')[2].partition("</section>")[0]
        # A role brings its grid along, the grid its listed values; the explanation follows.
        editor.press("preview", tables__0__columns__1__role="dimension")
        editor.press("preview", tables__0__columns__1__grid__kind="exact")
        page = editor.press("preview", tables__0__columns__1__grid__values="甲, 乙, 丙, 丁")
        assert "取值为 甲、乙、丙、丁" in page.text
        assert "可以回答" in page.text
        grid = read_yaml(editor.fields["policy"])["tables"][0]["columns"][1]["grid"]
        assert grid == {"kind": "exact", "values": ["甲", "乙", "丙", "丁"]}
        # Rows go and come; what is missing is filled in with the strictest roles.
        editor.press("drop:tables.0.columns.2")
        assert "tables.0.columns.2.name" not in editor.fields
        editor.press("fill:tables.0.columns")
        assert editor.fields["tables.0.columns.2.name"] == "amount"
        editor.press("preview", tables__0__columns__2__role="measure")
        wrong = editor.press("preview", tables__0__columns__2__measure__upper="12.5")
        assert "“上界”没有填写，或格式不对" in wrong.text
        wrong = editor.press("do", tables__0__columns__2__measure__upper="-1", title="t",
                             summary="s", command=new_id(trust.CommandId))  # fmt: skip
        assert wrong.status_code == 422
        at = wrong.text.partition('id="p-tables-0-columns-2-measure-scale"')[2]
        assert at.find("lq-note-bad") < at.find('class="lq-part'), "beside the measure it is about"


def test_the_text_underneath_is_the_policy_too_and_neither_side_is_lost(hall):
    path = f"/gate/products/{hall.contract.product}/revise"
    with hall.server.browser("the-operator") as client:
        editor = Editor(client, path)
        text = editor.fields["policy"]
        policy = gate.policy_of(hall.read(gate.get_product, product=hall.contract.product))
        assert gate.parse_policy(gate.Form.QUERY, read_yaml(text)) == policy
        stricter = text.replace("threshold: 5", "threshold: 7")
        told = editor.press("preview", policy=stricter)
        assert "每一组至少要有 7 个不同的" in told.text
        assert "以文本为准" in told.text
        both = editor.press("do", policy=stricter, rounding="10", command=new_id(trust.CommandId))
        assert both.status_code == 422
        assert "表单和下面的文本都改过" in both.text
        assert editor.fields["policy"] == stricter.strip()
        assert editor.fields["rounding"] == "10"
        editor.press("paste")
        assert editor.fields["tables.0.threshold"] == "7"
        assert editor.fields["rounding"] == "1"
        for line, bad in ((1, "tables: &a []"), (2, "a: 1\na: 2"), (1, "x: !!python/name:os.x")):
            page = editor.press("paste", policy=bad)
            assert f"第 {line} 行起读不懂" in page.text
        page = editor.press("paste", policy=stricter.replace("role: quasi", "role: nobody"))
        assert "位置：tables.columns.role" in page.text


def test_every_part_of_a_verification_is_edited_by_rows(hall):
    path = f"/gate/define/{hall.grant.id}?form=verification"
    with hall.server.browser("the-operator") as client:
        editor = Editor(client, path)
        value = editor.fields["predicates.0.yes.0.key"].replace(".person", ".amount")
        editor.press("preview", subject__characters="text", predicates__0__yes__0__value=value,
                     predicates__0__name="costs", predicates__0__measure__asks="band")  # fmt: skip
        editor.press("add:predicates")
        page = editor.press(
            "preview", predicates__0__measure__reads="integer",
            predicates__0__measure__bounds="10, 20", predicates__0__measure__bands="低, , 高",
            predicates__1__name="known",
        )  # fmt: skip
        assert "落在哪一档：低、高" in page.text
        editor.press("add:combined")
        page = editor.press(
            "preview", combined__0__name="both", combined__0__how="each",
            combined__0__of__costs="yes", combined__0__of__known="yes",
        )  # fmt: skip
        assert "把 costs、known 一次问完" in page.text
        written = read_yaml(editor.fields["policy"])
        assert written["predicates"][0]["measure"] == {
            "asks": "band", "reads": "integer", "bounds": [10, 20], "bands": ["低", "", "高"],
        }  # fmt: skip
        wrong = editor.press("do", predicates__0__measure__bounds="20, 10", title="t", summary="s",
                             command=new_id(trust.CommandId))  # fmt: skip
        assert wrong.status_code == 422
        at = wrong.text.partition('id="p-predicates-0-measure-bounds"')[2]
        assert at.find("lq-note-bad") < at.find('class="lq-part')


def at_the_terminal(hall, *words):
    told = subprocess.run(
        [str(Path(sys.executable).with_name("lingqu")), *words, "--json"],
        env=os.environ | {"LINGQU_DATA_DIR": str(hall.server.app.settings.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return json.loads(told.stdout)


def test_a_query_is_asked_at_the_terminal(hall):
    words = ("gate", "query", hall.contract.grant_id, hall.contract.product,
             "SELECT town, count(*) AS n FROM visit GROUP BY town", "--purpose", CREDIT,
             "--mode", "ad_hoc")  # fmt: skip
    rows = at_the_terminal(hall, *words)["answer"]["released"]["rows"]
    assert max(row[1] for row in rows) == "30"


def test_a_paper_of_the_terminal_is_checked_and_its_sealed_copy_attached(hall, tmp_path):
    paper, scan = tmp_path / "合约.docx", tmp_path / "扫描件.pdf"
    at_the_terminal(hall, "market", "paper", hall.contract.id, "--output", str(paper))
    scan.write_bytes(b"%PDF-1.7 sealed")
    attach = ("document", "attach", str(paper), str(scan), "--party", hall.seller)
    made = at_the_terminal(hall, *attach)["copy"]
    found = at_the_terminal(hall, "document", "check", str(paper))
    assert (found["template"], found["subject"]) == ("agreement", hall.contract.id)
    assert [one["id"] for one in found["copies"]] == [made["id"]]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(os.environ.get("NO_BROWSER") == "1", reason="NO_BROWSER=1")
def test_the_pages_of_queries_are_whole_accessible_and_fit(hall, chromium):
    product, contract = hall.contract.product, hall.contract.id
    found = (
        ("the-operator", "query-policy", f"/gate/products/{product}/revise"),
        ("the-operator", "verification-policy", f"/gate/define/{hall.grant.id}?form=verification"),
        ("the-operator", "reveals", f"/gate/products/{product}/reveals"),
        ("the-buyer", "query-console", f"/market/contracts/{contract}/console"),
        ("the-buyer", "notices-told", "/account/notices"),
        ("the-buyer", "copy-attach", f"/trust/papers/{contract}/copies/new"),
    )
    if os.environ.get("SCREENSHOTS"):
        asked = {"query": "SELECT town, count(*) AS n FROM visit GROUP BY town"}
        picture(
            hall.server, chromium, found,
            {"query-policy": None, "reveals": None, "query-console": ("ui.query.ask", asked)},
        )  # fmt: skip
    trouble = {case: look_at(hall.server, chromium, found, *case) for case in CASES}
    assert trouble == {case: [] for case in CASES}


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(os.environ.get("NO_BROWSER") == "1", reason="NO_BROWSER=1")
def test_with_script_the_explanation_and_the_text_follow_what_is_typed(hall, chromium):
    visit, close = open_pages(hall.server, chromium, "zh-CN", "desk", script=True)
    try:
        page = visit("the-operator", f"/gate/products/{hall.contract.product}/revise")
        page.fill('[name="tables.0.threshold"]', "9")
        page.press('[name="tables.0.threshold"]', "Tab")
        page.locator("#preview", has_text="每一组至少要有 9 个不同的").wait_for()
        assert "threshold: 9" in page.input_value("#f-policy")
        page.select_option('[name="tables.0.columns.1.grid.kind"]', "bands")
        page.locator('[name="tables.0.columns.1.grid.edges"]').wait_for()
        page.get_by_role("button", name="添加一列", exact=True).click()
        page.locator('[name="tables.0.columns.3.name"]').wait_for()
        assert page.input_value('[name="tables.0.threshold"]') == "9"
    finally:
        close()
