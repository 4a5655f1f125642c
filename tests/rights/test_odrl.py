# SPDX-License-Identifier: Apache-2.0
"""ODRL 2.2: what is in the profile comes back the same, what is outside is refused by its place."""

import ast
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
from lingqu.rights import odrl
from lingqu.rights.constraints import OPERATORS
from lingqu.rights.exchange import (
    Duty,
    DutyAction,
    Policy,
    PolicyFormat,
    PolicyKind,
    built_in_vocabulary,
    explain_policy,
    explain_reason,
    read_policy,
    write_policy,
)
from lingqu.rights.odrl import (
    CONTEXTS,
    ODRL,
    OPERANDS,
    OWED,
    PERMITTED,
    PROFILE,
    from_odrl,
    to_odrl,
)
from lingqu.runtime.i18n import catalog

SOURCE = Path(odrl.__file__).parent
EXAMPLES = json.loads((Path(__file__).parent / "policy_examples.json").read_text(encoding="utf-8"))[
    "examples"
]


def read(document):
    return from_odrl(document, vocabulary=VOCABULARY)


def document(**changes):
    found = {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Agreement",
        "uid": "urn:x:policy",
        "profile": PROFILE,
        "assigner": "urn:x:bureau",
        "assignee": "urn:x:bank",
        "permission": [{"target": "urn:x:data", "action": "lingqu:use.verify"}],
    }
    return {key: value for key, value in (found | changes).items() if value is not None}


def rule(**members):
    return {"target": "urn:x:data", "action": "lingqu:use"} | members


def constrained(*constraints, **members):
    return document(permission=[rule(constraint=list(constraints), **members)])


def constraint(left, operator, right, **more):
    return {"leftOperand": left, "operator": operator, "rightOperand": right} | more


def refusal(found, code=None):
    with pytest.raises(errors.Rejected) as caught:
        read(found)
    assert caught.value.parameters["place"].startswith("/"), caught.value
    if code is not None:
        assert caught.value.code == f"rights.policy.{code}", caught.value
    return caught.value


def full():
    def scope(name, allowed, prohibited=()):
        return Scope.of(getattr(VOCABULARY, name), allowed, prohibited)

    return Policy(
        id="urn:x:1",
        kind=PolicyKind.AGREEMENT,
        object="urn:x:data",
        provider="urn:x:bureau",
        consumer="urn:x:bank",
        terms=Terms(
            purposes=scope("purposes", ["industry"], ["industry.finance.credit"]),
            territories=scope("territories", ["450700"]),
            actions=scope("actions", ["use", "read"], ["use.report"]),
            environments=scope("environments", ["domain.sandbox"]),
            fields=frozenset({"a", "b"}),
            recipients=frozenset({"p"}),
            level_max=2,
            valid=Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ),
        quantities=(Money(1000, "calls"),),
        before=(Duty(action=DutyAction.PAY, amount=Money(100, "CNY")),),
        after=(
            Duty(
                action=DutyAction.DELETE,
                within_days=30,
                otherwise=Duty(action=DutyAction.ALERT),
            ),
        ),
        remedies=(Duty(action=DutyAction.DELETE),),
    )


@given(policies())
def test_every_policy_comes_back_the_same(policy):
    text = canon.encode(to_odrl(policy))
    assert read(json.loads(text)) == policy
    assert canon.encode(to_odrl(read(json.loads(text)))) == text
    assert read_policy(text, vocabulary=VOCABULARY) == (PolicyFormat.ODRL, policy)


def respell(value, draw):
    """The same document as another program would write it."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {respell_key(key, draw): respell(value[key], draw) for key in keys}
    if isinstance(value, list):
        items = [respell(item, draw) for item in value]
        return items[0] if len(items) == 1 and draw(st.booleans()) else items
    return value


def respell_key(key, draw):
    if key.startswith(("@", "rdf:", "lingqu:")):
        return key
    return draw(st.sampled_from([key, f"odrl:{key}", ODRL + key]))


@given(policies(), st.data())
def test_order_lists_and_full_names_do_not_matter(policy, data):
    written = to_odrl(policy)
    other = respell({k: v for k, v in written.items() if k != "@context"}, data.draw)
    prefixes = {"odrl": ODRL, "lingqu": "urn:lingqu:odrl:1#"}
    context = [prefixes, data.draw(st.sampled_from(sorted(CONTEXTS)))]
    assert read({"@context": context, **other}) == policy
    spaced = json.dumps(
        other | {"@context": written["@context"]}, indent=data.draw(st.integers(0, 3))
    )
    assert read_policy(spaced, vocabulary=VOCABULARY)[1] == policy


@given(policies(), policies())
def test_equal_policies_and_no_others_have_equal_bytes(one, two):
    assert (canon.encode(to_odrl(one)) == canon.encode(to_odrl(two))) == (one == two)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))


def at(found, path):
    for step in path:
        found = found[step]
    return found


FOREIGN = st.sampled_from([
    ("constraint", constraint("industry", "eq", "x")),
    ("constraint", constraint("purpose", "neq", "research")),
    ("constraint", {"or": [constraint("count", "lteq", 5)]}),
    ("refinement", [constraint("resolution", "lteq", 5)]),
    ("inheritFrom", "urn:x:other"),
    ("conflict", "perm"),
    ("action", "sell"),
    ("implies", "use"),
    ("xone", []),
    ("note", "free text"),
    ("lingqu:extra", True),
    ("@graph", []),
    ("@reverse", {}),
    ("uid", "urn:x:more"),
    ("dct:title", "x"),
])  # fmt: skip


@given(policies(), FOREIGN, st.data())
def test_an_added_member_is_refused_or_only_narrows(policy, foreign, data):
    found = json.loads(json.dumps(to_odrl(policy)))
    objects = [path for path in places(found) if isinstance(at(found, path), dict)]
    target = at(found, data.draw(st.sampled_from(objects)))
    name, value = foreign
    if name == "constraint" and isinstance(target.get(name), list):
        target[name].append(value)
    else:
        assume(name not in target)
        target[name] = value
    result = outcome(read, found)
    assert result is None or is_narrower(result, policy)


@given(policies(), st.data())
def test_a_value_replaced_by_rubbish_is_refused_by_its_place(policy, data):
    found = json.loads(json.dumps(to_odrl(policy)))
    path = data.draw(st.sampled_from([path for path in places(found) if path]))
    rubbish = data.draw(
        st.sampled_from([None, "", " ", [], {}, [[]], -1, True, "perm", "lingqu:nothing", "\ud800"])
    )
    at(found, path[:-1])[path[-1]] = rubbish
    result = outcome(read, found)
    # What could be read has the rest of its meaning, so it comes back as it was read.
    assert result is None or read(to_odrl(result)) == result


VALUES = {
    **{name: st.lists(st.sampled_from(codes), max_size=3) for name, codes in CODES.items()},
    "fields": st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
    "recipients": st.lists(st.sampled_from(["p", "q"]), max_size=3),
    "level_max": st.lists(st.integers(0, 4), min_size=1, max_size=1),
    "valid": st.lists(
        st.integers(0, 8).map(lambda day: datetime(2026, 1, 1, tzinfo=UTC) + day * HALF),
        min_size=1,
        max_size=1,
    ),
}
LEFT = {name: left for left, name in OPERANDS.items() if name in VALUES}


@st.composite
def raw_constraints(draw):
    name = draw(st.sampled_from(sorted(LEFT)))
    return name, draw(st.sampled_from(sorted(OPERATORS))), draw(VALUES[name])


@given(
    st.lists(raw_constraints(), max_size=3),
    st.lists(st.sampled_from(CODES["actions"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(CODES["actions"]), max_size=2),
)
def test_no_document_is_read_as_permitting_more_than_it_says(wanted, actions, forbidden):
    def named(code):
        return code if code in PERMITTED.values() else f"lingqu:{code}"

    def plain(values):
        return [one.isoformat() if isinstance(one, datetime) else one for one in values]

    found = constrained(
        *(constraint(LEFT[name], operator, plain(values)) for name, operator, values in wanted),
        action=[named(code) for code in actions],
    )
    if forbidden:
        found |= {"conflict": "prohibit"}
        found["prohibition"] = [rule(action=[named(code) for code in forbidden])]
    policy = outcome(read, found)
    if policy is not None:
        assert not list(wider_than_said(policy.terms, wanted, actions, forbidden))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**18) | st.text(max_size=8)
    | st.sampled_from(["use", "purpose", "isAnyOf", "Offer", PROFILE, "urn:x:1"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["permission", "action", "constraint", "uid", "@id", "target", "x"]),
        inner,
        max_size=3,
    ),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(document())), JSON, max_size=7))
def test_random_documents_never_break_the_reader(changes):
    result = outcome(read, document() | changes)
    assert result is None or read(to_odrl(result)) == result


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_random_bytes_are_refused_as_unreadable(data):
    with pytest.raises(errors.Rejected) as caught:
        read_policy(data, vocabulary=VOCABULARY)
    assert caught.value.code == "rights.policy.unreadable"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "duplicate"),
        ('{"a": {"b": 1, "b": 1}}', "duplicate"),
        ('{"a": 1.0}', "fraction"),
        ('{"a": NaN}', "fraction"),
        ('{"a": 12345678901234567}', "number"),
        ('{"a": ' + "[" * 30 + "]" * 30 + "}", "depth"),
        ("[" * 100_000, "depth"),
        (" " * 200_001, "too_large"),
        ("[]", "json"),
        ('{"a": "\\ud800"}', "json"),
        ("{}", "format"),
    ],
)
def test_a_text_that_two_programs_could_read_differently_is_refused(text, reason):
    with pytest.raises(errors.Rejected) as caught:
        read_policy(text, vocabulary=VOCABULARY)
    if reason == "json" and "ud800" in text:
        assert caught.value.code.startswith("rights.policy.")
        return
    assert caught.value.parameters["reason"] == reason


@pytest.mark.parametrize(
    ("constraints", "code", "place"),
    [
        ([constraint("industry", "eq", "x")], "constraint_refused", "/leftOperand"),
        ([constraint("purpose", "eq", "research")], "operator_refused", "/operator"),
        ([constraint("purpose", "neq", "research")], "operator_refused", "/operator"),
        ([constraint("purpose", "isAllOf", ["research"])], "operator_refused", "/operator"),
        ([constraint("purpose", "like", "research")], "value_refused", "/operator"),
        ([constraint("purpose", "isAnyOf", ["fishing"])], "code_unknown", "/rightOperand/0"),
        ([constraint("purpose", "isAnyOf", [])], "value_refused", "/rightOperand"),
        ([constraint("purpose", "isA", ["research", "welfare"])], "value_refused", "/rightOperand"),
        ([constraint("purpose", "isNoneOf", ["research"])], "rule_refused", "/rightOperand/0"),
        ([constraint("spatial", "eq", "450700")], "operator_refused", "/operator"),
        ([constraint("dateTime", "eq", "2026-01-01T00:00:00Z")], "operator_refused", "/operator"),
        ([constraint("dateTime", "lt", "2026-01-01")], "value_refused", "/rightOperand"),
        ([constraint("dateTime", "lt", "2026-01-01T00:00:00")], "value_refused", "/rightOperand"),
        ([constraint("dateTime", "gteq", "2026-01-01T00:00:00.1234567Z")], "value_refused",
         "/rightOperand"),
        ([constraint("payAmount", "eq", "5.00")], "constraint_refused", "/leftOperand"),
        ([constraint("lingqu:level", "gteq", 2)], "operator_refused", "/operator"),
        ([constraint("lingqu:level", "lteq", "many")], "value_refused", "/rightOperand"),
        ([constraint("lingqu:quantity", "lteq", "5")], "member_missing", ""),
        ([constraint("lingqu:quantity", "lteq", 0, unit="lingqu:calls")], "value_refused",
         "/rightOperand"),
        ([constraint("lingqu:crossBorder", "eq", True)], "value_refused", "/rightOperand"),
        ([constraint("purpose", "isA", "research", unit="x")], "member_unknown", "/unit"),
        ([constraint("purpose", "isA", "research", rightOperandReference="x")], "member_unknown",
         "/rightOperandReference"),
        ([{"and": []}], "rule_refused", "/and"),
        ([{"or": []}], "rule_refused", "/or"),
        ([{"xone": []}], "rule_refused", "/xone"),
        ([{"andSequence": []}], "rule_refused", "/andSequence"),
    ],
)  # fmt: skip
def test_a_constraint_outside_the_profile_is_refused_at_its_place(constraints, code, place):
    refused = refusal(constrained(*constraints), code)
    assert refused.parameters["place"] == f"/permission/0/constraint/0{place}"


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"profile": None}, "member_missing", "/"),
        ({"profile": "http://example.com/p"}, "rule_refused", "/profile"),
        ({"profile": [PROFILE, "http://example.com/p"]}, "rule_refused", "/profile/1"),
        ({"@context": "http://evil.example/c"}, "value_refused", "/@context"),
        ({"@context": [{"odrl": "http://evil.example/"}]}, "value_refused", "/@context/0/odrl"),
        ({"@context": None}, "member_missing", "/"),
        ({"@context": {"odrl": ODRL}}, "value_refused", "/@context"),
        ({"@type": "Offer", "assignee": None,
          "obligation": [{"action": "delete", "assignee": "urn:x:bank"}]}, "rule_refused",
         "/obligation/0/assignee"),
        ({"permission": [rule(action="lingqu:read")]}, "value_refused", "/permission/0/action"),
        ({"@type": "Request"}, "value_refused", "/@type"),
        ({"@type": None}, "member_missing", "/"),
        ({"uid": "not an iri"}, "value_refused", "/uid"),
        ({"conflict": "perm"}, "rule_refused", "/conflict"),
        ({"inheritFrom": "urn:x:2"}, "rule_refused", "/inheritFrom"),
        ({"assignee": None}, "rule_refused", "/"),
        ({"assignee": {"uid": "urn:x:b", "@type": "PartyCollection"}}, "member_unknown",
         "/assignee/@type"),
        ({"permission": [rule(), rule()]}, "rule_refused", "/permission"),
        ({"permission": None}, "member_missing", "/"),
        ({"permission": [rule(target={"uid": "urn:x:d", "refinement": []})]}, "rule_refused",
         "/permission/0/target/refinement"),
        ({"permission": [rule(target=None)]}, "value_refused", "/permission/0/target"),
        ({"permission": [{"action": "use"}]}, "member_missing", "/permission/0"),
        ({"permission": [rule(assignee="urn:x:other")]}, "rule_refused", "/permission/0/assignee"),
        ({"permission": [rule(action="sell")]}, "action_refused", "/permission/0/action"),
        ({"permission": [rule(action="delete")]}, "action_refused", "/permission/0/action"),
        ({"permission": [rule(action="http://example.com/do")]}, "action_refused",
         "/permission/0/action"),
        ({"permission": [rule(action="lingqu:fly")]}, "code_unknown", "/permission/0/action"),
        ({"permission": [rule(action={"rdf:value": {"@id": "odrl:use"}, "refinement": []})]},
         "member_unknown", "/permission/0/action/rdf:value"),
        ({"permission": [rule(duty=[{"action": "attribute"}])]}, "action_refused",
         "/permission/0/duty/0/action"),
        ({"prohibition": [rule()]}, "rule_refused", "/prohibition"),
        ({"prohibition": [rule(constraint=[])], "conflict": "prohibit"}, "rule_refused",
         "/prohibition/0/constraint"),
        ({"prohibition": [rule(action="use")], "conflict": "prohibit"}, "action_refused",
         "/prohibition/0/action"),
        ({"prohibition": [rule(action="lingqu:offer", remedy=[{"action": "delete"}])],
          "conflict": "prohibit"}, "rule_refused", "/"),
        ({"obligation": [{"action": "delete", "constraint": [constraint("count", "eq", 1)]}]},
         "constraint_refused", "/obligation/0/constraint/0/leftOperand"),
        ({"obligation": [{"action": "compensate"}]}, "rule_refused", "/obligation/0"),
        ({"obligation": [{"action": "delete", "target": "urn:x:other"}]}, "rule_refused",
         "/obligation/0/target"),
    ],
)  # fmt: skip
def test_what_stands_outside_the_profile_is_refused_at_its_place(changes, code, place):
    assert refusal(document(**changes), code).parameters["place"] == place


def test_every_operator_is_judged_for_every_operand():
    values = {"dateTime": "2026-01-01T00:00:00Z", "lingqu:level": 2, "lingqu:crossBorder": False}
    units = {"lingqu:quantity": {"unit": "lingqu:calls"}}
    codes = {"purpose": "research", "spatial": "450700", "lingqu:environment": "domain"}
    accepted = {}
    for left in OPERANDS:
        value = values.get(left, codes.get(left, 5 if left in {"count", *units} else "a"))
        for operator in OPERATORS:
            one = constraint(left, operator, value, **units.get(left, {}))
            if outcome(read, constrained(one)) is not None:
                accepted.setdefault(left, set()).add(operator)
    tree, names = {"isA", "isPartOf", "isAnyOf"}, {"eq", "isAnyOf"}
    assert accepted == {
        "purpose": tree,
        "spatial": tree,
        "lingqu:environment": tree,
        "lingqu:field": names,
        "recipient": names,
        "dateTime": {"gt", "gteq", "lt", "lteq"},
        "lingqu:level": {"lt", "lteq"},
        "lingqu:crossBorder": {"eq"},
        "lingqu:quantity": {"lt", "lteq"},
        "count": {"lt", "lteq"},
    }


EVERY_ACTION = tuple(
    """
    acceptTracking aggregate annotate anonymize archive attribute compensate concurrentUse delete
    derive digitize display distribute ensureExclusivity execute extract give grantUse include index
    inform install modify move nextPolicy obtainConsent play present print read reproduce
    reviewPolicy sell stream synchronize textToSpeech transfer transform translate uninstall use
    watermark
    """.split()  # noqa: SIM905  # a list of forty words reads better as words
)


def test_the_actions_of_odrl_are_permitted_owed_or_refused_by_name():
    for action in EVERY_ACTION:
        found = document(permission=[rule(action=action)])
        if action == "use":
            assert read(found).terms.actions is None
        elif action in PERMITTED:
            assert read(found).terms.actions.form().allowed == (PERMITTED[action],)
        else:
            reason = refusal(found, "action_refused").parameters["reason"]
            assert reason == ("duty" if action in OWED else "no_action")


def test_constraints_are_met_never_joined():
    both = read(
        constrained(
            constraint("purpose", "isAnyOf", ["industry", "research"]),
            constraint("purpose", "isPartOf", "industry.finance"),
            constraint("purpose", "isNoneOf", ["industry.finance.credit"]),
            constraint("dateTime", "gt", "2026-01-01T08:00:00+08:00"),
            constraint("dateTime", "lteq", "2026-02-01T00:00:00Z"),
            constraint("lingqu:level", "lt", 3),
            constraint("lingqu:level", "lteq", 4),
            constraint("count", "lt", 10),
            constraint("count", "lteq", 20),
        )
    )
    tick = timedelta(microseconds=1)
    assert both.terms.purposes.form().allowed == ("industry.finance",)
    assert both.terms.purposes.form().prohibited == ("industry.finance.credit",)
    assert both.terms.valid == Period(
        datetime(2026, 1, 1, tzinfo=UTC) + tick, datetime(2026, 2, 1, tzinfo=UTC) + tick
    )
    assert both.terms.level_max == 2
    assert both.quantities == (Money(9, "calls"),)
    assert not both.terms.cross_border


def test_a_count_for_several_actions_is_refused_because_each_would_have_its_own():
    found = constrained(constraint("count", "lteq", 5), action=["read", "lingqu:use"])
    assert refusal(found, "constraint_refused").parameters["reason"] == "count_per_action"


def test_contradicting_constraints_permit_nothing_and_are_refused():
    found = constrained(
        constraint("purpose", "isA", "research"), constraint("purpose", "isA", "industry")
    )
    assert refusal(found, "rule_refused").parameters["reason"] == "nothing"


def test_use_across_the_border_must_be_said():
    assert not read(document()).terms.cross_border
    border = constraint("lingqu:crossBorder", "isAnyOf", [True, False])
    assert read(constrained(border)).terms.cross_border
    inside = constraint("lingqu:crossBorder", "eq", False)
    assert not read(constrained(border, inside)).terms.cross_border
    assert (
        constraint("lingqu:crossBorder", "eq", False)
        in (to_odrl(full())["permission"][0]["constraint"])
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=[one["name"] for one in EXAMPLES])
def test_public_examples_are_refused_as_published_and_judged_under_our_profile(example):
    published = example["document"]
    with pytest.raises(errors.Rejected):
        read(published)
    ours = copy.deepcopy(published) | {"profile": PROFILE}
    ours["@context"] = "http://www.w3.org/ns/odrl.jsonld"
    expected = example["under_our_profile"]
    if expected == "accepted":
        assert read(to_odrl(read(ours))) == read(ours)
        return
    refused = refusal(ours, expected["code"])
    assert refused.parameters["place"] == expected["place"]


def test_the_words_tell_everything_in_both_languages():
    policy = full()
    zh = "\n".join(explain_policy(policy, "zh-CN"))
    en = "\n".join(explain_policy(policy, "en"))
    for part in ("产业发展，但不包括 信贷与授信", "钦州市", "1000 calls", "不允许境外使用"):
        assert part in zh
    assert "30 日内删除全部副本" in zh
    for part in ("delete every copy within 30 days", "not permitted", "Qinzhou", "pay 1.00 CNY"):
        assert part in en
    assert "rights." not in zh + en
    bare = Policy(id="x", kind=PolicyKind.SET, object="y", terms=Terms())
    free = "不限：行为、用途、地域、环境、字段、接收方、数据级别、期限。"
    assert free in explain_policy(bare, "zh-CN")


@given(policies())
def test_every_policy_has_words(policy):
    for language in ("zh-CN", "en"):
        lines = explain_policy(policy, language)
        assert all(lines)
        assert not any(line.startswith("rights.") for line in lines)


def reasons():
    """Every reason that a refusal of a policy can name, by the source."""
    for name in ("policies", "constraints", "odrl", "tc609", "exchange", "treatment"):
        tree = ast.parse((SOURCE / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            named = [one.value for one in node.keywords if one.arg == "reason"]
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            for value in (*named, *(node.args if called in {"refuse", "refused"} else ())):
                yield from (
                    one.value
                    for one in ast.walk(value)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )


def test_every_reason_in_the_source_has_words_in_both_languages():
    found = set(reasons()) - {"reason"}
    assert {"rate", "conflict", "several_permissions", "nothing"} <= found
    assert not [one for one in found if f"rights.policy.reason.{one}" not in catalog()]


def test_twenty_thousand_exclusions_are_one_step():
    many = [constraint("purpose", "isNoneOf", ["industry.health"] * 10_000) for _ in range(2)]
    found = read(constrained(constraint("purpose", "isA", "industry"), *many))
    assert found.terms.purposes.form().prohibited == ("industry.health",)


def test_every_reason_has_words():
    for changes in ({"conflict": "perm"}, {"permission": [rule(), rule()]}, {"uid": "x y"}):
        refused = refusal(document(**changes))
        for language in ("zh-CN", "en"):
            assert explain_reason(refused, language)
    assert built_in_vocabulary() is VOCABULARY
    assert write_policy(full(), PolicyFormat.ODRL) == to_odrl(full())
