# SPDX-License-Identifier: Apache-2.0
"""Every figure of the region's story, out of the software, after three kills."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from terminal import VERIFY

from lingqu.cli.story import STORIES

TOWNS = {"left_rows": 1284, "right_rows": 1257, "shared": 1179, "conflicts": 127, "swapped": 123,
         "matched": 1249, "left_only": 35, "right_only": 8, "safe_key": "derived"}  # fmt: skip

pytestmark = pytest.mark.timeout(900)


def figures(story, beat):
    """The figures of one beat."""
    return next(one["figures"] for one in story.told["beats"] if one["name"] == beat)


def test_six_bodies_deliver_and_one_is_read_where_it_lies(guangxi):
    rows = {
        beat["name"].rpartition(".")[2]: (beat["figures"]["rows"], beat["figures"]["rejected"])
        for beat in guangxi.told["beats"]
        if beat["name"].startswith("collect.delivered.")
    }
    assert rows == {
        "nbs_towns": (1284, 0), "nbs_counties": (111, 0), "mca_towns": (1257, 0),
        "mca_divisions": (126, 0), "mca_changes": (5276, 0), "area_codes": (4765, 0),
        "segments": (15141, 0), "schools": (87, 0), "stations": (3404, 0), "holidays": (771, 0),
    }  # fmt: skip
    logical = guangxi.beats("collect.delivered_logical")
    assert [beat["name"] for beat in logical] == ["collect.delivered.segments"]
    assert figures(guangxi, "collect.catalog") == {"bodies": 6, "resources": 10}


def test_the_platform_itself_finds_that_the_two_official_books_disagree(guangxi):
    assert figures(guangxi, "collect.counties") == {"rows": 111, "shared": 111, "conflicts": 0}
    assert figures(guangxi, "collect.compared") == TOWNS
    assert guangxi["collect.two_cities.count"] == 5
    assert guangxi["collect.closed.count"] == 2
    clock = figures(guangxi, "collect.rectification.towns")
    assert (clock["used"], clock["left"]) == (7, 8)
    assert guangxi["collect.fed_back.body"] == "〈自治区统计局〉（演示）"
    files = Path(guangxi.told["files"])
    assert (files / "整改通知书-towns.docx").stat().st_size > 10_000
    assert (files / "整改通知书-towns.pdf").read_bytes().startswith(b"%PDF")
    graded = figures(guangxi, "collect.graded")
    assert graded == {"resources": 10, "first": 9, "second": 1}


def test_statutory_clocks_count_working_days_across_holidays(guangxi):
    clocks = {
        name: (figures(guangxi, name)["used"], figures(guangxi, name)["left"])
        for name in (
            "authorise.publicity", "build.acceptance", "build.review", "build.publicity",
            "list.publicity",
        )
    }  # fmt: skip
    assert clocks == {
        "authorise.publicity": (2, 1),
        "build.acceptance": (2, 1),
        "build.review": (5, 15),
        "build.publicity": (6, 4),  # 端午节 lies between
        "list.publicity": (1, 2),  # the venue's three days
    }


def test_an_agreement_gives_a_grant_that_cannot_be_widened(guangxi):
    assert guangxi["authorise.scheme.items"] == 12
    assert guangxi["authorise.signed.items"] == 13
    assert guangxi["authorise.granted.calls"] == 400_000
    assert guangxi["authorise.granted.months"] == 36
    assert guangxi["authorise.refused.refusal"] == "rights.grant.kind_not_begotten"


def test_products_are_registered_and_the_lowest_level_is_opened(guangxi):
    codes = [one["figures"]["query_code"] for one in guangxi.beats("build.coded")]
    assert len(set(codes)) == 4
    found = guangxi.cli.json("registry", "find", codes[0], "--data-dir", "demo")
    assert codes[0] in json.dumps(found)
    assert guangxi["build.opened.rows"] == 1249 + 35 + 8
    assert guangxi["build.listed.year"] == "2025"


def test_a_fee_stays_below_its_ceiling_to_the_fen(guangxi):
    assert guangxi["price.permitted.permitted"] == "8,852,000.00"
    assert guangxi["price.ceiling.ceiling"] == 100
    assert guangxi["price.too_high.refusal"] == "market.price.above_ceiling"
    assert guangxi["price.trial_over.refusal"] == "market.price.trial_over"
    assert guangxi["price.trial.p3.fen"] == 50
    assert guangxi["price.published.fen"] == 80
    assert guangxi["list.publicity.label"]
    certificates = {one["figures"]["certificate"] for one in guangxi.beats("list.listed")}
    assert len(certificates) == 2


def test_a_bank_tries_signs_and_has_its_funds_frozen(guangxi):
    found = {one["figures"]["title"] for one in guangxi.beats("contract.found")}
    assert found == {"区划代码有效性核验", "移动号段归属核验"}
    sample = figures(guangxi, "contract.sampled.p2")
    assert (sample["rows"], sample["hit_rate"], sample["accuracy"]) == (100, 100, "100%")
    assert guangxi["contract.signed.p2.frozen"] == "24,000.00"
    assert guangxi["contract.signed.p3.frozen"] == "250.00"


def test_the_bank_learns_yes_no_and_once_and_nothing_else(guangxi):
    once = figures(guangxi, "use.once")
    assert (once["key"], once["answer"], once["was"]) == ("450122", "once", "武鸣县")
    assert (once["year"], once["new_code"], once["new_name"]) == ("2015", "450110", "武鸣区")
    codes = figures(guangxi, "use.codes")
    assert codes == {"asked": 200, "yes": 122, "once": 77, "no": 1, "explained": 65}
    assert figures(guangxi, "use.exact") == {"asked": 14755, "calls": 15, "yes": 14358, "no": 397}
    assert figures(guangxi, "use.member") == {"asked": 14755, "calls": 15, "yes": 14361, "no": 394}
    mine = figures(guangxi, "use.reconciled")
    assert (mine["side"], mine["common"], mine["changed"]) == ("provider_side", 14726, 368)
    assert (mine["pair"], mine["pair_count"]) == ("贵港→玉林", 109)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("enumeration", "gate.call.enumeration"),
        ("quota", "gate.call.over_quota"),
        ("purpose", "gate.call.wrong_purpose"),
        ("expiring", "rights.grant.expired"),
        ("revoked", "rights.grant.revoked"),
        ("held", "rights.grant.held"),
    ],
)
def test_what_lies_outside_the_right_is_refused_with_code_reason_and_article(guangxi, what, code):
    said = figures(guangxi, f"use.refused.{what}")
    assert said["refusal"] == code
    assert said["reason"]
    assert said["article"].startswith("《")
    assert said["subjects"] == {"enumeration": 13, "quota": 1000}.get(what, 1)


def test_a_count_merges_small_cells_and_gives_no_total_away(guangxi):
    said = figures(guangxi, "use.count")
    assert said["smallest"] >= said["threshold"] == 20
    assert said["merged"] > 0
    assert said["withheld"] == 1


def test_money_is_shared_to_the_cent_and_the_treasury_is_paid(guangxi):
    assert guangxi["settle.charged.p2.charged"] == "23,608.00"  # 29,510 calls at 0.80
    assert guangxi["settle.charged.p3.charged"] == "101.00"  # 202 calls at 0.50
    shared = figures(guangxi, "settle.shared")
    assert (shared["shared"], shared["rest"]) == ("23,709.00", 0)
    parts = [shared[name].replace(",", "") for name in ("venue", "operator", "government")]
    assert sum(round(float(part) * 100) for part in parts) == 2_370_900
    assert guangxi["settle.owed.amount"] == shared["government"]
    assert guangxi["settle.paid.count"] == 2
    assert guangxi["settle.paid.receipt"] == "YS20260910000011"
    contributed = [one["figures"]["share"] for one in guangxi.beats("settle.contribution")]
    assert len(contributed) == 4
    assert sum(round(float(one) * 100) for one in contributed) == 10_000
    assert (Path(guangxi.told["files"]) / "缴款通知书-1.docx").exists()


def test_meter_bill_and_log_agree_after_kills_in_steps_five_six_and_seven(guangxi):
    for product, calls in (("p2", 30), ("p3", 3)):
        said = figures(guangxi, f"settle.reconciled.{product}")
        assert (said["calls"], said["agreeing"], said["differences"]) == (calls, calls, 0)
    assert guangxi["settle.agrees.different"] == 0
    assert guangxi["prove.flow.p2.units"] == 29_510
    assert guangxi["prove.flow.p3.units"] == 202


def test_a_changed_cent_is_traced_to_its_call(guangxi):
    said = figures(guangxi, "settle.cent")
    assert (said["different"], said["is_that_call"]) == (1, 1)
    assert (said["expected"], said["found"]) == ("800.00", "800.01")


def test_the_regulator_sees_every_refused_attempt(guangxi):
    assert guangxi["prove.refused.attempts"] == 9
    codes = guangxi["prove.refused.codes"].split("、")
    assert {"gate.call.enumeration", "rights.grant.held", "market.price.above_ceiling"} <= {*codes}
    assert guangxi["prove.month.is_reproduced"] == 1


def test_the_contracts_bundle_verifies_without_lingqu_and_not_with_one_letter_changed(
    guangxi, tmp_path
):
    file = Path(guangxi.told["files"]) / guangxi["prove.bundle.file"]
    key = guangxi.told["verify"][guangxi.told["verify"].index("--key") + 1]
    verified = subprocess.run(
        [VERIFY, "bundle", file, "--key", key, "--json"], capture_output=True, cwd=tmp_path
    )
    assert verified.returncode == 0, verified.stderr
    kinds = {fact["kind"] for fact in json.loads(verified.stdout)["facts"]}
    assert {
        "rights.grant.issued", "market.contract.finalized", "gate.batch.metered",
        "market.charge.posted", "market.settlement.made",
    } <= kinds  # fmt: skip
    altered = tmp_path / "altered.json"
    altered.write_text(file.read_text().replace("gate.batch.", "gate.botch.", 1))
    refused = subprocess.run([VERIFY, "bundle", altered, "--key", key], capture_output=True)
    assert refused.returncode != 0


def test_a_killed_story_goes_on_and_nothing_happens_twice(guangxi):
    assert len(guangxi.killed_after) == 3
    assert guangxi.told["verified"] is True
    assert guangxi.told["altered_verified"] is False
    registered = guangxi.cli.json(
        "fact", "list", "--data-dir", "demo", "--kind", "trust.organization.described",
        "--limit", "100",
    )  # fmt: skip
    assert len(registered["items"]) == len(STORIES["guangxi"].cast)
    assert guangxi.cli("audit", "--data-dir", "demo").code == 0


def test_everything_the_story_left_is_in_the_witnessed_log(guangxi):
    told = guangxi.told
    assert told["witness"]
    assert told["witnessed_size"] == told["log_size"] == told["facts"]
    verified = subprocess.run([VERIFY, *told["verify"][1:]], capture_output=True)
    assert verified.returncode == 0


def test_passwords_are_for_the_owner_of_the_folder_alone_and_one_for_each_role(guangxi):
    accounts = Path(guangxi.told["accounts_file"])
    assert stat.S_IMODE(accounts.stat().st_mode) == 0o600
    logins = [line.split("\t")[0] for line in accounts.read_text().splitlines()]
    assert logins == [
        "implementer", "provider", "operator", "clerk", "venue", "bank", "treasury", "regulator",
    ]  # fmt: skip
    passwords = {line.split("\t")[1] for line in accounts.read_text().splitlines()}
    assert len(passwords) == len(logins)
