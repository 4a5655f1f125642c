# SPDX-License-Identifier: Apache-2.0
"""From a described resource to an open file over HTTP: deliveries, findings, lists, catalogs."""

import contextlib
import html
import io
import re
import time

import openpyxl
import pytest
from portal_world import build
from web_server import token

from lingqu import supply, trust
from lingqu.runtime import new_id
from lingqu.runtime.i18n import catalog
from lingqu.supply import Access, Field, FieldKind
from lingqu.trust import procedures

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADS = ["信息项名称", "字段名", "数据类型", "说明", "是否个人信息", "是否主键", "拟定级别"]
BOOK = "code,name,county\n450721001,灵城街道,450721\n450721002,三海街道,450721\n"
OTHER = (
    "code,name,county\n450721001,三海街道,450721\n450721002,灵城街道,450721\n9,坏行,1\n9,坏行,2\n"
)
ZH = {"accept-language": "zh-CN"}


class Doors:
    """The server, with each person signed in once."""

    def __init__(self, server, stack):
        self.app, self.party, self.execute = server.app, server.party, server.execute
        self.server, self.stack, self.open = server, stack, {}

    def browser(self, login=None):
        if login not in self.open:
            client = self.stack.enter_context(self.server.browser(login, headers=ZH))
            self.open[login] = client
        return contextlib.nullcontext(self.open[login])


@pytest.fixture(scope="module")
def world(server):
    with contextlib.ExitStack() as stack:
        yield Doors(server, stack), build(server)


def hidden(page, **fields):
    """The hidden fields of a page's forms, the first of each name."""
    found = dict(reversed(re.findall(r'name="(\w+)" value="([^"]*)"', page.text)))
    return {**found, **fields}


def rows_of(answer):
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    return [[cell.value for cell in row] for row in book.active.iter_rows()]


def sheet(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return {"table": ("表.xlsx", target.getvalue(), XLSX)}


def duty(server, made, item):
    one = new_id(supply.DutyId)
    server.execute(
        supply.register_duty, duty=one, body=made.parties["civil"], item=item,
        basis="三定规定", territory="450721",
    )  # fmt: skip
    return one


def coded(server, made, item):
    """A graded code book of the civil affairs bureau, open to everyone."""
    resource = new_id(supply.ResourceId)
    fields = tuple(
        Field(name=name, label=name, kind=FieldKind.TEXT, is_key=name == "code")
        for name in ("code", "name", "county")
    )
    server.execute(
        supply.describe_resource,
        resource=resource,
        duty=duty(server, made, item),
        description=supply.Description(
            title=item, summary="代码和名称", frequency=supply.Frequency.YEARLY,
            mode=supply.Mode.PHYSICAL, sharing=Access.UNCONDITIONAL,
            opening=Access.UNCONDITIONAL, fields=fields,
        ),
    )  # fmt: skip
    server.execute(supply.grade_resource, resource=resource, level=1, reason="公开")
    return resource


def delivered(browser, resource, content, name="交付.csv"):
    """Hand a file over on the page and wait for its work; gives the page of the work."""
    page = browser.get("/supply/loads")
    fields = hidden(page, resource=str(resource), mode="replace")
    answer = browser.post(
        "/supply/loads", data=fields, files={"file": (name, content.encode(), "text/csv")}
    )
    assert answer.status_code == 303, answer.text
    work = answer.headers["location"]
    until = time.monotonic() + 60
    while time.monotonic() < until:
        seen = browser.get(work)
        assert seen.status_code == 200
        if "?work=" not in seen.text:
            return seen
        time.sleep(0.05)
    raise AssertionError(work)


def test_a_resource_is_described_by_form_and_by_the_table_that_left(world):
    server, made = world
    under = duty(server, made, "养老机构床位")
    with server.browser("provider") as browser:
        page = browser.get(f"/supply/resources/new?duty={under}")
        words = {
            "duty": str(under), "title": "养老机构床位", "summary": "床位数", "frequency": "004",
            "mode": "physical", "sharing": "conditional", "opening": "none", "reason": "管理需要",
        }  # fmt: skip
        bad = [
            HEADS,
            ["机构名称", "jgmc", "文本", "", "否", "否", 2],
            ["床位数", "jgmc", "整数", None, None, None, 9],
            ["日期", "rq", "某日", None, None, None, None],
        ]
        fields = hidden(page, **words) | {"more": ""}
        refused = browser.post("/supply/resources/new", data=fields, files=sheet(bad))
        assert refused.status_code == 422
        assert re.findall(r'<td class="lq-num">(\d+)</td><td>', refused.text)[:1] == ["4"]
        assert "某日" in refused.text
        bad[3][2] = "日期"
        refused = browser.post("/supply/resources/new", data=fields, files=sheet(bad))
        assert re.findall(r'<td class="lq-num">(\d+)</td><td>', refused.text)[:1] == ["3"]
        more = browser.post("/supply/resources/new", data=fields | {"more": "yes"})
        assert "养老机构床位" in more.text, "what was typed stays"
        good = [HEADS, *bad[1:2], ["床位数", "cws", "整数", None, None, None, 1]]
        done = browser.post("/supply/resources/new", data=fields, files=sheet(good))
        assert done.status_code == 303, done.text
        path = done.headers["location"].partition("?")[0]
        out = browser.get(f"/supply/resources/fields.xlsx?resource={path.rpartition('/')[2]}")
        assert rows_of(out)[0] == HEADS
        assert [row[1] for row in rows_of(out)[1:]] == ["jgmc", "cws"]
        page = browser.get(f"{path}/revise")
        again = hidden(page, **words) | {"more": "", "title": "养老机构床位与等级"}
        back = {"table": ("回.xlsx", out.content, XLSX)}
        assert browser.post(f"{path}/revise", data=again, files=back).status_code == 303
        shown = browser.get(path).text
        assert "养老机构床位与等级" in shown
        assert catalog()["ui.level.2"].zh in shown
        assert "/revise" in shown
    with server.browser("buyer") as browser:
        assert browser.get("/supply/resources/new").status_code == 404
        assert browser.get(f"{path}/revise").status_code == 404
        assert "/revise" not in browser.get(path).text
    given = {"account": made.callers["buyer"].account, "party": made.parties["bank"]}
    role = new_id(trust.AssignmentId)
    server.execute(trust.assign_role, assignment=role, role=trust.Role.PROVIDER, **given)
    with server.browser("buyer") as browser:
        first = browser.get("/supply/resources/new")
    server.execute(trust.withdraw_role, assignment=role)
    assert first.status_code == 409
    assert catalog()["ui.describe.no_duty"].next_zh in first.text


def test_a_delivery_is_watched_its_rejects_given_back_and_a_finding_followed(world):
    server, made = world
    left, right = coded(server, made, "街道代码甲"), coded(server, made, "街道代码乙")
    with server.browser("provider") as browser:
        delivered(browser, left, BOOK)
        seen = delivered(browser, right, OTHER)
        load = re.search(r'href="(/supply/loads/lod_\w+)"', seen.text)[1]
        page = browser.get(load).text
        assert catalog()["ui.reject.key_repeated"].zh in page
        assert "坏行" in page
        assert rows_of(browser.get(f"{load}?format=xlsx"))[1][2] == "key_repeated"
        empty = hidden(browser.get("/supply/loads"), resource=str(left), mode="replace")
        lacks = browser.post("/supply/loads", data=empty)
        assert lacks.status_code == 400
        assert f"“{catalog()['ui.load.file'].zh}”" in html.unescape(lacks.text), "its own words"
        wrong = delivered(browser, left, "a,b\n1,2\n")
        assert catalog()["ui.work.state.refused"].zh in wrong.text
        assert "街道代码乙" in browser.get("/trust/works").text
        assert "100%" in browser.get(f"/supply/resources/{right}").text, "its quality"
        fields = hidden(
            browser.get("/supply/sources"), resource=str(right), title="民政业务库", kind="file",
            schema_name="", table_name="",
        )  # fmt: skip
        assert browser.post("/supply/sources", data=fields).status_code == 303
        source = fields["source"]
        assert "民政业务库" in browser.get("/supply/sources").text
        assert rows_of(browser.get("/supply/loads?format=xlsx"))[0][0] == "数据资源"
        ended = hidden(browser.get("/supply/sources"), source=source)
        assert browser.post("/supply/sources/end", data=ended).status_code == 303
    with server.browser("buyer") as browser:
        assert browser.get(load).status_code in {403, 404}
        assert "民政业务库" not in browser.get("/supply/sources").text
    look = {
        "kind": "comparison", "resource": str(left), "other": str(right), "name": "name",
        "parent": "county", "other_name": "", "other_parent": "", "column": "", "within": "",
    }  # fmt: skip
    with server.browser("administrator") as browser:
        page = browser.get("/supply/findings/look")
        csrf = hidden(page)["csrf"]
        seen = browser.post("/supply/findings/look", data={**look, "csrf": csrf})
        assert catalog()["ui.figure.conflicts"].zh in seen.text
        said = {"title": "街道代码错位", "inspector": str(server.party), "superior": "",
                "responsible": str(made.parties["civil"])}  # fmt: skip
        done = browser.post("/supply/findings", data=hidden(seen) | look | said)
        assert done.status_code == 303, done.text
        path = done.headers["location"].partition("?")[0]
    with server.browser("provider") as browser:
        shown = browser.get(path).text
        assert "450721001" in shown
        assert "/trust/procedures/" in shown
        assert "街道代码错位" in browser.get("/supply/findings").text
    with server.browser("officer") as browser:
        # Whoever sees the rectification is led from it to what is to be rectified.
        way = re.search(r"/trust/procedures/prc_\w+", browser.get("/trust/procedures").text)
        assert way
        assert path in browser.get(way[0]).text
        assert browser.get(path).status_code == 200


def import_a_list(server, made, out):
    """The exported list comes back with new rows: previewed, refused by row, proposed whole."""
    new = [str(coded(server, made, f"整表开放{place}")) for place in range(3)]
    out[1][3] = 2026

    def rows(*resources, criteria="行业增值潜力显著"):
        added = [[None, one, None, 2026, "450721", criteria, out[1][6], None, None]
                 for one in resources]  # fmt: skip
        return sheet([*out, *added])

    with server.browser("provider") as browser:
        csrf = {"csrf": token(browser.get("/supply/opening"))}

        def sent(files):
            return browser.post("/supply/opening/import", data=csrf, files=files)

        twice = sent(rows(*new, new[0]))
        assert twice.status_code == 422
        assert re.findall(r'<td class="lq-num">(\d+)</td>', twice.text) == ["6"]
        assert sent(rows(new[0], criteria="好看")).status_code == 422
        shown = sent(rows(*new[:2]))
        assert "整表开放1" in shown.text
        before = len(rows_of(browser.get("/supply/opening?format=xlsx")))
        fields = {name: html.unescape(said) for name, said in hidden(shown).items()}
        stale = sent(rows(new[1], new[2]))
        done = browser.post("/supply/opening/table", data=fields)
        assert done.status_code == 303, done.text
        after = rows_of(browser.get("/supply/opening?format=xlsx"))
        assert len(after) == before + 2
        assert [row[7] for row in after[1:3]] == ["已提出", "已提出"]
        late = {name: html.unescape(said) for name, said in hidden(stale).items()}
        refused = browser.post("/supply/opening/table", data=late)
        assert refused.status_code == 422, "one of its rows was proposed meanwhile"
        assert len(rows_of(browser.get("/supply/opening?format=xlsx"))) == before + 2
        odd = browser.post("/supply/opening/table", data=late | {"rows": "[[1, {}]]"})
        assert odd.status_code in {400, 422}
    with server.browser("buyer") as browser:
        fields |= {"csrf": token(browser.get("/account"))}
        assert browser.post("/supply/opening/table", data=fields).status_code in {403, 422}


def test_a_list_is_published_a_file_opened_and_a_catalog_elsewhere_reconciled(world):
    server, made = world
    resource = coded(server, made, "公开街道代码")
    with server.browser("provider") as browser:
        delivered(browser, resource, BOOK)
        page = browser.get("/supply/opening")
        fields = hidden(page, resource=str(resource), year="2026", territory="450721",
                        due_on="2026-12-31")  # fmt: skip
        assert browser.post("/supply/opening", data=fields).status_code == 422, "no criterion"
        done = browser.post("/supply/opening", data=fields | {"criterion-value": "yes"})
        line = done.headers["location"].partition("?")[0]
    with server.browser("administrator") as browser:
        assert browser.post(f"{line}/confirm", data=hidden(browser.get(line))).status_code == 303
        fields = hidden(browser.get("/supply/opening"), year="2026", territory="450721")
        assert browser.post("/supply/opening/publish", data=fields).status_code == 303
        out = rows_of(browser.get("/supply/opening?format=xlsx"))
        assert out[1][5:8] == ["行业增值潜力显著", out[1][6], "已发布"]
        csrf = {"csrf": fields["csrf"]}
        same = browser.post("/supply/opening/import", data=csrf, files=sheet(out))
        assert same.status_code == 200
        assert catalog()["ui.import.nothing_new"].zh in same.text
        out[1][3] = 2027
        differs = browser.post("/supply/opening/import", data=csrf, files=sheet(out))
        assert '<td class="lq-num">2</td>' in differs.text
    import_a_list(server, made, out)
    with server.browser("provider") as browser:
        said = {"title": "街道代码", "summary": "全县", "terms": "请注明来源", "recipe": "table",
                "other": ""}  # fmt: skip
        opened = browser.post(f"{line}/files", data=hidden(browser.get(line), **said))
        assert opened.status_code == 303, opened.text
        file = opened.headers["location"].partition("?")[0]
    with server.browser() as anyone:
        assert "请注明来源" in anyone.get(file).text
        assert "街道代码" in anyone.get("/supply/open").text
        assert "街道代码" in anyone.get(f"/supply/resources/{resource}").text
    with server.browser("administrator") as browser:
        fields = hidden(browser.get("/supply/catalogs"), title="市信用平台", operator="数据局")
        made_ = browser.post("/supply/catalogs", data=fields)
        path = made_.headers["location"].partition("?")[0]
        written = browser.post(f"{path}/write", data=hidden(browser.get(path)))
        assert b"dcat:Catalog" in written.content
        answer = rows_of(browser.get(f"{path}?format=xlsx"))
        silent = browser.post(f"{path}/report", data=hidden(browser.get(path)), files=sheet(answer))
        assert silent.status_code == 422, "a row without an answer is named"
        answer[1][2:4] = ["未收录", "缺少更新频率"]
        fields = hidden(browser.get(path))
        assert browser.post(f"{path}/report", data=fields, files=sheet(answer)).status_code == 303
        assert "缺少更新频率" in browser.get(path).text
        assert "缺少更新频率" in browser.get(file).text
        assert browser.post(f"{file}/withdraw", data=hidden(browser.get(file))).status_code == 303
        assert browser.get(file).status_code == 404


def test_a_paper_is_opened_drafted_returned_reviewed_and_signed_by_three_people(world):
    server, made = world
    with server.browser("provider") as browser:
        page = browser.get("/trust/procedures/new")
        assert "chart=approval" in page.text
        assert browser.get("/trust/procedures/new?chart=market.listing").status_code == 404
        page = browser.get("/trust/procedures/new?chart=approval")
        fields = hidden(page, title="数据开放计划", subject=str(made.resources[0]),
                        owner=str(made.parties["civil"]), **{
            "alone-drafter": "yes", "role-reviewer": "没有这个单位",
            "role-signer": "广西公共数据资源登记中心"})  # fmt: skip
        assert "没有这个单位" in browser.post("/trust/procedures/new", data=fields).text
        fields["role-reviewer"] = "灵山县民政局"
        done = browser.post("/trust/procedures/new", data=fields)
        assert done.status_code == 303, done.text
        path = done.headers["location"].partition("?")[0]

    def move(login, name, **said):
        with server.browser(login) as browser:
            fields = hidden(browser.get(path), move=name, **said)
            return browser.post(f"{path}/moves", data=fields)

    assert move("provider", "present").status_code == 303
    assert move("provider", "agree", opinion="同意").status_code in {403, 409}, "another person"
    assert move("officer", "give_back", opinion="请补充时限").status_code == 303
    assert move("provider", "present").status_code == 303
    assert move("officer", "agree", opinion="同意").status_code == 303
    assert move("clerk", "sign", opinion="签发").status_code == 303
    with server.browser("provider") as browser:
        text = browser.get(path).text
        assert "请补充时限" in text
        assert catalog()["ui.procedure.over"].zh in text


def test_people_of_a_party_are_named_for_its_part_and_released_again(world):
    server, made = world
    path = f"/trust/procedures/{made.cases[2]}"
    with server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        view = procedures.get_procedure(tx, made.cases[2])
        assert len(view.participants) == 2
    account = made.callers["buyer"].account
    with server.browser("administrator") as browser:
        page = browser.get(path)
        assert "participants" in page.text
        fields = hidden(page, role=f"complainant/{made.parties['bank']}", account=str(account))
        assert browser.post(f"{path}/participants", data=fields).status_code == 303
        part = re.search(r'name="participant" value="(\w+)"> <button', browser.get(path).text)[1]
        gone = hidden(browser.get(path), participant=part)
        assert browser.post(f"{path}/release", data=gone).status_code == 303
