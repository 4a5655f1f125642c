# SPDX-License-Identifier: Apache-2.0
"""The work of the portal over HTTP: procedures, duties from Excel, catalog, rights, two tables."""

import base64
import hashlib
import io
import json
import re
import time

import openpyxl
import pytest
from portal_world import build
from web_server import running, token

from lingqu import supply, trust
from lingqu.kernel import canon, errors
from lingqu.runtime import new_id
from lingqu.runtime.i18n import catalog

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with running(tmp_path_factory.mktemp("work")) as server:
        yield server, build(server)


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
    return {"table": ("清单.xlsx", target.getvalue(), XLSX)}


def test_what_waits_stands_on_the_desk_with_its_days_and_its_article(world):
    server, _ = world
    with server.browser("clerk", headers={"accept-language": "zh-CN"}) as browser:
        page = browser.get("/").text
        assert re.search(r"剩 \d+ 个工作日", page)
        assert "发改数据规〔2025〕26号）第十条" in page
        assert "行政区划代码首次登记" in page
    with server.browser("buyer") as browser:
        assert "首次登记" not in browser.get("/").text.partition("<main")[2]


def test_a_procedure_is_moved_with_an_opinion_and_a_file_and_its_paper_printed(world):
    server, made = world
    case = made.cases[2]
    path = f"/trust/procedures/{case}"
    with server.browser("buyer") as browser:
        page = browser.get(path)
        fields = hidden(page, move="supplement", opinion="已审核\r\n同意报送")
        bare = browser.post(f"{path}/moves", data=fields)
        assert bare.status_code == 422
        assert "同意报送" in bare.text, "what was typed stays"
        odd = {"files": ("运行.exe", b"MZ", "application/pdf")}
        refused = browser.post(f"{path}/moves", data=fields, files=odd)
        assert "ui.upload.refused" not in refused.text
        assert catalog()["ui.upload.refused"].zh.partition("“")[0] in refused.text
        seal = {"files": ("盖章申请.pdf", b"%PDF-1.7 sealed", "application/pdf")}
        done = browser.post(f"{path}/moves", data=fields, files=seal)
        assert done.status_code == 303, done.text
        after = browser.get(path).text
        assert "盖章申请.pdf" in after
        file = re.search(rf"{path}/files/\w+", after)[0]
        kept = browser.get(file)
        assert kept.content == b"%PDF-1.7 sealed"
        assert "attachment" in kept.headers["content-disposition"]
    with server.browser("clerk", headers={"accept-language": "zh-CN"}) as browser:
        fields = hidden(browser.get(path), move="accept", opinion="受理")
        assert browser.post(f"{path}/moves", data=fields).status_code == 303
        stale = browser.post(f"{path}/moves", data={**fields, "command": new_id(trust.CommandId)})
        assert stale.status_code == 409
        for form, begins in (("docx", b"PK"), ("pdf", b"%PDF")):
            paper = browser.get(f"{path}/documents/acceptance_notice/{form}")
            assert paper.content.startswith(begins)
        assert browser.get(f"{path}/documents/acceptance_notice/exe").status_code == 404
        signed = browser.get(f"{path}/documents/acceptance_notice/json")
        csrf = {"csrf": token(browser.get("/trust/verify")), "key": ""}

        def checked(content):
            files = {"bundle": ("签名.json", content, "application/json")}
            return browser.post("/trust/verify", data=csrf, files=files)

        held = checked(signed.content)
        assert held.status_code == 200
        assert catalog()["ui.verify.paper"].zh in held.text
        assert signed.json()["sha256"] in held.text
        told = signed.json()
        told["content"]["data"]["issuer"] = "别的机关"
        altered = checked(canon.encode(told))
        assert altered.status_code == 422
        told["sha256"] = hashlib.sha256(canon.encode(told["content"])).hexdigest()
        assert checked(canon.encode(told)).status_code == 422, "the signature is of other content"
        assert checked(paper.content).status_code == 200, "a PDF is known by itself"
        altered = checked(paper.content[:-2] + b"\n\n")
        assert altered.status_code == 422
        assert catalog()["runtime.documents.drawing_differs"].next_zh in altered.text
    attach_and_see(server, made, path, paper.content, signed.json()["sha256"])
    with server.browser("venue") as browser:
        for hid in (path, file, f"{path}/documents/acceptance_notice/pdf"):
            assert browser.get(hid).status_code == 404
        nothing = browser.post(
            f"{path}/moves", data=hidden(browser.get("/account"), move="accept", version="3"),
        )  # fmt: skip
        assert nothing.status_code == 404


def attach_and_see(server, made, about, paper, digest):
    """The scan (`trust.copy.attach`): by whose seal belongs there, for whoever holds the paper."""
    words, scan = catalog(), b"\x89PNG\r\n\x1a\n sealed"

    def attach(browser, party, given=paper, scanned=scan):
        form = f"/trust/papers/{about.rpartition('/')[2]}/copies/new"
        files = {"paper": ("受理通知书.pdf", given), "scan": ("扫描件.png", scanned)}
        fields = hidden(browser.get(form), party=str(made.parties[party]))
        return browser.post(form, data=fields, files=files)

    with server.browser("buyer", headers={"accept-language": "zh-CN"}) as browser:
        refused = attach(browser, "bank")
        assert refused.status_code == 403
        assert words["trust.copy.not_its_seal"].zh in refused.text
        assert attach(browser, "registrar").status_code == 403, "not one's own party"
    with server.browser("clerk", headers={"accept-language": "zh-CN"}) as browser:
        odd = attach(browser, "registrar", scanned=b"MZ")
        assert words["trust.copy.bad_scan"].zh in odd.text
        other = attach(browser, "registrar", given=b"%PDF-1.7 of somebody else")
        assert words["runtime.seals.bad_paper"].zh in other.text
        done = attach(browser, "registrar")
        assert (done.status_code, done.headers["location"].partition("?")[0]) == (303, about)
        assert words["ui.papers.copy"].zh in browser.get(about).text
        assert attach(browser, "registrar").status_code == 409, "once is enough"
    with server.browser() as stranger:
        given = {"content": base64.b64encode(paper).decode()}
        found = stranger.post("/api/v1/trust/papers/check", json=given).json()
        assert (found["template"], found["sha256"]) == ("acceptance", digest)
        assert found["sealers"] == [str(made.parties["registrar"])]
        (copy,) = found["copies"]
        kept = stranger.get(f"/api/v1/trust/papers/{digest}/copies/{copy['id']}")
        assert kept.content == scan
        elsewhere = stranger.get(f"/api/v1/trust/papers/{'0' * 64}/copies/{copy['id']}")
        assert elsewhere.status_code == 404, "an id alone shows nothing"
        assert (
            stranger.post("/api/v1/trust/papers/check", json={"content": "AAAA"}).status_code == 422
        )
    with server.browser() as visitor:
        assert visitor.get(f"/trust/papers/{digest}/copies/{copy['id']}").content == scan
    with server.machine() as machine:
        body = {
            "party": str(made.parties["registrar"]),
            "paper": given["content"],
            "scan": base64.b64encode(b"%PDF-1.7 sealed again").decode(),
        }
        key = {"idempotency-key": new_id(trust.CommandId)}
        sent = [machine.post("/api/v1/trust/papers/copies", json=body, headers=key) for _ in "12"]
        assert [one.status_code for one in sent] == [201, 201], sent[0].text
        assert sent[0].json() == sent[1].json()


def test_duties_leave_as_excel_under_official_names_and_come_back_row_by_row(world):
    server, made = world
    with server.browser("provider") as browser:
        out = rows_of(browser.get("/supply/duties?format=xlsx"))
        assert out[0] == ["编号", "数据事项", "职能依据", "行政区划代码", "责任单位", "登记时间"]
        assert len(out) == 5
        page = browser.get("/supply/duties")
        fields = hidden(page, body=str(made.parties["civil"]))
        same = browser.post("/supply/duties/import", data=fields, files=sheet(out))
        assert catalog()["ui.import.nothing_new"].zh in same.text
        changed = [out[0], [out[1][0], "另一事项", *out[1][2:]]]
        new = [None, "殡葬服务机构", "三定规定", "450721", None, None]
        bad = [None, "没有区划", "三定规定", "钦州", None, None]
        foreign = [None, "别人的事项", "三定规定", "450721", "别的单位", None]
        twice = [*out, new, bad, foreign, new]
        refused = browser.post("/supply/duties/import", data=fields, files=sheet(twice))
        assert refused.status_code == 422
        wrong = re.findall(r'<td class="lq-num">(\d+)</td>', refused.text)
        assert wrong == ["7", "8", "9"], "the rows of the sheet, each with its reason"
        edited = browser.post("/supply/duties/import", data=fields, files=sheet(changed))
        assert edited.status_code == 422
        assert len(rows_of(browser.get("/supply/duties?format=xlsx"))) == 5, "none was registered"
        good = browser.post("/supply/duties/import", data=fields, files=sheet([*out, new]))
        assert good.status_code == 303
        assert "殡葬服务机构" in browser.get("/supply/duties?q=殡葬").text
        again = browser.post("/supply/duties/import", data=fields, files=sheet([*out, new]))
        assert again.status_code == 422, "the item has its source now"
        assert (
            browser.post(
                "/supply/duties/import", data=fields, files={"table": ("x.xlsx", b"no", XLSX)}
            ).status_code
            == 422
        )
    with server.browser("buyer") as browser:
        page = browser.get("/supply/duties")
        assert "/supply/duties/import" not in page.text
        fields = hidden(browser.get("/account"), body=str(made.parties["civil"]))
        assert browser.post(
            "/supply/duties/import", data=fields, files=sheet([out[0], new])
        ).status_code in {403, 422}


def test_a_table_of_duties_is_registered_as_a_whole_or_not_at_all(world):
    server, made = world

    def rows(count, **more):
        return [
            {
                "duty": new_id(supply.DutyId),
                "body": made.parties["civil"],
                "item": f"整表事项{place}",
                "basis": "三定规定",
                "territory": "450721",
                **more,
            }
            for place in range(count)
        ]

    with server.machine() as machine:
        path = "/api/v1/supply/duties/table"
        key = {"idempotency-key": new_id(trust.CommandId)}
        given = rows(40)
        bad = machine.post(path, json={"duties": [*given, *rows(1, territory="x")]}, headers=key)
        assert bad.status_code == 422
        key = {"idempotency-key": new_id(trust.CommandId)}
        good = machine.post(path, json={"duties": given}, headers=key)
        assert good.status_code == 201, good.text
        assert [one["item"] for one in good.json()["items"]] == [one["item"] for one in given]
        key = {"idempotency-key": new_id(trust.CommandId)}
        assert machine.post(path, json={"duties": []}, headers=key).status_code == 422
    many = tuple(
        supply.NewDuty(
            id=new_id(supply.DutyId),
            body=made.parties["civil"],
            item="x",
            basis="x",
            territory="45",
        )
        for _ in range(1001)
    )
    with pytest.raises(errors.Rejected) as refused:
        server.execute(supply.register_duties, duties=many)
    assert refused.value.code == "supply.duty.too_many"


@pytest.mark.parametrize(
    ("asked", "found"),
    [("行政区划与代码", 0), ("行政区划代码", 4), ("区划代码 名册", 1), ("100%", 0), ("xzqhdm", 4)],
)
def test_the_catalog_is_searched_in_chinese_by_title_words_and_fields(world, asked, found):
    server, _ = world
    with server.app.database.reading(trust.VISITOR) as tx:
        hits = supply.search_resources(tx, wanted=supply.Wanted(words=asked))
    assert hits.total == found
    assert hits.total == len(hits.items)
    if asked == "行政区划代码":
        assert hits.items[0].title == "行政区划代码", "what is called so comes first"
        assert dict(hits.counts["opening"]) == {"unconditional": 2, "conditional": 1, "none": 1}
        assert sum(count for _, count in hits.counts["level"]) == 4


def test_a_level_is_confirmed_by_who_may_and_offered_to_nobody_else(world):
    server, made = world
    path = f"/supply/resources/{made.resources[3]}"
    with server.browser("officer") as browser:
        fields = hidden(browser.get(path), level="2", reason="公开信息")
        assert browser.post(f"{path}/grade", data=fields).status_code == 303
        assert catalog()["ui.level.2"].zh in browser.get(path).text
    with server.browser("buyer") as browser:
        assert f"{path}/grade" not in browser.get(path).text


def test_the_tree_shows_each_grant_with_its_terms_and_revoking_ends_what_is_below(world):
    server, made = world
    root, child, leaf = made.grants
    with server.browser("operator", headers={"accept-language": "zh-CN"}) as browser:
        page = browser.get(f"/rights/grants/{child}").text
        for name in ("灵山县民政局", "钦州数据运营有限公司", "北部湾银行钦州分行"):
            assert name in page
        assert page.count("不超过第 3 级") >= 1
        assert f"/rights/grants/{child}/revoke" not in page, "only who granted it revokes it"
        unsaid = browser.get(f"/rights/grants/{child}/policy?format=odrl")
        assert unsaid.status_code == 422, "an obligation that counts from the issue"
        assert "策略没有与之完全相同的说法" in unsaid.text
    with server.browser("buyer") as browser:
        assert (
            f"/rights/grants/{leaf}/policy?format=odrl"
            in browser.get(f"/rights/grants/{leaf}").text
        )
        file = browser.get(f"/rights/grants/{leaf}/policy?format=odrl")
        assert f"{leaf}.odrl.json" in file.headers["content-disposition"]
        assert file.json()["uid"] == f"urn:lingqu:id:{leaf}"
        assert browser.get(f"/rights/grants/{root}").status_code == 404
        assert f'href="/rights/grants/{child}"' not in browser.get(f"/rights/grants/{leaf}").text
    with server.browser("operator") as browser:
        # The terms of the leaf name columns alone, without the resource they are of.
        assert browser.get(f"/rights/grants/{leaf}/narrow").status_code == 200
    with server.browser("provider") as browser:
        page = browser.get(f"/rights/grants/{child}")
        fields = hidden(page, cause="misconduct", article="")
        assert browser.post(f"/rights/grants/{child}/revoke", data=fields).status_code == 303
        assert "lq-node is-dead" in browser.get(f"/rights/grants/{root}").text


def test_two_tables_are_compared_and_only_this_session_finds_them_again(world):
    server, _ = world
    left = "代码,名称,上级\n001,城东街道,450721\n002,城西街道,450721\n003,旧州镇,450721\n"
    right = (
        "code,name,city\n001,城西街道办事处,450721\n002,城东街道办事处,450721\n004,陆屋镇,450721\n"
    )
    files = {
        "left": ("甲.csv", left.encode(), "text/csv"),
        "right": ("乙.csv", right.encode("gb18030"), "text/csv"),
    }
    with server.browser("provider") as browser, server.browser("operator") as other:
        fields = {"csrf": token(browser.get("/supply/compare"))}
        page = browser.post("/supply/compare", data=fields, files=files)
        assert page.status_code == 200, page.text
        assert catalog()["ui.compare.safe.derived"].zh in page.text
        again = hidden(page, format="xlsx") | fields
        out = rows_of(browser.post("/supply/compare", data=again))
        assert out[0][:4] == ["差异类别", "代码", "甲表名称", "乙表名称"]
        assert [row[0] for row in out[1:]] == ["同码异名", "同码异名", "仅甲表有", "仅乙表有"]
        stolen = again | {"csrf": token(other.get("/account"))}
        assert other.post("/supply/compare", data=stolen).status_code == 400
        assert browser.post("/supply/compare", data=fields).status_code == 400


ROWS = "code,name,county\n450102001,民生街道,450102\n450102002,朝阳街道,450102\n"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (ROWS.encode("utf-16"), "ui.compare.safe.key"),
        (ROWS.encode("utf-8-sig"), "ui.compare.safe.key"),
        ((ROWS + "450102001,别名,450102\n").encode(), "ui.compare.safe.derived"),
        (b"code,name,county\n1,,3\n2,,3\n", "ui.compare.safe.none"),
        (b'code,name,county\n1,"a,3\n2,b,3\n', "supply.table.broken_quotes"),
        (b"code,name,county\n1,a,3,4\n", "supply.table.ragged_row"),
        (b"code,,county\n1,a,3\n", "supply.table.unnamed_column"),
        (b"code,code,county\n1,a,3\n", "supply.table.duplicate_column"),
        (bytes(range(256)) * 8, "supply.table.encoding"),
        (b"code,name,county\n1," + b"x" * 40_000 + b",3\n", "supply.table.cell_too_long"),
        (b",".join([b"c%d" % n for n in range(2_000)]), "supply.table.too_many_columns"),
    ],
)
def test_what_cannot_be_compared_is_said_on_the_page_with_its_line(world, left, said):
    server, _ = world
    with server.browser("provider", headers={"accept-language": "zh-CN"}) as browser:
        fields = {"csrf": token(browser.get("/supply/compare"))}
        files = {
            "left": ("甲.csv", left, "text/csv"),
            "right": ("乙.csv", ROWS.encode(), "text/csv"),
        }
        page = browser.post("/supply/compare", data=fields, files=files)
    known = catalog()[said]
    if said.startswith("supply."):
        assert page.status_code == 422
        assert known.zh.partition("{table}")[0] + "甲.csv" in page.text
        assert known.next_zh in page.text
    else:
        assert page.status_code == 200
        assert known.zh in page.text


def test_a_rule_shows_its_article_and_two_regions_their_differences(world):
    server, _ = world
    with server.browser(headers={"accept-language": "zh-CN"}) as browser:
        page = browser.get("/trust/rules/registration.acceptance").text
        assert "第十条" in page
        assert "lq-law" in page
        found = browser.get("/trust/rules/compare?before=guangxi&after=guangzhou").text
        assert found.count('class="lq-minus"') > 3
        assert browser.get("/trust/rules/no.such.rule").status_code == 404
        assert browser.get("/trust/rules?profile=nowhere").status_code == 404


def test_an_open_page_hears_of_what_happens(world):
    server, _ = world
    with server.browser("clerk") as browser, browser.stream("GET", "/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        first = json.loads(next(lines).removeprefix("data: "))
        assert first["first"]
        assert first["todos"] >= 1
        server.execute(
            trust.register_party,
            party=new_id(trust.PartyId),
            kind=trust.PartyKind.SYSTEM,
            name="新来的",
        )
        told = json.loads(next(lines).removeprefix("data: "))
        assert (told["first"], told["notices"]) == (False, 0)
    with server.browser() as stranger:
        assert stranger.get("/live").status_code == 303


def test_what_moved_is_new_until_its_reader_has_seen_it(world):
    server, _ = world
    with server.browser("provider", headers={"accept-language": "zh-CN"}) as browser:
        path = "/account/notices"
        page = browser.get(path)
        assert "首次登记" in page.text
        assert catalog()["ui.notices.unread"].zh in page.text
        assert "行政区划代码首次登记" in browser.get(f"{path}?new=unread").text
        seen = browser.post(f"{path}/read", data={"csrf": token(page)})
        assert seen.headers["location"] == path
        browser.cookies.set("lingqu_seen", str(int(time.time()) + 5))
        assert "首次登记" not in browser.get(f"{path}?new=unread").text.partition("<main")[2]
        browser.cookies.set("lingqu_seen", "soon")
        assert browser.get(path).status_code == 200


def test_a_statement_and_the_trial_balance_agree_to_the_cent(world):
    server, made = world
    with server.browser("clearing") as browser:
        lines = rows_of(browser.get(f"/ledger/accounts/{made.account}?format=xlsx"))
        assert lines[1][-1] == 1110.9
        assert "0.00" in browser.get("/ledger/trial-balance").text
    with server.browser("buyer") as browser:
        assert browser.get(f"/ledger/accounts/{made.account}").status_code == 404
        assert browser.get("/ledger/trial-balance").status_code == 403


@pytest.mark.parametrize(
    ("login", "paths"),
    [
        ("clerk", ("/trust/procedures", "/rights/registrations", "/trust/facts")),
        ("buyer", ("/rights/registry", "/market/prices", "/market/offers", "/gate/products")),
        ("regulator", ("/supervision/flows", "/supervision/attempts", "/trust/facts")),
        ("clearing", ("/ledger/accounts/{account}",)),
    ],
)
def test_a_list_is_looked_through_by_every_head_and_filter_it_shows(world, login, paths):
    server, made = world
    with server.browser(login) as browser:
        for path in paths:
            page = browser.get(path.format(account=made.account))
            heads = re.findall(r'class="lq-sort" href="([^"]+)"', page.text)
            filters = re.findall(
                r' name="(\w+)"><option value="">.*?<option value="([^"]+)"', page.text
            )
            asked = [head.replace("&amp;", "&") for head in heads]
            asked += [f"{page.url.path}?{name}={value}" for name, value in filters]
            for one in asked:
                found = browser.get(f"{one}&q=登记 5&page=3")
                assert found.status_code == 200, one
                assert browser.get(one).text.count("<tr>") <= page.text.count("<tr>"), one


def test_the_newest_procedure_of_a_state_is_found_by_the_words_people_read(world):
    server, _ = world
    with server.browser("clerk", headers={"accept-language": "zh-CN"}) as browser:
        page = browser.get("/trust/procedures").text
        words = re.search(r'class="lq-tag[^"]*">([^<]+)</span></td>', page)[1]
        found = browser.get("/trust/procedures", params={"q": words, "sort": "state"}).text
        assert 0 < found.count("<tr>") - 1 <= page.count("<tr>") - 1
        assert words in found
        nothing = browser.get("/trust/procedures", params={"q": words + " 没有这样的事"}).text
        assert catalog()["ui.table.no_match"].zh in nothing


def test_a_view_is_kept_in_the_browser_under_its_name_and_forgotten_again(world):
    server, _ = world
    with server.browser("provider") as browser:
        asked = "/supply/duties?territory=450721&sort=-item"
        page = browser.get(asked)
        fields = {"csrf": token(page), "path": "/supply/duties", "name": "本县的事项"}
        query = "territory=450721&sort=-item"
        kept = browser.post("/views/save", data={**fields, "query": query})
        assert kept.headers["location"] == f"/supply/duties?{query}"
        again = browser.get("/supply/duties").text
        assert "本县的事项" in again
        assert "本县的事项" not in browser.get("/trust/procedures").text
        found = browser.get("/supply/resources?opening=unconditional")
        kind = {**fields, "path": "/supply/resources", "query": "opening=unconditional"}
        assert 'name="query" value="opening=unconditional"' in found.text
        browser.post("/views/save", data={**kind, "name": "可直接用的"})
        assert "可直接用的" in browser.get("/supply/resources").text
        odd = {**fields, "path": "//evil.example", "query": "q=x"}
        assert browser.post("/views/save", data=odd).headers["location"].startswith("/")
        browser.post("/views/drop", data=fields)
        assert "本县的事项" not in browser.get("/supply/duties").text
        for odd in ("W10=" * 50, base64.urlsafe_b64encode(b"[" * 3000).decode()):
            browser.cookies.set("lingqu_views", odd)
            assert browser.get("/supply/duties").status_code == 200
