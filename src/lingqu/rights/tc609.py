# SPDX-License-Identifier: Apache-2.0
"""Hides TC609-6-2025-14: how a policy is written as a digital contract's policy, and read back.

The document has the contract's identifier, state and parties and the three kinds of policies of
table C.2. `ACTIONS` and `CONSTRAINTS` say of every word of the standard how it is mapped, or why it
is refused. What the standard has no word for travels in its own extension points, as an extended
action or constraint under our name: a node that does not know it does not permit. The writer uses
the spellings of annex C; the reader also takes those of annex B and the standard's misprints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

from lingqu.kernel import canon
from lingqu.kernel.lattice import Scope, Terms, Vocabulary
from lingqu.kernel.money import Money
from lingqu.kernel.time import Instant
from lingqu.rights.constraints import OPERATORS, Constraint, apply_constraint
from lingqu.rights.policies import (
    BEGINNING,
    MOMENT,
    ActionRefused,
    ConstraintRefused,
    Draft,
    Duty,
    DutyAction,
    MemberMissing,
    MemberUnknown,
    Node,
    NotExpressible,
    OperatorRefused,
    Policy,
    PolicyKind,
    PolicyUnreadable,
    RuleRefused,
    duty_in,
    given,
    policy_in,
    prohibited_actions,
    read_document,
    read_moment,
)
from lingqu.rights.treatment import Treatment, mapped, refused

NAMESPACE = "urn:lingqu:odrl:1#"
"""The names of extended actions and constraints are those of our ODRL profile."""
BEIJING = timezone(timedelta(hours=8))
"""A time of the standard's own form names no zone; it is read and written as Beijing time."""

ACTIONS: Mapping[str, Treatment] = MappingProxyType({
    "transform": mapped("transform"),
    "anonymize": mapped("anonymize", DutyAction.ANONYMIZE),
    "desensitize": mapped("desensitize", DutyAction.DESENSITIZE),
    "access": mapped("access"),
    "read": mapped("read"),
    "reproduce": mapped("reproduce"),
    "storage": mapped("storage"),
    "download": mapped("download"),
    "process": mapped("process"),
    "jointDevelop": mapped("jointDevelop"),
    "distribute": mapped("distribute"),
    "compute": mapped("compute"),
    "grantUse": mapped("grantUse"),
    "plicyTransmit": mapped(None, DutyAction.PASS_POLICY),
    "delivery": mapped("delivery"),
    "sell": refused("ownership"),
    "logRecordSend": mapped(None, DutyAction.REPORT),
    "delete": mapped(None, DutyAction.DELETE),
    "alert": mapped(None, DutyAction.ALERT),
    "compensate": mapped(None, DutyAction.PAY),
    "expansionItem": mapped("*"),
})  # fmt: skip
"""The 21 actions of table C.5."""

CONSTRAINTS: Mapping[str, Treatment] = MappingProxyType({
    "time": mapped("valid"),
    "timeWindow": refused("cycle"),
    "region": mapped("territories"),
    "networkAddress": refused("node_setting"),
    "physicalAddress": refused("node_setting"),
    "count": mapped("calls"),
    "frequency": refused("rate"),
    "dataSize": mapped("bytes"),
    "dateRecord": mapped("rows"),
    "dataField": mapped("fields"),
    "valueExpression": refused("row_filter"),
    "application": refused("program"),
    "algorithm": refused("program"),
    "machineLearningModels": refused("program"),
    "executionEnv": mapped("environments"),
    "encryptMode": refused("node_setting"),
    "deliveryMethod": refused("node_setting"),
    "payAmount": refused("payment"),
    "expansionItem": mapped("*"),
})  # fmt: skip
"""The 19 constraints of table C.6; in a duty, `timeWindow` and `payAmount` have a meaning too."""

ENVIRONMENTS: Mapping[str, str] = MappingProxyType({
    "01": "domain.gate",
    "02": "domain.sandbox",
    "03": "mpc",
    "04": "federated",
    "05": "tee",
    "06": "cipher",
})  # fmt: skip
"""Execution environments of table C.6 by our codes; 07 (other) names none and is refused."""

EXTENDED: Mapping[str, str] = MappingProxyType({
    "purpose": "purposes",
    "environment": "environments",
    "recipient": "recipients",
    "level": "level_max",
    "crossBorder": "cross_border",
    "quantity": "quantity",
})  # fmt: skip
"""Our constraints in the standard's extension point."""

CONTRACT_INFORMATION = frozenset({
    "contractName", "contractAbstract", "createTime", "signMode", "signTime", "signature", "indate",
    "expansionItem", "activationTime", "endTime", "issueTime", "signatureList", "contractHash",
})  # fmt: skip
"""What table C.1 says of the contract beyond its policies: not read here, refused by name."""

CONTRACT_ID_MAX = 47
PRODUCT_ID_MAX = 65
ENTITY_ID_MAX = 18
NODE_ID_MAX = 32
REGION_MAX = 10
DIGITS_MAX = 16

_STATES = {PolicyKind.OFFER: "01", PolicyKind.AGREEMENT: "0301"}
_KINDS = {
    "01": PolicyKind.OFFER,
    "02": PolicyKind.OFFER,
    "0301": PolicyKind.AGREEMENT,
    "05": PolicyKind.AGREEMENT,
}
_OPERATOR_NAMES = {code: name for name, code in OPERATORS.items()}
_ALIASES = {
    "providerNodeId": "assignerId",
    "consumerNodeId": "assigneeId",
    "dataRecord": "dateRecord",
    "policyTransmit": "plicyTransmit",
    "signatoryType": "signatorytype",
    "signatoryEntities": "signatories",
}
"""The other spellings of the standard: annex B's, and its misprints put right."""
_QUANTITIES = {"calls": "count", "bytes": "dataSize", "rows": "dateRecord"}
_WORDS = {one.code: word for word, one in ACTIONS.items() if one.code not in {None, "*"}}
_DUTY_WORDS = {one.duty: word for word, one in ACTIONS.items() if one.duty is not None}
_ENVIRONMENT_WORDS = {code: word for word, code in ENVIRONMENTS.items()}
_LOCAL = re.compile(r"[0-9]{14}\Z", re.ASCII)
_DAYS = re.compile(r"P([1-9][0-9]{0,4})D\Z", re.ASCII)
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,14})\.([0-9]{2}) CNY\Z", re.ASCII)
_COUNTED = re.compile(r"(0|[1-9][0-9]{0,15}) ([A-Za-z][A-Za-z0-9_-]{0,30})\Z", re.ASCII)
_REPORTED_TO = "数据提供方"


# Writing -----------------------------------------------------------------------------------------


def to_tc609(policy: Policy) -> dict[str, Any]:
    """This will write a policy in the words of the standard. Raises NotExpressible."""
    state = _STATES.get(policy.kind)
    if state is None:
        raise NotExpressible(place="/kind", reason="set")
    signatories = [_signatory(policy.provider, "01", "/provider")]
    if policy.consumer is not None:
        signatories.append(_signatory(policy.consumer, "02", "/consumer"))
    common = {
        "subjectInfo": {
            "dataProductId": _fit(policy.object, PRODUCT_ID_MAX, "/object"),
            "dataProductEntityId": signatories[0]["signatoryEntityId"],
        },
        "executionNodeInfo": {
            "assignerId": _fit(policy.provider_node, NODE_ID_MAX, "/provider_node"),
            "assigneeId": _fit(policy.consumer_node, NODE_ID_MAX, "/consumer_node"),
        },
    }
    permission: dict[str, Any] = {
        **common,
        "actions": _actions(policy.terms.actions),
        "constraints": [*_constraints(policy.terms), *map(_quantity, policy.quantities)],
    }
    if policy.before:
        permission["policyExpansion"] = _expansion("preDuties", policy.before, "/before")
    policies: dict[str, Any] = {"permissionPolicies": [permission]}
    prohibited = prohibited_actions(policy.terms)
    if prohibited:
        rule = {**common, "actions": [_action(code) for code in prohibited]}
        if policy.remedies:
            rule["policyExpansion"] = _expansion("remedies", policy.remedies, "/remedies")
        policies["prohibitionPolicies"] = [rule]
    if policy.after:
        policies["obligationPolicies"] = [
            {**common, **_to_duty(duty, f"/after/{number}")}
            for number, duty in enumerate(policy.after)
        ]
    return {
        "contractId": _fit(policy.id, CONTRACT_ID_MAX, "/id"),
        "contractStatus": state,
        "signatories": signatories,
        "contractPolicies": policies,
    }


def _fit(text: str | None, most: int, place: str) -> str:
    if text is None:
        raise NotExpressible(place=place, reason="required")
    if len(text) > most:
        raise NotExpressible(place=place, reason="length")
    return text


def _signatory(party: str | None, kind: str, place: str) -> dict[str, str]:
    return {"signatoryEntityId": _fit(party, ENTITY_ID_MAX, place), "signatorytype": kind}


def _actions(scope: Scope | None) -> list[str | dict[str, str]]:
    if scope is None:
        raise NotExpressible(place="/terms/actions", reason="any_action")
    return [_action(code) for code in scope.form().allowed]


def _action(code: str) -> str | dict[str, str]:
    return _WORDS.get(code) or {"expansionItem": NAMESPACE + code}


def _constraints(terms: Terms) -> list[dict[str, Any]]:
    found = [*_time(terms), *_regions(terms.territories), *_environments(terms.environments)]
    if terms.purposes is not None:
        found += _extended_scope("purpose", terms.purposes)
    if terms.fields is not None:
        found.append(_constraint("dataField", "isPartOf", sorted(terms.fields)))
    if terms.recipients is not None:
        found.append(_extended("recipient", "isAnyOf", sorted(terms.recipients)))
    if terms.level_max is not None:
        found.append(_extended("level", "lteq", terms.level_max))
    border = ("isAnyOf", [False, True]) if terms.cross_border else ("eq", False)
    return [*found, _extended("crossBorder", *border)]


def _constraint(name: str, operator: str, value: object) -> dict[str, Any]:
    return {
        "constraintName": name,
        "constraintOperator": OPERATORS[operator],
        "constraintValue": value,
    }


def _extended(name: str, operator: str, value: object) -> dict[str, Any]:
    return _constraint("expansionItem", operator, {"name": NAMESPACE + name, "value": value})


def _extended_scope(name: str, scope: Scope) -> list[dict[str, Any]]:
    form = scope.form()
    found = [_extended(name, "isAnyOf", list(form.allowed))]
    if form.prohibited:
        found.append(_extended(name, "isNoneOf", list(form.prohibited)))
    return found


def _time(terms: Terms) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if terms.valid is None:
        return found
    bounds = ((terms.valid.start, "gteq", "gt"), (terms.valid.end, "lt", "lteq"))
    for moment, whole, next_to in bounds:
        if moment is None or moment == BEGINNING:
            continue
        # A moment right after a whole second is that second with the other operator.
        after = moment.microsecond == 1
        said = moment - MOMENT if after else moment
        if said.microsecond:
            raise NotExpressible(place="/terms/valid", reason="second")
        found.append(_constraint("time", next_to if after else whole, _to_moment(said)))
    return found


def _to_moment(moment: Instant) -> str:
    try:
        local = moment.astimezone(BEIJING)
    except OverflowError:
        raise NotExpressible(place="/terms/valid", reason="second") from None
    return f"{local.year:04d}{local:%m%d%H%M%S}"


def _regions(scope: Scope | None) -> list[dict[str, Any]]:
    if scope is None:
        return []
    form = scope.form()
    for code in (*form.allowed, *form.prohibited):
        _fit(code, REGION_MAX, "/terms/territories")
    found = [_constraint("region", "isAnyOf", list(form.allowed))]
    if form.prohibited:
        found.append(_constraint("region", "isNoneOf", list(form.prohibited)))
    return found


def _environments(scope: Scope | None) -> list[dict[str, Any]]:
    if scope is None:
        return []
    form = scope.form()
    if form.prohibited or not set(form.allowed) <= set(_ENVIRONMENT_WORDS):
        return _extended_scope("environment", scope)
    words = sorted(_ENVIRONMENT_WORDS[code] for code in form.allowed)
    return [_constraint("executionEnv", "isAnyOf", words)]


def _quantity(limit: Money) -> dict[str, Any]:
    if limit.minor >= 10**DIGITS_MAX:
        raise NotExpressible(place="/quantities", reason="length")
    if limit.currency in _QUANTITIES:
        return _constraint(_QUANTITIES[limit.currency], "lteq", str(limit.minor))
    return _extended("quantity", "lteq", f"{limit.minor} {limit.currency}")


def _expansion(name: str, duties: tuple[Duty, ...], place: str) -> str:
    """The extension of a policy is text in table B.4, so it is the canonical JSON of the duties."""
    listed = [_to_duty(duty, f"{place}/{number}") for number, duty in enumerate(duties)]
    return canon.encode({name: listed}).decode()


def _to_duty(duty: Duty, place: str) -> dict[str, Any]:
    if duty.action not in _DUTY_WORDS:
        raise NotExpressible(place=place, reason="no_duty")
    constraints: list[dict[str, Any]] = []
    if duty.amount is not None:
        constraints.append(_constraint("payAmount", "eq", _to_amount(duty.amount, place)))
    if duty.within_days is not None:
        constraints.append(_constraint("timeWindow", "lteq", f"P{duty.within_days}D"))
    found: dict[str, Any] = {"actions": [_DUTY_WORDS[duty.action]], "constraints": constraints}
    if duty.otherwise is not None:
        found["policyExpansion"] = _expansion("breachLiabilities", (duty.otherwise,), place)
    return found


def _to_amount(amount: Money, place: str) -> str:
    if amount.currency == "CNY":
        text = f"{amount.minor // 100}.{amount.minor % 100:02d} CNY"
    else:
        text = f"{amount.minor} {amount.currency}"
    if not (_AMOUNT if amount.currency == "CNY" else _COUNTED).match(text):
        raise NotExpressible(place=place, reason="length")
    return text


# Reading -----------------------------------------------------------------------------------------


def from_tc609(document: object, *, vocabulary: Vocabulary) -> Policy:
    """This will read a contract's policies; what cannot be expressed exactly is refused.

    Raises the refusals of `policies`; each names the place as a JSON pointer.
    """
    root = Node(document)
    members = _members(root, {"contractId", "contractStatus", "signatories", "contractPolicies"})
    status = _needed(root, members, "contractStatus")
    kind = _KINDS.get(status.text(4))
    if kind is None:
        raise RuleRefused(place=status.place, reason="state")
    parties = _signatories(_needed(root, members, "signatories"))
    sections = _needed(root, members, "contractPolicies")
    kinds = {"permissionPolicies", "prohibitionPolicies", "obligationPolicies"}
    policies = _members(sections, kinds)
    common = _Common(parties.get("01"))
    draft = Draft(vocabulary)
    before, extra = _read_permission(draft, common, sections, policies)
    remedies = _read_prohibition(draft, common, policies)
    after = _read_obligations(common, policies)
    terms, quantities = draft.finish()
    return policy_in(
        id=_needed(root, members, "contractId").text(CONTRACT_ID_MAX),
        kind=kind,
        object=common.held["dataProductId"],
        terms=terms,
        provider=parties.get("01"),
        consumer=parties.get("02"),
        provider_node=common.held["assignerId"],
        consumer_node=common.held["assigneeId"],
        quantities=quantities,
        before=before,
        after=(*after, *extra),
        remedies=remedies,
    )


class _Common:
    """Product, owner and nodes: the same in every policy of a contract that we can express."""

    def __init__(self, provider: str | None) -> None:
        self.held: dict[str, str] = {}
        if provider is not None:
            self.held["dataProductEntityId"] = provider

    def take(self, policy: Node, members: Mapping[str, Node]) -> None:
        subject = _needed(policy, members, "subjectInfo")
        nodes = _needed(policy, members, "executionNodeInfo")
        self._read(subject, {"dataProductId": PRODUCT_ID_MAX, "dataProductEntityId": ENTITY_ID_MAX})
        self._read(nodes, {"assignerId": NODE_ID_MAX, "assigneeId": NODE_ID_MAX})

    def _read(self, node: Node, lengths: Mapping[str, int]) -> None:
        members = _members(node, set(lengths))
        for name, most in lengths.items():
            said = _needed(node, members, name).text(most)
            if self.held.setdefault(name, said) != said:
                raise RuleRefused(place=members[name].place, reason="different_parties")


def _members(node: Node, known: set[str]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key, value in node.members().items():
        name = _ALIASES.get(key, key)
        if name in found:
            value.refuse("twice")
        if name not in known:
            if name in CONTRACT_INFORMATION:
                raise RuleRefused(place=value.place, reason="contract_information")
            raise MemberUnknown(place=value.place, given=given(key))
        found[name] = value
    return found


def _needed(at: Node, members: Mapping[str, Node], name: str) -> Node:
    if name not in members:
        raise MemberMissing(place=at.place or "/", given=name)
    return members[name]


def _signatories(node: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in node.each():
        members = _members(one, {"signatoryEntityId", "signatorytype"})
        kind = _needed(one, members, "signatorytype")
        name = _needed(one, members, "signatoryEntityId").text(ENTITY_ID_MAX)
        if kind.text(2) not in {"01", "02"}:
            # A third party to the contract has no place in one grant from one holder to another.
            raise RuleRefused(place=kind.place, reason="third_party")
        if kind.value in found:
            raise RuleRefused(place=kind.place, reason="several_parties")
        found[str(kind.value)] = name
    return found


def _read_permission(
    draft: Draft, common: _Common, sections: Node, policies: Mapping[str, Node]
) -> tuple[tuple[Duty, ...], tuple[Duty, ...]]:
    rules = _needed(sections, policies, "permissionPolicies").each()
    if len(rules) != 1:
        place = policies["permissionPolicies"].place
        raise RuleRefused(place=place, reason="several_permissions")
    members = _members(rules[0], _POLICY)
    common.take(rules[0], members)
    draft.allow("actions", _read_actions(_needed(rules[0], members, "actions")))
    extra: list[Duty] = []
    for one in members["constraints"].each() if "constraints" in members else ():
        extra += _read_constraint(draft, one)
    return _read_expansion(members, "preDuties"), tuple(extra)


_POLICY = {"subjectInfo", "executionNodeInfo", "actions", "constraints", "policyExpansion"}


def _read_actions(node: Node) -> list[tuple[Node, str]]:
    found = node.each()
    if not found:
        node.refuse("one_value")
    return [(one, _read_action(one)) for one in found]


def _read_action(node: Node) -> str:
    if isinstance(node.value, dict):
        members = _members(node, {"expansionItem"})
        item = _needed(node, members, "expansionItem")
        name = item.text()
        code = name.removeprefix(NAMESPACE)
        if code == name or not code:
            raise ActionRefused(place=item.place, given=given(name), reason="unknown")
        if code in _WORDS:
            item.refuse("own_word")
        return code
    word = _word(node)
    treatment = ACTIONS.get(word)
    if treatment is None or word == "expansionItem":
        raise ActionRefused(place=node.place, given=given(word), reason="unknown")
    if treatment.reason is not None:
        raise ActionRefused(place=node.place, given=word, reason=treatment.reason)
    if treatment.code is None:
        raise ActionRefused(place=node.place, given=word, reason="duty")
    return treatment.code


def _word(node: Node) -> str:
    text = node.text()
    return _ALIASES.get(text, text)


def _read_constraint(draft: Draft, node: Node) -> tuple[Duty, ...]:
    """A constraint narrows the draft; the two actions annex D writes as constraints are duties."""
    members = _members(node, {"constraintName", "constraintOperator", "constraintValue"})
    name_at = _needed(node, members, "constraintName")
    operator_at = _needed(node, members, "constraintOperator")
    value = _needed(node, members, "constraintValue")
    name, operator = _word(name_at), _operator(operator_at)
    if name in {"logRecordSend", "compensate"}:
        return (_misplaced_duty(name, name_at, operator, operator_at, value),)
    treatment = CONSTRAINTS.get(name)
    if treatment is None:
        raise ConstraintRefused(place=name_at.place, given=given(name), reason="unknown")
    if treatment.reason is not None:
        raise ConstraintRefused(place=name_at.place, given=name, reason=treatment.reason)
    assert treatment.code is not None, "what is mapped says to what"
    if name == "expansionItem":
        name, dimension, value, unit = _extension(value)
    elif treatment.code in _QUANTITIES:
        dimension, unit = "quantity", treatment.code
    else:
        dimension, unit = treatment.code, None
    found = Constraint(
        name=name,
        operator=operator,
        operator_at=operator_at,
        value=value,
        code=_environment if name == "executionEnv" else _region if name == "region" else _name,
        moment=_moment,
        unit=unit,
        more_operators=_MORE_OPERATORS.get(name, ()),
    )
    if dimension == "quantity" and value.number() >= 10**DIGITS_MAX:
        raise ConstraintRefused(place=value.place, given=name, reason="length")
    apply_constraint(draft, dimension, found)
    return ()


_MORE_OPERATORS = {
    "dataField": ("isPartOf", "isA"),
    # The environments of the standard are a closed list: to be one of them is to equal it.
    "executionEnv": ("eq",),
}


def _name(node: Node) -> str:
    return node.text()


def _region(node: Node) -> str:
    return node.text(REGION_MAX)


def _environment(node: Node) -> str:
    code = ENVIRONMENTS.get(node.text(2))
    if code is None:
        node.refuse("environment")
    return code


def _operator(node: Node) -> str:
    text = node.text(9)
    if text not in OPERATORS and text not in _OPERATOR_NAMES:
        node.refuse("operator")
    return _OPERATOR_NAMES.get(text, text)


def _extension(value: Node) -> tuple[str, str, Node, str | None]:
    """Our own constraint inside the extension point; another's is refused by its name."""
    members = _members(value, {"name", "value"})
    at = _needed(value, members, "name")
    inner = _needed(value, members, "value")
    name = at.text().removeprefix(NAMESPACE)
    if at.value == name or name not in EXTENDED:
        raise ConstraintRefused(place=at.place, given=given(name), reason="unknown")
    if name != "quantity":
        return name, EXTENDED[name], inner, None
    counted = _COUNTED.match(inner.text())
    if counted is None or counted[2] in _QUANTITIES:
        inner.refuse("amount")
    return name, "quantity", Node(int(counted[1]), inner.place), counted[2]


def _moment(node: Node) -> Instant:
    text = node.text()
    if not _LOCAL.match(text):
        return read_moment(node)
    try:
        return datetime.strptime(f"{text}+0800", "%Y%m%d%H%M%S%z").astimezone(UTC)
    except (ValueError, OverflowError):
        node.refuse("moment")


def _misplaced_duty(
    name: str, name_at: Node, operator: str, operator_at: Node, value: Node
) -> Duty:
    """Annex D lists two actions as constraints; they are read where they say one thing only."""
    if operator != "eq":
        raise OperatorRefused(place=operator_at.place, given=operator, constraint=name)
    if name == "compensate":
        return duty_in(value, action=DutyAction.PAY, amount=_amount(value))
    if value.value != _REPORTED_TO:
        raise ConstraintRefused(place=name_at.place, given=name, reason="report_to")
    return Duty(action=DutyAction.REPORT)


def _read_prohibition(
    draft: Draft, common: _Common, policies: Mapping[str, Node]
) -> tuple[Duty, ...]:
    rules = policies["prohibitionPolicies"].each() if "prohibitionPolicies" in policies else ()
    if len(rules) > 1:
        place = policies["prohibitionPolicies"].place
        raise RuleRefused(place=place, reason="several_prohibitions")
    for rule in rules:
        members = _members(rule, _POLICY)
        common.take(rule, members)
        if "constraints" in members and members["constraints"].each():
            place = members["constraints"].place
            raise RuleRefused(place=place, reason="conditional_prohibition")
        draft.exclude("actions", _read_actions(_needed(rule, members, "actions")))
        return _read_expansion(members, "remedies")
    return ()


def _read_obligations(common: _Common, policies: Mapping[str, Node]) -> tuple[Duty, ...]:
    found: list[Duty] = []
    for rule in policies["obligationPolicies"].each() if "obligationPolicies" in policies else ():
        members = _members(rule, _POLICY)
        common.take(rule, members)
        found.append(_read_duty(rule, members))
    return tuple(found)


def _read_expansion(members: Mapping[str, Node], name: str) -> tuple[Duty, ...]:
    """The extension of a policy: JSON as text (table B.4) or as an object."""
    if "policyExpansion" not in members:
        return ()
    node = members["policyExpansion"]
    if isinstance(node.value, str):
        try:
            node = Node(read_document(node.value), node.place)
        except PolicyUnreadable:
            node.refuse("object")
    listed = _needed(node, _members(node, {name}), name)
    allowed = {"actions", "constraints"}
    return tuple(_read_duty(one, _members(one, allowed)) for one in listed.each())


def _read_duty(node: Node, members: Mapping[str, Node]) -> Duty:
    actions = _needed(node, members, "actions")
    if len(actions.each()) != 1:
        actions.refuse("one_value")
    at = actions.each()[0]
    word = _word(at)
    treatment = ACTIONS.get(word)
    if treatment is None or treatment.duty is None:
        raise ActionRefused(place=at.place, given=given(word), reason="no_duty")
    parts: dict[str, Any] = {}
    for one in members["constraints"].each() if "constraints" in members else ():
        part, value = _duty_constraint(one)
        if part in parts:
            one.refuse("twice")
        parts[part] = value
    breach = _read_expansion(members, "breachLiabilities")
    if len(breach) > 1:
        raise RuleRefused(place=members["policyExpansion"].place, reason="nested_breach")
    return duty_in(node, action=treatment.duty, otherwise=breach[0] if breach else None, **parts)


def _duty_constraint(node: Node) -> tuple[str, int | Money]:
    members = _members(node, {"constraintName", "constraintOperator", "constraintValue"})
    name_at = _needed(node, members, "constraintName")
    operator_at = _needed(node, members, "constraintOperator")
    value = _needed(node, members, "constraintValue")
    name, operator = _word(name_at), _operator(operator_at)
    if name not in {"payAmount", "timeWindow"}:
        raise ConstraintRefused(place=name_at.place, given=given(name), reason="duty_deadline_only")
    if operator != ("eq" if name == "payAmount" else "lteq"):
        raise OperatorRefused(place=operator_at.place, given=operator, constraint=name)
    if name == "payAmount":
        return "amount", _amount(value)
    days = _DAYS.match(value.text(10))
    if days is None:
        value.refuse("days")
    return "within_days", int(days[1])


def _amount(node: Node) -> Money:
    text = node.text(128)
    money = _AMOUNT.match(text)
    if money is not None:
        return Money(int(money[1]) * 100 + int(money[2]), "CNY")
    counted = _COUNTED.match(text)
    if counted is None or counted[2] == "CNY":
        node.refuse("amount")
    return Money(int(counted[1]), counted[2])
