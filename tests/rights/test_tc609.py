# SPDX-License-Identifier: Apache-2.0
"""TC609-6-2025-14: every word of the standard is mapped exactly or refused by its name."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from policy_worlds import (
    CODES,
    HALF,
    SHORT_REGIONS,
    VOCABULARY,
    is_narrower,
    outcome,
    policies,
    wider_than_said,
)

from lingqu.kernel import canon, errors
from lingqu.kernel.lattice import Scope, Terms
from lingqu.kernel.money import Money
from lingqu.kernel.time import Period
from lingqu.rights.constraints import ACCEPTED, OPERATORS
from lingqu.rights.exchange import (
    Duty,
    DutyAction,
    Policy,
    PolicyFormat,
    PolicyKind,
    explain_reason,
    read_policy,
    write_policy,
)
from lingqu.rights.odrl import from_odrl, to_odrl
from lingqu.rights.policies import BEGINNING
from lingqu.rights.tc609 import (
    ACTIONS,
    CONSTRAINTS,
    CONTRACT_INFORMATION,
    ENVIRONMENTS,
    NAMESPACE,
    from_tc609,
    to_tc609,
)
from lingqu.rights.vocabulary import built_in_labels

PROVIDER, CONSUMER = "9145070000000001X2", "9145070000000002X0"
PAGES = Path(__file__).parents[2] / "docs" / "howto"


def read(document):
    return from_tc609(document, vocabulary=VOCABULARY)


def policy(**members):
    return {
        "subjectInfo": {
            "dataProductId": "69145070000000001X2450720250001Z",
            "dataProductEntityId": PROVIDER,
        },
        "executionNodeInfo": {"assignerId": "node-1", "assigneeId": "node-2"},
        "actions": ["read"],
    } | members


def document(*constraints, permission=None, **changes):
    sections = {key: changes.pop(key) for key in list(changes) if key.endswith("Policies")}
    given_here = {"constraints": list(constraints)} if constraints else {}
    return {
        "contractId": "4" * 47,
        "contractStatus": "0301",
        "signatories": [
            {"signatoryEntityId": PROVIDER, "signatorytype": "01"},
            {"signatoryEntityId": CONSUMER, "signatorytype": "02"},
        ],
        "contractPolicies": {
            "permissionPolicies": [policy(**given_here, **(permission or {}))],
        }
        | sections,
    } | changes


def constraint(name, operator, value):
    return {"constraintName": name, "constraintOperator": operator, "constraintValue": value}


def refusal(found, code):
    with pytest.raises(errors.Rejected) as caught:
        read(found)
    assert caught.value.code == f"rights.policy.{code}", caught.value
    assert caught.value.parameters["place"].startswith("/")
    return caught.value


@given(policies(narrow=True))
def test_every_policy_comes_back_the_same(wanted):
    text = canon.encode(to_tc609(wanted))
    assert read(json.loads(text)) == wanted
    assert canon.encode(to_tc609(read(json.loads(text)))) == text
    assert read_policy(text, vocabulary=VOCABULARY) == (PolicyFormat.TC609, wanted)


@given(policies())
def test_a_policy_is_written_exactly_or_not_at_all(wanted):
    try:
        found = to_tc609(wanted)
    except errors.Rejected as refused:
        assert refused.code == "rights.policy.not_expressible", refused  # noqa: PT017  # which one
        assert explain_reason(refused, "zh-CN")  # noqa: PT017  # it has words
        return
    assert read(json.loads(json.dumps(found))) == wanted


@given(policies(narrow=True))
def test_through_both_formats_nothing_is_lost(wanted):
    other = from_odrl(json.loads(json.dumps(to_odrl(wanted))), vocabulary=VOCABULARY)
    assert to_tc609(other) == to_tc609(wanted)


RENAMED = {
    "assignerId": "providerNodeId",
    "assigneeId": "consumerNodeId",
    "signatorytype": "signatoryType",
    "signatories": "signatoryEntities",
}
NAMES = {code: name for name, code in OPERATORS.items()}


def respell(value, draw):
    """The same document in the spelling of annex B, with words for codes, in another order."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        found = {}
        for key in keys:
            name = draw(st.sampled_from([key, RENAMED.get(key, key)]))
            item = value[key]
            if key == "constraintOperator" and draw(st.booleans()):
                item = NAMES[item]
            elif key == "policyExpansion" and draw(st.booleans()):
                item = json.loads(item)
            elif item in ("plicyTransmit", "dateRecord"):
                item = {"plicyTransmit": "policyTransmit", "dateRecord": "dataRecord"}[item]
            found[name] = respell(item, draw)
        return found
    if isinstance(value, list):
        return [respell(item, draw) for item in value]
    return value


@given(policies(narrow=True), st.data())
def test_both_spellings_of_the_standard_are_read(wanted, data):
    assert read(respell(to_tc609(wanted), data.draw)) == wanted


def objects(value, path=()):
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from objects(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from objects(item, (*path, number))


def at(found, path):
    for step in path:
        found = found[step]
    return found


FOREIGN = st.sampled_from([
    ("constraints", constraint("frequency", "lteq", "10")),
    ("constraints", constraint("expansionItem", "eq", {"name": "urn:x:other", "value": 1})),
    ("constraints", constraint("region", "neq", "450700")),
    ("constraints", constraint("count", "gteq", "5")),
    ("actions", "export"),
    ("actions", "sell"),
    ("policyInherit", True),
    ("expansionItem", {}),
    ("contractName", "x"),
    ("remedies", []),
    ("logic", "or"),
])  # fmt: skip


@given(policies(narrow=True), FOREIGN, st.data())
def test_an_added_member_is_refused_or_only_narrows(wanted, foreign, data):
    found = json.loads(json.dumps(to_tc609(wanted)))
    target = at(found, data.draw(st.sampled_from(list(objects(found)))))
    name, value = foreign
    if isinstance(target.get(name), list):
        target[name].append(value)
    else:
        assume(name not in target)
        target[name] = value
    result = outcome(read, found)
    assert result is None or is_narrower(result, wanted)


@given(policies(narrow=True), st.data())
def test_a_value_replaced_by_rubbish_is_refused_by_its_place(wanted, data):
    found = json.loads(json.dumps(to_tc609(wanted)))
    path = data.draw(st.sampled_from(list(objects(found))))
    key = data.draw(st.sampled_from(sorted(at(found, path))))
    rubbish = st.sampled_from([None, "", [], {}, [[]], -1, True, "01", "99", "P0D", "{}", "\ud800"])
    at(found, path)[key] = data.draw(rubbish)
    result = outcome(read, found)
    assert result is None or read(json.loads(json.dumps(to_odrl_and_back(result)))) is not None


def to_odrl_and_back(found):
    """What was read can be said in the other format too, and means the same there."""
    other = from_odrl(json.loads(json.dumps(to_odrl(found))), vocabulary=VOCABULARY)
    assert other == found
    return to_tc609(other)


WORDS = {code: word for word, code in ENVIRONMENTS.items()}
VALUES = {
    "region": ("territories", st.lists(st.sampled_from(SHORT_REGIONS), max_size=3)),
    "executionEnv": ("environments", st.lists(st.sampled_from(sorted(WORDS)), max_size=3)),
    "dataField": ("fields", st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)),
    "time": (
        "valid",
        st.lists(
            st.integers(0, 8).map(lambda half: datetime(2026, 1, 1, tzinfo=UTC) + half * HALF),
            min_size=1,
            max_size=1,
        ),
    ),
    "purpose": ("purposes", st.lists(st.sampled_from(CODES["purposes"]), max_size=3)),
    "environment": ("environments", st.lists(st.sampled_from(CODES["environments"]), max_size=2)),
    "recipient": ("recipients", st.lists(st.sampled_from(["p", "q"]), max_size=2)),
    "level": ("level_max", st.lists(st.integers(0, 4), min_size=1, max_size=1)),
}
EXTENDED = {"purpose", "environment", "recipient", "level"}


@st.composite
def raw_constraints(draw):
    name = draw(st.sampled_from(sorted(VALUES)))
    dimension, values = VALUES[name]
    found = draw(values)
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    local = [one.isoformat() if isinstance(one, datetime) else one for one in found]
    if name == "executionEnv":
        local = [WORDS[one] for one in found]
    given_value = local[0] if len(local) == 1 else local
    if name in EXTENDED:
        written = {"name": NAMESPACE + name, "value": given_value}
        return (dimension, operator, found), constraint("expansionItem", operator, written)
    return (dimension, operator, found), constraint(name, operator, given_value)


MAPPED = {one.code: word for word, one in ACTIONS.items() if one.code not in {None, "*"}}


def action(code):
    return MAPPED.get(code) or {"expansionItem": NAMESPACE + code}


@given(
    st.lists(raw_constraints(), max_size=3),
    st.lists(st.sampled_from(CODES["actions"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(CODES["actions"]), max_size=2),
)
def test_no_document_is_read_as_permitting_more_than_it_says(wanted, actions, forbidden):
    sections = {}
    if forbidden:
        rule = policy(actions=[action(code) for code in forbidden])
        sections["prohibitionPolicies"] = [rule]
    written = [one for _, one in wanted]
    permission = {"actions": [action(code) for code in actions]}
    found = outcome(read, document(*written, permission=permission, **sections))
    if found is not None:
        constraints = [one for one, _ in wanted]
        assert not list(wider_than_said(found.terms, constraints, actions, forbidden))


def test_all_21_actions_are_judged_as_a_use():
    assert len(ACTIONS) == 21
    for word, treatment in ACTIONS.items():
        if word == "expansionItem":
            found = {"expansionItem": f"{NAMESPACE}use.verify"}
            assert read(document(permission={"actions": [found]})).terms.actions.form().allowed == (
                "use.verify",
            )
            continue
        found = document(permission={"actions": [word]})
        if treatment.code is not None:
            assert read(found).terms.actions.form().allowed == (treatment.code,)
            continue
        reason = refusal(found, "action_refused").parameters["reason"]
        assert reason == (treatment.reason or "duty")


def test_all_21_actions_are_judged_as_a_duty():
    for word, treatment in ACTIONS.items():
        limits = [constraint("payAmount", "eq", "5.00 CNY")] if word == "compensate" else []
        found = document(obligationPolicies=[policy(actions=[word], constraints=limits)])
        if treatment.duty is not None:
            assert read(found).after[0].action is treatment.duty
        else:
            refused = refusal(found, "action_refused")
            assert refused.parameters["place"].endswith("/obligationPolicies/0/actions/0")


PLAIN = {
    "time": "20260101080000",
    "region": "450700",
    "count": "5",
    "dataSize": "5",
    "dateRecord": "5",
    "dataField": ["a"],
    "executionEnv": "02",
    "expansionItem": {"name": f"{NAMESPACE}purpose", "value": "research"},
}


def test_all_19_constraints_with_all_12_operators_are_judged():
    assert (len(CONSTRAINTS), len(OPERATORS)) == (19, 12)
    accepted = {}
    for name, treatment in CONSTRAINTS.items():
        for operator, code in OPERATORS.items():
            found = document(constraint(name, code, PLAIN.get(name, "x")))
            if treatment.reason is not None:
                refused = refusal(found, "constraint_refused")
                assert refused.parameters["reason"] == treatment.reason
                assert explain_reason(refused, "en") != explain_reason(refused, "zh-CN")
            elif outcome(read, found) is not None:
                assert read(found) == read(document(constraint(name, operator, PLAIN[name])))
                accepted.setdefault(name, set()).add(operator)
    tree = {"isA", "isPartOf", "isAnyOf"}
    assert accepted == {
        "time": {"gt", "gteq", "lt", "lteq"},
        "region": tree,
        "count": {"lt", "lteq"},
        "dataSize": {"lt", "lteq"},
        "dateRecord": {"lt", "lteq"},
        "dataField": {"eq", "isAnyOf", "isPartOf", "isA"},
        "executionEnv": {"eq", *tree},
        "expansionItem": tree,
    }
    assert set(ACCEPTED) >= {"purposes", "territories"}


@pytest.mark.parametrize(
    ("found", "code", "place"),
    [
        (constraint("expansionItem", "isA", {"name": f"{NAMESPACE}flag", "value": "x"}),
         "constraint_refused", "/constraintValue/name"),
        (constraint("expansionItem", "lteq", {"name": f"{NAMESPACE}quantity", "value": "5 calls"}),
         "value_refused", "/constraintValue/value"),
        (constraint("executionEnv", "eq", "07"), "value_refused", "/constraintValue"),
        (constraint("executionEnv", "eq", ["05", "06"]), "value_refused", "/constraintValue"),
        (constraint("region", "isA", "x" * 11), "too_long", "/constraintValue"),
        (constraint("region", "isA", "999999"), "code_unknown", "/constraintValue"),
        (constraint("count", "lteq", "9" * 17), "constraint_refused", "/constraintValue"),
        (constraint("count", "lteq", "10000 次/天"), "value_refused", "/constraintValue"),
        (constraint("count", "lteq", "0"), "value_refused", "/constraintValue"),
        (constraint("time", "lt", "20261301000000"), "value_refused", "/constraintValue"),
        (constraint("time", "lt", "2026-01-01T00:00:00"), "value_refused", "/constraintValue"),
        (constraint("time", "isA", "2024-03-20 23:59:59 -- 2025-03-20 23:59:59"),
         "operator_refused", "/constraintOperator"),
        (constraint("logRecordSend", "eq", "相关方"), "constraint_refused", "/constraintName"),
        (constraint("color", "eq", "red"), "constraint_refused", "/constraintName"),
        (constraint("count", "13", "5"), "value_refused", "/constraintOperator"),
    ],
)  # fmt: skip
def test_a_constraint_outside_the_mapping_is_refused_at_its_place(found, code, place):
    refused = refusal(document(found), code)
    before = "/contractPolicies/permissionPolicies/0/constraints/0"
    assert refused.parameters["place"] == before + place


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        *(
            ({name: "x"}, "rule_refused", f"/{name}") for name in sorted(CONTRACT_INFORMATION)
        ),
        ({"contractStatus": "06"}, "rule_refused", "/contractStatus"),
        ({"contractStatus": "0302"}, "rule_refused", "/contractStatus"),
        ({"contractStatus": "03"}, "rule_refused", "/contractStatus"),
        ({"contractId": "4" * 48}, "too_long", "/contractId"),
        ({"signatories": [{"signatoryEntityId": "x" * 19, "signatorytype": "01"}]}, "too_long",
         "/signatories/0/signatoryEntityId"),
        ({"signatories": [{"signatoryEntityId": PROVIDER, "signatorytype": "03"}]}, "rule_refused",
         "/signatories/0/signatorytype"),
        ({"signatories": [{"signatoryEntityId": PROVIDER, "signatorytype": "01"}] * 2},
         "rule_refused", "/signatories/1/signatorytype"),
        ({"signatories": []}, "rule_refused", "/"),
        ({"permissionPolicies": [policy(), policy()]}, "rule_refused",
         "/contractPolicies/permissionPolicies"),
        ({"prohibitionPolicies": [policy(constraints=[constraint("count", "eq", "1")])]},
         "rule_refused", "/contractPolicies/prohibitionPolicies/0/constraints"),
        ({"permission": {"actions": ["export"]}}, "action_refused",
         "/contractPolicies/permissionPolicies/0/actions/0"),
        ({"permission": {"actions": [{"expansionItem": "urn:x:fly"}]}}, "action_refused",
         "/contractPolicies/permissionPolicies/0/actions/0/expansionItem"),
        ({"permission": {"actions": [{"expansionItem": f"{NAMESPACE}read"}]}}, "value_refused",
         "/contractPolicies/permissionPolicies/0/actions/0/expansionItem"),
        ({"permission": {"policyExpansion": "先付款"}}, "value_refused",
         "/contractPolicies/permissionPolicies/0/policyExpansion"),
    ],
)  # fmt: skip
def test_what_stands_outside_the_mapping_is_refused_at_its_place(changes, code, place):
    assert refusal(document(**changes), code).parameters["place"] == place


@pytest.mark.parametrize(
    ("where", "name", "most"),
    [
        ("subjectInfo", "dataProductId", 65),
        ("subjectInfo", "dataProductEntityId", 18),
        ("executionNodeInfo", "assignerId", 32),
        ("executionNodeInfo", "assigneeId", 32),
    ],
)
def test_the_lengths_of_tables_c3_and_c4_are_kept(where, name, most):
    found = document()
    found["contractPolicies"]["permissionPolicies"][0][where][name] = "x" * (most + 1)
    refused = refusal(found, "too_long")
    assert refused.parameters["most"] == most
    assert refused.parameters["place"].endswith(f"/{where}/{name}")


def test_both_forms_of_time_are_read_and_the_standards_own_is_beijing_time():
    local = read(document(constraint("time", "gteq", "20260302080000")))
    iso = read(document(constraint("time", "gteq", "2026-03-02T00:00:00Z")))
    assert local == iso
    assert local.terms.valid == Period(datetime(2026, 3, 2, tzinfo=UTC))
    assert write_policy(local, PolicyFormat.TC609) == to_tc609(iso)
    written = to_tc609(iso)["contractPolicies"]["permissionPolicies"][0]["constraints"]
    assert constraint("time", "03", "20260302080000") in written


def test_an_end_within_the_last_second_is_kept_exactly():
    found = document(constraint("time", "lteq", "20251231235959"))
    end = datetime(2025, 12, 31, 15, 59, 59, 1, tzinfo=UTC)
    assert read(found).terms.valid == Period(BEGINNING, end)
    assert read(to_tc609(read(found))) == read(found)


def plain_policy(**changes):
    parts = {
        "id": "4" * 47,
        "kind": PolicyKind.AGREEMENT,
        "object": "6" * 65,
        "provider": "9" * 18,
        "consumer": "8" * 18,
        "provider_node": "5" * 32,
        "consumer_node": "5" * 32,
        "terms": Terms(actions=Scope.of(VOCABULARY.actions, ["use"])),
    }
    return Policy(**(parts | changes))


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        ({"id": "4" * 48}, "/id", "length"),
        ({"object": "6" * 66}, "/object", "length"),
        ({"provider": "9" * 19}, "/provider", "length"),
        ({"consumer": "9" * 19}, "/consumer", "length"),
        ({"provider_node": None}, "/provider_node", "required"),
        ({"consumer_node": "5" * 33}, "/consumer_node", "length"),
        ({"kind": PolicyKind.SET}, "/kind", "set"),
        ({"terms": Terms()}, "/terms/actions", "any_action"),
        ({"before": (Duty(action=DutyAction.WATERMARK),)}, "/before/0", "no_duty"),
        ({"quantities": (Money(10**16, "calls"),)}, "/quantities", "length"),
        ({"terms": Terms(
            actions=Scope.of(VOCABULARY.actions, ["use"]),
            valid=Period(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=2)))},
         "/terms/valid", "second"),
    ],
)  # fmt: skip
def test_what_the_standard_has_no_words_for_is_not_written(changes, place, reason):
    assert read(to_tc609(plain_policy())) == plain_policy()
    with pytest.raises(errors.Rejected) as caught:
        to_tc609(plain_policy(**changes))
    assert caught.value.code == "rights.policy.not_expressible"
    assert caught.value.parameters == {"place": place, "reason": reason}
    assert explain_reason(caught.value, "zh-CN")


def annex_d(number):
    """The scenarios of the standard's annex D, as documents: actions, then constraints."""
    scenarios = {
        1: (["read"], [("count", "lteq", "10000 次/天"), ("timeWindow", "eq", "P1D"),
                       ("networkAddress", "isA", "指定IP 地址")]),
        2: (["read", "jointDevelop", "export"],
            [("dataField", "isA", ["字段1", "字段2", "字段3"]),
             ("networkAddress", "isA", "指定IP 地址"), ("executionEnv", "isA", "02"),
             ("logRecordSend", "eq", "相关方")]),
        3: (["distribute"], [("deliveryMethod", "eq", "01"),
                             ("logRecordSend", "eq", "数据使用方")]),
        4: (["sell"], [("payAmount", "eq", "100.00 CNY"), ("timeWindow", "lteq", "P365D"),
                       ("compensate", "eq", "10.00 CNY")]),
        5: (["process"], [("encryptMode", "eq", "02"),
                          ("timeWindow", "isA", "2024-03-20 23:59:59--2025-03-20 23:59:59"),
                          ("dataField", "isA", ["字段"]), ("count", "lteq", "1000 次"),
                          ("executionEnv", "isA", "06")]),
    }  # fmt: skip
    actions, constraints = scenarios[number]
    listed = [constraint(*one) for one in constraints]
    return document(*listed, permission={"actions": actions})


@pytest.mark.parametrize(
    ("number", "code", "named"),
    [
        (1, "value_refused", None),
        (2, "action_refused", "export"),
        (3, "constraint_refused", "deliveryMethod"),
        (4, "action_refused", "sell"),
        (5, "constraint_refused", "encryptMode"),
    ],
)
def test_the_scenarios_of_annex_d_are_refused_by_name(number, code, named):
    assert refusal(annex_d(number), code).parameters.get("given") == named


def test_what_annex_d_can_say_exactly_is_read():
    found = document(
        constraint("dataField", "isA", ["字段1", "字段2", "字段3"]),
        constraint("executionEnv", "isA", "06"),
        constraint("count", "lteq", "1000"),
        constraint("logRecordSend", "eq", "数据提供方"),
        constraint("compensate", "eq", "10.00 CNY"),
        permission={"actions": ["process", "jointDevelop"]},
    )
    result = read(found)
    assert result.terms.fields == {"字段1", "字段2", "字段3"}
    assert result.terms.environments.form().allowed == ("cipher",)
    assert result.quantities == (Money(1000, "calls"),)
    assert {one.action for one in result.after} == {DutyAction.PAY, DutyAction.REPORT}
    written = to_tc609(result)["contractPolicies"]
    assert len(written["obligationPolicies"]) == 2
    assert read(to_tc609(result)) == result


def test_a_remedy_and_a_breach_liability_come_back():
    after = Duty(
        action=DutyAction.DELETE,
        within_days=7,
        otherwise=Duty(action=DutyAction.PAY, amount=Money(5, "calls"), within_days=1),
    )
    wanted = plain_policy(
        terms=Terms(actions=Scope.of(VOCABULARY.actions, ["use"], ["use.report"])),
        after=(after,),
        remedies=(Duty(action=DutyAction.ALERT),),
        before=(Duty(action=DutyAction.ANONYMIZE),),
    )
    found = to_tc609(wanted)
    assert read(copy.deepcopy(found)) == wanted
    rule = found["contractPolicies"]["obligationPolicies"][0]
    assert json.loads(rule["policyExpansion"])["breachLiabilities"][0]["actions"] == ["compensate"]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_page_lists_every_word_of_the_standard_with_its_treatment(language):
    page = (PAGES / language / "exchange-policies.md").read_text(encoding="utf-8")
    rows = {}
    for line in page.splitlines():
        if line.startswith("|"):
            rows.setdefault(line.split("|")[1].strip(), line)
    for table in (ACTIONS, CONSTRAINTS):
        for word, treatment in table.items():
            row = rows[f"`{word}`"] if word != "expansionItem" else page
            for said in (treatment.code, treatment.duty and treatment.duty.value, treatment.reason):
                assert said in {None, "*"} or f"`{said}`" in row, (word, said)
    for name in OPERATORS:
        assert f"`{name}`" in rows


def test_the_codes_of_the_standard_stand_in_the_trees():
    theirs = [one for one in built_in_labels() if (one.source or "").startswith("TC609-6-2025-14")]
    assert len(theirs) == 16
    assert all(one.parent is None for one in theirs), "as roots they widen nothing given before"
