# SPDX-License-Identifier: Apache-2.0
"""Governed answers through the desk, and attackers who ask as often as they like and learn nothing.

What is tried: differences, complements, trackers, averaging by rewriting, counts of what is
withheld, the same question before and after one person came.
"""

import contextlib
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from query_world import FORM, TOWNS, K, ask, asking, load, policy, rows_of, visits

from lingqu import gate, rights, trust
from lingqu.gate import answers, reveals
from lingqu.gate.governance import Mode
from lingqu.gate.turns import QueueFull, Turns
from lingqu.gate.underway import begun
from lingqu.kernel.errors import LingquError
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.runtime.engine import Cancel, Job, Limits

BY_TOWN = "SELECT town, count(*) AS n, sum(amount) AS s FROM visit GROUP BY town"
BY_TOWN_AND_KIND = "SELECT town, kind, count(*) AS n FROM visit GROUP BY town, kind"


@pytest.fixture(scope="module")
def made(world, desk):
    return asking(world, desk)


@pytest.fixture(scope="module")
def resource(world):
    return load(world, visits())


@pytest.fixture(scope="module")
def product(world, resource):
    return world.product(policy(resource, Mode.CUBE, Mode.AD_HOC), form=FORM)


def refused(world, made, product, grant, text, **changes):
    with pytest.raises(LingquError) as caught:
        ask(world, made, product, grant, text, **changes)
    return caught.value


def test_a_query_is_a_call_metered_repeated_and_refused_like_any_other(world, made, desk, product):
    grant = world.buy(product, calls=3)
    request = world.request(product, grant, query=BY_TOWN, mode="ad_hoc")
    first = made.ask(request, world.asker)
    again = made.ask(request, world.asker)
    assert (first.units, again.repeated, again.released) == (1, True, first.released)
    assert refused(world, made, product, grant, "SELECT * FROM visit", mode="cube").code
    assert refused(world, made, product, grant, BY_TOWN, mode="dp").code == "gate.query.mode"
    assert refused(world, made, product, grant, BY_TOWN).code == "gate.query.mode"
    assert refused(world, made, product, grant, "").code == "gate.call.query_missing"
    longest = refused(world, made, product, grant, "SELECT max(amount) FROM visit", mode="cube")
    assert longest.code in {"gate.query.extreme", "gate.query.aggregate"}
    wrong = refused(world, made, product, grant, BY_TOWN, mode="cube", purpose="research.academic")
    assert wrong.code == "gate.call.wrong_purpose"
    for mode in ("cube", "ad_hoc"):
        assert ask(world, made, product, grant, BY_TOWN, mode=mode).units == 1
    over = refused(world, made, product, grant, BY_TOWN, mode="cube")
    assert over.code == "gate.call.over_quota"
    desk.settle()
    assert world.left(grant) == (0, 0)
    with world.place.database.reading(world.banker) as tx:
        (call,) = [one for one in gate.find_batch_calls(tx, first.batch) if one.refusal is None]
        told = made.explain(tx, world.request(product, grant, query=BY_TOWN), may_call=True)
    assert (call.outcome, call.units, call.subjects) == ("counted", 1, 0)
    assert told.code == "gate.query.mode"
    assert next(one.rule for one in told.considered if not one.passed) == "is_answerable"
    assert {"is_understood", "groups_on_grid"} <= {one.rule for one in told.considered}


def test_answers_are_those_of_plain_counting_where_nothing_is_withheld(world, made, product):
    grant, rows = world.buy(product), visits()
    truth = Counter(row["town"] for row in rows)
    sums = {town: sum(int(r["amount"]) for r in rows if r["town"] == town) for town in truth}
    for mode in ("cube", "ad_hoc"):
        told = ask(world, made, product, grant, BY_TOWN, mode=mode).released
        assert told["has_withheld"]
        for town, count, total in told["rows"]:
            if town != "甲":
                assert (int(count), int(total)) == (truth[town], sums[town])
        assert "戊" not in {row[0] for row in told["rows"]}
    average = "SELECT kind, avg(amount) FROM visit WHERE town = '乙' GROUP BY kind ORDER BY 1"
    for mode in ("cube", "ad_hoc"):
        for kind, told in rows_of(ask(world, made, product, grant, average, mode=mode)):
            mine = [int(r["amount"]) for r in rows if (r["town"], r["kind"]) == ("乙", kind)]
            assert abs(float(told) - sum(mine) / len(mine)) < 1e-6


def test_no_difference_of_answers_finds_the_three_people_of_the_small_town(world, made, product):
    """The total less all large towns, the complement, a tracker: each lacks the last part."""
    rows = visits()
    small = sum(row["town"] == "戊" for row in rows)
    grant = world.buy(product)
    total = "SELECT count(*) FROM visit"
    asked = [
        total,
        BY_TOWN,
        "SELECT count(*) FROM visit WHERE town <> '戊'",
        "SELECT count(*) FROM visit WHERE NOT town IN ('甲', '乙', '丙', '丁')",
        "SELECT count(*) FROM visit WHERE town IN ('甲', '乙', '丙', '丁')",
        *(f"SELECT count(*) FROM visit WHERE town IN ('戊', '{town}')" for town in TOWNS),
        *(f"SELECT count(*) FROM visit WHERE town = '{town}'" for town in TOWNS),
        BY_TOWN_AND_KIND,
        "SELECT count(CASE WHEN town = '戊' THEN 1 END) AS few, count(*) AS n FROM visit",
    ]
    refusals = set()
    for mode in ("cube", "ad_hoc"):
        known = {}
        for text in asked:
            try:
                answer = ask(world, made, product, grant, text, mode=mode).released
            except LingquError as refusal:
                refusals.add(refusal.code)
                continue
            for row in answer["rows"]:
                assert str(small) not in [cell for cell in row if cell is not None]
                known[text, row[0]] = int(row[-1]) if row[-1] is not None else 0
        told = set(known.values())
        assert len(told) > 5
        sums = {0} | {one - other for one in told for other in told}
        assert small not in sums
        assert -small not in sums
    assert refusals == {"gate.query.overlap"}


def test_how_many_different_people_there_are_is_told_in_steps_of_the_threshold(
    world, made, product
):
    """One person of a month who was there in no other would else be the difference of two."""
    grant, rows = world.buy(product), visits()
    text = "SELECT count(DISTINCT person) FROM visit WHERE town = '乙'"
    for more in ("", " AND kind = '门诊'"):
        ((told,),) = rows_of(ask(world, made, product, grant, text + more, mode="ad_hoc"))
        mine = [r for r in rows if r["town"] == "乙" and (not more or r["kind"] == "门诊")]
        truth = len({row["person"] for row in mine if row["person"]})
        assert int(told) % K == 0
        assert abs(int(told) - truth) < K


def test_no_rewriting_averages_the_rounding_away(world, made):
    # A table of its own: what blocks tell of the other one may not be asked of its rows.
    product = world.product(policy(load(world, visits()), Mode.AD_HOC, rounding=10), form=FORM)
    grant = world.buy(product)
    ways = (
        "SELECT count(*) AS n FROM visit WHERE town = '乙' OR town = '丙'",
        "SELECT count(*) FROM visit WHERE NOT (town <> '乙' AND town <> '丙')",
        "SELECT count(*) FROM visit WHERE town IN ('丙', '乙') AND 1 = 1",
        "SELECT count(*) FROM visit AS v WHERE v.town IN ('丙', '乙', '不存在')",
        "SELECT sum(1) FROM visit WHERE town BETWEEN '丙' AND '乙'",
    )
    answers_ = []
    for text in ways:
        try:
            (row,) = rows_of(ask(world, made, product, grant, text))
        except LingquError:
            continue
        answers_.append(row[0])
    assert len(answers_) > 3
    assert len(set(answers_)) == 1
    truth = sum(row["town"] in {"乙", "丙"} for row in visits())
    assert abs(int(answers_[0]) - truth) < 10
    assert int(answers_[0]) % 10 == 0


def test_swapping_people_inside_a_cell_changes_no_byte_of_any_answer(world, made):
    rows = visits(300)
    cell = [
        r for r in rows if (r["town"], r["kind"], r["visited"][:7]) == ("乙", "门诊", "2026-01")
    ]
    swapped = [dict(row) for row in rows]
    first, second = rows.index(cell[0]), rows.index(cell[-1])
    swapped[first]["amount"], swapped[second]["amount"] = cell[-1]["amount"], cell[0]["amount"]
    swapped[first]["visited"], swapped[second]["visited"] = cell[-1]["visited"], cell[0]["visited"]
    texts = (
        BY_TOWN,
        BY_TOWN_AND_KIND,
        "SELECT avg(amount) FROM visit WHERE town = '乙' AND kind = '门诊'",
        "SELECT count(*) FROM visit WHERE visited >= DATE '2026-02-01'",
    )
    told = []
    for some in (rows, swapped):
        product = world.product(policy(load(world, some), Mode.CUBE), form=FORM)
        grant = world.buy(product)
        told.append([ask(world, made, product, grant, text).released for text in texts])
    assert told[0] == told[1]


def test_one_person_more_changes_no_answer_and_many_change_their_own_cell_only(world, made):
    rows = visits(300)
    resource = load(world, rows)
    product = world.product(policy(resource, Mode.CUBE, Mode.AD_HOC), form=FORM)
    grant = world.buy(product)

    def tell():
        found = {}
        for mode in ("cube", "ad_hoc"):
            found[mode] = ask(world, made, product, grant, BY_TOWN_AND_KIND, mode=mode).released
        return found

    def more(count):
        return [
            {"person": f"n{at}", "town": "乙", "kind": "门诊", "visited": "2026-01-05",
             "amount": "30"}
            for at in range(count)
        ]  # fmt: skip

    before = tell()
    world.deliver(resource, [*rows, *more(1)])
    product = world.publish(product.id)
    assert tell() == before
    world.deliver(resource, [*rows, *more(K)])
    product = world.publish(product.id)
    after = tell()
    for mode in ("cube", "ad_hoc"):
        old = {tuple(row[:2]): row[2] for row in before[mode]["rows"]}
        new = {tuple(row[:2]): row[2] for row in after[mode]["rows"]}
        # A group that was cut before, ad hoc, is not told again of another version.
        both = new.keys() & old.keys()
        assert {key for key in both if new[key] != old[key]} == {("乙", "门诊")}
        assert int(new["乙", "门诊"]) - int(old["乙", "门诊"]) == K


def test_what_is_remembered_of_a_version_before_answers_nothing_and_costs_nothing(
    world, made, desk
):
    rows = visits(300)
    resource = load(world, rows)
    product = world.product(policy(resource, Mode.CUBE), form=FORM)
    grant = world.buy(product, calls=5)
    first, again = (ask(world, made, product, grant, BY_TOWN) for _ in range(2))
    assert again.released == first.released
    new = {"person": "", "town": "乙", "kind": "门诊", "visited": "2026-01-05", "amount": "30"}
    world.deliver(resource, [*rows, *({**new, "person": f"n{at}"} for at in range(K))])
    world.publish(product.id)
    request = world.request(product, grant, query=BY_TOWN)
    told = made.ask(request, world.asker)
    before, after = ({r[0]: int(r[1]) for r in one.released["rows"]} for one in (first, told))
    assert told.snapshot != first.snapshot
    assert after["乙"] - before["乙"] == K
    repeated = made.ask(request, world.asker)
    assert (repeated.repeated, repeated.released) == (True, told.released)
    made.ask(world.request(product, grant, query=BY_TOWN), world.asker)
    desk.settle()
    assert world.left(grant) == (1, 0)
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        calls = gate.find_calls(tx, page=PageRequest(), grant=grant.id).items
    assert [(one.outcome, one.units) for one in calls] == [("counted", 1)] * 4


def test_a_dataset_has_one_grid_for_all_products(world, resource, product):
    assert product
    finer = policy(resource, Mode.CUBE)
    (table,) = finer.tables
    fewer = tuple(column for column in table.columns if column.name != "kind")
    # Cells and sums are kept in the order of the columns.
    for columns in (fewer, table.columns[::-1]):
        other = replace(table, columns=columns)
        with pytest.raises(LingquError) as caught:
            world.product(policy(resource, Mode.CUBE, tables=(other,)), form=FORM)
        assert caught.value.code == "gate.dataset.other_grid"


def test_a_query_dies_with_its_right_and_tells_nothing_of_how_far_it_came(
    world, made, desk, product, monkeypatch
):
    """The engine is given work without an end; the right is revoked while it is at it."""
    assert made
    slow = asking(world, desk, time_ms=60_000)
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range < b.range"
    job = Job(sql=endless, limits=Limits(time_ms=60_000))
    monkeypatch.setattr(slow, "_job", lambda *_: job)
    grant = world.buy(product)
    found = []

    def run():
        try:
            ask(world, slow, product, grant, BY_TOWN, mode="ad_hoc")
        except LingquError as refusal:
            found.append(refusal.code)

    thread = threading.Thread(target=run)
    thread.start()
    ends = time.monotonic() + 60
    while not slow._running and time.monotonic() < ends:  # the moment it runs
        time.sleep(0.01)
    world.hold(grant.id)
    thread.join(timeout=60)
    # The desk decides on the right again, so that what is told is why it ended.
    assert found == ["rights.grant.held"]


def test_no_contract_waits_for_all_the_queries_of_another():
    turns, served, cancels = Turns(most=1), [], []
    first = turns.taken("loud", Cancel())
    first.__enter__()

    def run(contract):
        cancels.append(cancel := Cancel())
        with turns.taken(contract, cancel):
            served.append(contract)

    threads = []
    for contract in ("loud", "loud", "loud", "quiet"):
        threads.append(threading.Thread(target=run, args=(contract,)))
        threads[-1].start()
        ends = time.monotonic() + 60
        while sum(map(len, turns._queues.values())) < len(threads) and time.monotonic() < ends:
            time.sleep(0.005)
    assert turns.place("loud", cancels[2]) == 3
    assert turns.place("quiet", cancels[3]) == 1, "nobody is told how many others wait"
    first.__exit__(None, None, None)
    for thread in threads:
        thread.join(timeout=60)
    assert served.index("quiet") <= 1
    full = Turns(most=0, waiting=0)
    with pytest.raises(QueueFull), full.taken("one", Cancel()):
        pass


def test_a_cube_never_counts_entities_whatever_its_rows(world, made, product):
    """Whether each row is about somebody else is nothing an answer may tell."""
    sql = "SELECT count(DISTINCT person) AS n FROM visit"
    grant = world.buy(product)
    assert refused(world, made, product, grant, sql, mode="cube").code == "gate.query.not_in_cube"
    assert ask(world, made, product, grant, sql, mode="ad_hoc").units == 1


def test_one_text_under_one_grant_is_judged_by_the_policy_of_the_product_asked(
    world, made, resource, product
):
    grant, strict = world.buy(product), new_id(gate.ProductId)
    world.do(
        gate.define_product,
        world.operating,
        product=strict,
        grant=product.grant_id,
        form=FORM,
        title="只答即席",
        summary="同一授权下的另一产品",
        policy=policy(resource, Mode.AD_HOC),
    )
    other = world.publish(strict)
    assert other.version == product.version
    assert ask(world, made, product, grant, BY_TOWN, mode="cube").units == 1
    assert refused(world, made, other, grant, BY_TOWN, mode="cube").code == "gate.query.mode"


def test_queries_begun_by_one_contract_leave_room_for_another(world):
    """Neither the room for what is under way nor what is kept of it is filled by one of them."""
    held = threading.Event()

    def answer(*_):
        held.wait(timeout=60)
        raise QueueFull(waiting=0)

    under = begun.Underway(answer, lambda *_: 0)
    loud, quiet = new_id(rights.GrantId), new_id(rights.GrantId)

    def begin(grant):
        request = gate.CallRequest(
            call=new_id(gate.CallId), grant=grant, product=new_id(gate.ProductId), purpose="x"
        )
        under.begin(request, world.asker)
        return request.call

    first = [begin(loud) for _ in range(begun.UNDERWAY_EACH)]
    with pytest.raises(gate.GateBusy):
        begin(loud)
    call = begin(quiet)
    held.set()
    under.wait(quiet, call, wait_ms=60_000)
    for one in first:
        under.wait(loud, one, wait_ms=60_000)
    for _ in range(begun.KEPT_EACH + begun.UNDERWAY_EACH):
        under.wait(loud, begin(loud), wait_ms=60_000)
    assert under.find(quiet, call)
    under.close()


WHOLE = (
    "SELECT count(*) AS n, sum(amount) AS s FROM visit",
    BY_TOWN,
    BY_TOWN_AND_KIND,
    "SELECT kind, avg(amount) AS a FROM visit WHERE town IN ('乙', '丙') GROUP BY kind",
    "SELECT town, sum(CASE WHEN town <> '甲' THEN amount END) AS s FROM visit GROUP BY town",
    "SELECT count(*) AS n, sum(amount) AS s FROM visit WHERE town = '丁' AND town = '甲'",
)


@pytest.mark.parametrize(("rounding", "missing"), [(1, 0), (10, 7)])
def test_where_whole_blocks_are_asked_about_the_cube_says_what_the_rows_say(
    world, desk, monkeypatch, rounding, missing
):
    rows = [row for row in visits(4_000, people=900) if row["town"] != "戊"]
    for at in range(0, len(rows), missing or len(rows)):
        rows[at]["amount"] = "" if missing else "1"
    whole = policy(load(world, rows), Mode.CUBE, Mode.AD_HOC, rounding=rounding)
    product = world.product(whole, form=FORM)
    grant, by_cube, by_rows = world.buy(product), asking(world, desk), asking(world, desk)
    monkeypatch.setattr(by_cube, "_engine", None)
    texts = [text for text in WHOLE if not (missing and "avg" in text)]
    told = [ask(world, by_cube, product, grant, text, mode="ad_hoc").released for text in texts]
    average = "SELECT avg(amount) AS a FROM visit"  # who has no amount is nowhere published
    for text in ("SELECT count(DISTINCT person) AS n FROM visit", *([average] if missing else [])):
        with pytest.raises(TypeError):
            ask(world, by_cube, product, grant, text, mode="ad_hoc")
    monkeypatch.setattr(answers, "find_published", lambda *_: None)
    for text, mine in zip(texts, told, strict=True):
        assert ask(world, by_rows, product, grant, text, mode="ad_hoc").released == mine


def test_what_may_be_told_is_written_down_once_by_a_command_with_its_fact(world, made, product):
    grant = world.buy(product)
    ask(world, made, product, grant, BY_TOWN, mode="ad_hoc")
    sql = "SELECT count(*) AS told FROM gate.told_set"
    with world.place.database.reading(trust.PLATFORM) as tx:
        before = tx.one(sql)["told"]
        facts = tx.one("SELECT count(*) AS n FROM trust.fact WHERE kind = 'gate.query.admitted'")
    assert facts["n"] == before > 0
    ask(world, made, product, grant, BY_TOWN, mode="ad_hoc")
    with world.place.database.reading(trust.PLATFORM) as tx:
        assert tx.one(sql)["told"] == before
    assert answers.admit_query


def test_a_query_larger_than_its_policy_is_refused_by_what_is_published(world, made, resource):
    """Rows are those of the published blocks, groups the steps of the dimensions multiplied."""
    few = world.product(
        policy(resource, Mode.CUBE, Mode.AD_HOC, rows_max=500, groups_max=9), form=FORM
    )
    grant = world.buy(few)
    found = refused(world, made, few, grant, BY_TOWN, mode="ad_hoc")
    assert (found.code, found.parameters["most"]) == ("gate.query.rows_most", 500)
    assert found.parameters["rows"] > 590
    nobody = "SELECT count(*) AS n FROM visit WHERE town = '没有'"
    again = refused(world, made, few, grant, nobody, mode="ad_hoc")
    assert again.parameters == found.parameters, "whatever the filter leaves"
    assert ask(world, made, few, grant, BY_TOWN, mode="cube").released["rows"]
    wide = refused(world, made, few, grant, BY_TOWN_AND_KIND, mode="cube")
    assert (wide.code, wide.parameters["groups"]) == ("gate.query.groups_most", 10)
    with world.place.database.reading(trust.PLATFORM) as tx:
        request = world.request(few, grant, query=BY_TOWN, mode="ad_hoc")
        told = made.explain(tx, request, may_call=True)
    assert told.code == "gate.query.rows_most"


def test_where_blocks_are_told_exactly_nothing_else_cuts_one(world, made, product):
    """Else the cube, taken from an answer, would leave what lies in the part of a block."""
    grant = world.buy(product)
    by_kind = "SELECT kind, count(*) AS n FROM visit GROUP BY kind"
    told = {mode: ask(world, made, product, grant, by_kind, mode=mode).released["rows"]
            for mode in ("cube", "ad_hoc")}  # fmt: skip
    assert all(row in told["cube"] for row in told["ad_hoc"])
    one_kind = "SELECT count(*) AS n FROM visit WHERE kind = '门诊'"
    assert (
        refused(world, made, product, grant, one_kind, mode="ad_hoc").code == "gate.query.overlap"
    )
    # What may have been cut is never told by blocks afterwards.
    resource = load(world, visits())
    cut = world.product(policy(resource, Mode.AD_HOC), form=FORM)
    assert ask(world, made, cut, world.buy(cut), one_kind, mode="ad_hoc").units == 1
    with pytest.raises(LingquError) as caught:
        world.product(policy(resource, Mode.CUBE), form=FORM)
    assert caught.value.code == "gate.dataset.other_grid"


def test_what_buyers_could_subtract_together_is_counted_and_a_place_in_the_queue_is_told(
    world, made
):
    """Overlap is controlled for each organisation; two of them are told different parts."""
    product = world.product(policy(load(world, visits()), Mode.AD_HOC), form=FORM)

    def live():
        with world.place.database.reading(trust.PLATFORM) as tx:
            (found,) = reveals.reveal_product(tx, product=product.id, folder=made.folder).datasets
        return found.live

    before, told = live(), "SELECT count(*) AS n FROM visit WHERE kind = '门诊'"
    for name, text in (("甲", told), ("乙", f"{told} AND town IN ('甲', '乙', '丙', '丁')")):
        grant = world.buy(product, holder=world.place.party(f"〈{name}行〉（演示）"))
        ask(world, made, product, grant, text, mode="ad_hoc")
    after = live()
    assert after.holders == before.holders + 2
    assert (after.answers, after.organizations) == (before.answers + 2, before.organizations + 2)
    assert after.isolating > before.isolating, "one from the other leaves the small town"
    turns, cancels = Turns(most=0, wait_ms=60_000), [Cancel() for _ in range(3)]

    def wait(contract, cancel):
        with contextlib.suppress(QueueFull), turns.taken(contract, cancel):
            pass

    threads = [
        threading.Thread(target=wait, args=(name, one))
        for name, one in zip(("loud", "loud", "quiet"), cancels, strict=True)
    ]
    for number, thread in enumerate(threads):
        thread.start()
        while sum(map(len, turns._queues.values())) <= number:
            time.sleep(0.005)
    assert [turns.place(name, one) for name, one in zip(
        ("loud", "loud", "quiet"), cancels, strict=True)] == [1, 2, 1]  # fmt: skip
    for one in cancels:
        one.cancel()
    for thread in threads:
        thread.join(timeout=60)
