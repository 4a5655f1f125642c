# SPDX-License-Identifier: Apache-2.0
"""Answers under noise: bounded contributions, a price that is spent once, budgets that hold."""

import statistics
import threading
from dataclasses import replace

import pytest
from governed import POLICY
from query_world import (
    FORM,
    PATIENT,
    K,
    ask,
    asking,
    joined_policy,
    load,
    patients,
    policy,
    rows_of,
    sex_of,
    visits,
)

from lingqu import gate, ledger
from lingqu.gate import answers
from lingqu.gate.answers import noise
from lingqu.gate.governance import DpTerms, Mode
from lingqu.gate.sql import read
from lingqu.kernel.errors import LingquError

TERMS = DpTerms(
    contribution=4, rho_least=10_000, rho_most=1_000_000, organization_ceiling=3_000_000,
    dataset_ceiling=5_000_000,
)  # fmt: skip
ANY_FILTER = "SELECT kind, count(*) AS n FROM visit WHERE amount > 50 GROUP BY kind"


@pytest.fixture(scope="module")
def made(world, desk):
    world.do(
        ledger.register_currency,
        currency=answers.budgets.MICRO_RHO,
        scale=6,
        name_zh="隐私预算",
        name_en="rho",
    )
    return asking(world, desk)


def product_of(world, **changes):
    terms = DpTerms(**{name: getattr(TERMS, name) for name in TERMS.__slots__} | changes)
    return world.product(policy(load(world, visits()), Mode.DP, dp=terms), form=FORM)


def refusal(world, made, product, grant, text, **changes):
    with pytest.raises(LingquError) as caught:
        ask(world, made, product, grant, text, **changes)
    return caught.value.code


def test_any_filter_is_answered_once_for_its_price_and_then_for_nothing(world, made):
    product = product_of(world)
    grant = world.buy(product)
    first = ask(world, made, product, grant, ANY_FILTER, rho=1_000_000)
    ways = (
        ANY_FILTER,
        "SELECT v.kind, count(*) AS n FROM visit v WHERE NOT v.amount <= 50 GROUP BY 1",
    )
    for text in ways * 3:
        again = ask(world, made, product, grant, text, rho=1_000_000)
        assert again.released["rows"] == first.released["rows"]
    for _ in range(2):
        ask(world, made, product, grant, "SELECT count(*) FROM visit", rho=1_000_000)
    other = "SELECT count(*) FROM visit WHERE amount > 51"
    assert ask(world, made, product, grant, other, rho=1_000_000).units == 1
    assert refusal(world, made, product, grant, "SELECT sum(amount) FROM visit", rho=10_000) == (
        "gate.noise.spent"
    )
    assert refusal(world, made, product, grant, other, rho=9_999) == "gate.noise.budget"
    # What was answered before is still there.
    assert rows_of(ask(world, made, product, grant, ANY_FILTER, rho=1_000_000)) == rows_of(first)
    for kind, told in rows_of(first):
        truth = sum(r["kind"] == kind and int(r["amount"]) > 50 for r in visits() if r["person"])
        assert abs(int(told) - truth) < 60, kind


def test_no_two_questions_at_once_spend_the_same_budget(world, made):
    product = product_of(
        world, rho_most=100_000, organization_ceiling=300_000, dataset_ceiling=300_000
    )
    grant = world.buy(product)
    told, spent = [], []
    barrier = threading.Barrier(6)

    def run(at):
        barrier.wait()
        text = f"SELECT count(*) FROM visit WHERE amount > {at}"
        try:
            told.append(ask(world, made, product, grant, text, rho=100_000).units)
        except LingquError as caught:
            spent.append(caught.code)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (told, spent) == ([1] * 3, ["gate.noise.spent"] * 3)
    resource = next(iter(policy_tables(product)))
    with world.place.database.reading() as tx:
        rows = tx.all("SELECT rho FROM gate.noise_spent WHERE resource = %s", (resource,))
        balances = [
            row["posted"]
            for row in tx.all(
                "SELECT b.posted FROM ledger.balance b JOIN ledger.account a ON a.id = b.account"
                " WHERE a.currency = %s AND a.owner = %s",
                (answers.budgets.MICRO_RHO, resource),
            )
        ]
    assert sum(row["rho"] for row in rows) == 300_000
    assert sorted(balances) == [-600_000, 300_000]
    assert answers.budgets.spend_noise
    assert answers.budgets.keep_noisy


def policy_tables(product):
    return {table.resource for table in gate.policy_of(product).tables}


def test_one_entity_with_many_rows_moves_a_figure_by_its_bounded_share(world, made):
    """Ten thousand rows of one person count as four."""
    rows = visits(200)
    loud = {"person": "loud", "town": "乙", "kind": "门诊", "visited": "2026-01-05", "amount": "99"}
    product = world.product(
        policy(load(world, [*rows, *[dict(loud) for _ in range(2000)]]), Mode.DP, dp=TERMS),
        form=FORM,
    )
    grant = world.buy(product)
    ((told,),) = rows_of(
        ask(world, made, product, grant, "SELECT count(*) FROM visit", rho=1_000_000)
    )
    truth = sum(min(4, count) for count in counted(rows).values()) + 4
    assert abs(int(told) - truth) < 60


BY_SEX = "SELECT sex, count(*) AS n, sum(amount) AS s FROM visit JOIN patient ON person = id"
WAYS = (
    f"{BY_SEX} GROUP BY sex",
    (
        "SELECT p.sex, count(*) AS n, sum(v.amount) AS s FROM patient p, visit AS v"
        " WHERE p.id = v.person GROUP BY ALL HAVING n > 0 ORDER BY p.sex"
    ),
)


@pytest.fixture(scope="module")
def joined(world, made):
    """A product over visits and patients, with the resources of both."""
    assert made
    visit, patient = load(world, visits()), load(world, patients(), fields=PATIENT)
    modes = (Mode.CUBE, Mode.AD_HOC, Mode.DP)
    asked = joined_policy(visit, patient, *modes, dp=TERMS, rounding=3)
    return world.product(asked, form=FORM), visit, patient


def test_joined_tables_are_answered_from_the_cube_and_ad_hoc_as_by_hand(world, made, joined):
    product, *_ = joined
    grant, rows = world.buy(product), [row for row in visits() if row["person"].startswith("p")]
    truth = {sex: [row for row in rows if sex_of(row["person"]) == sex] for sex in "男女"}
    for mode, step in (("cube", 1), ("ad_hoc", 3)):
        told = [ask(world, made, product, grant, text, mode=mode).released for text in WAYS]
        assert {tuple(row) for row in told[0]["rows"]} == {tuple(row) for row in told[1]["rows"]}
        # Three people are in no table of patients: too few to be told of.
        assert told[0]["has_withheld"]
        assert told[0]["thresholds"] == {"visit": K, "patient": K + 1}
        for sex, count, total in told[0]["rows"]:
            true_total = sum(int(row["amount"]) for row in truth[sex])
            if mode == "ad_hoc":
                assert abs(int(count) - len(truth[sex])) < step
                assert abs(int(total) - true_total) < step * 100
            else:  # a block of both sexes is in no line
                assert 0.7 * len(truth[sex]) < int(count) <= len(truth[sex])
    refused = "SELECT count(*) FROM visit v JOIN patient p ON v.person = p.id WHERE p.id = 'p0001'"
    assert refusal(world, made, product, grant, refused, mode="ad_hoc") == "gate.query.column"


def test_noise_over_joined_tables_is_paid_of_every_dataset_and_once(world, made, joined):
    product, visit, patient = joined
    grant = world.buy(product)
    filtered = [text.replace("patient ON", "patient ON amount > 50 AND") for text in WAYS[:1]]
    filtered.append(WAYS[1].replace("v.person", "v.person AND NOT v.amount <= 50"))
    told = [
        ask(world, made, product, grant, text, mode="dp", rho=500_000).released["rows"]
        for text in filtered
    ]
    assert told[0] == told[1]
    for sex, count, _ in told[0]:
        mine = [
            row for row in visits()
            if row["person"].startswith("p") and int(row["amount"]) > 50
            and sex_of(row["person"]) == sex
        ]  # fmt: skip
        assert abs(int(count) - sum(min(4, one) for one in counted(mine).values())) < 60
    with world.place.database.reading() as tx:
        for resource in (visit, patient):
            rows = tx.all("SELECT rho FROM gate.noise_spent WHERE resource = %s", (resource,))
            assert [row["rho"] for row in rows] == [500_000]


def test_a_joined_table_with_a_key_twice_is_not_published_and_a_new_one_is(world, made, joined):
    product, _, patient = joined
    world.deliver(patient, [*patients(), {"id": "p0001", "sex": "男"}])
    with pytest.raises(LingquError) as caught:
        world.publish(product.id)
    assert caught.value.code == "gate.join.not_unique"
    grant = world.buy(product)
    before = ask(world, made, product, grant, WAYS[0], mode="cube").released["rows"]
    world.deliver(patient, patients(sexes="女男男男男男"))
    product = world.publish(product.id)
    after = ask(world, made, product, grant, WAYS[0], mode="cube").released["rows"]
    assert before
    assert before != after


def counted(rows):
    found = {}
    for row in rows:
        if row["person"]:
            found[row["person"]] = found.get(row["person"], 0) + 1
    return found


def test_no_figure_is_too_large_to_be_told_whatever_the_data_are():
    """The library holds 64 bits: what is beyond is held, and what moves too far is refused."""
    for figure in (2**63, -(2**90)):
        (line,) = noise.add_noise({(): (figure,)}, groups=[()], moves=(4,), rho=500_000).lines
        assert abs(line.numbers[0]) > 2**61
    wide = replace(TERMS, contribution=1_000_000)
    squares = read("SELECT sum(sal * sal) AS x FROM t", POLICY)
    with pytest.raises(noise.TooFarMoved):
        noise.print_bounded(squares, POLICY, wide)


def test_the_noise_is_as_large_as_the_price_asks_for():
    told = noise.add_noise(
        {(str(at),): (100,) for at in range(2000)},
        groups=[(str(at),) for at in range(2000)],
        moves=(4,),
        rho=500_000,
    )
    drawn = [line.numbers[0] for line in told.lines]
    # rho = move squared / (2 sigma squared), so sigma is 4 here.
    assert 3 < statistics.pstdev(drawn) < 5
    assert abs(statistics.mean(drawn) - 100) < 1
    absent = noise.add_noise({}, groups=[("x",)] * 50, moves=(4,), rho=500_000)
    assert len({line.numbers for line in absent.lines}) > 5
