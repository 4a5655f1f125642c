# SPDX-License-Identifier: Apache-2.0
"""Hides ODRL 2.2: how a policy is written as JSON-LD of our profile, and read back exactly.

The profile is `urn:lingqu:odrl:1`. Its terms have the prefix `lingqu:`, which needs no declaration;
codes of a tree hold what lies below them, quantities are shared by all actions of the permission,
and use across the border is outside unless the document says that it is inside. The writer has one
form for one policy. The reader takes the harmless other spellings of JSON-LD (one value or a list,
compact or full IRIs of ODRL, the order of keys) and refuses everything else. No context is ever
fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from lingqu.kernel import errors
from lingqu.kernel.lattice import Scope, Terms, Vocabulary
from lingqu.kernel.money import Money
from lingqu.kernel.time import Instant, format_instant
from lingqu.rights.constraints import OPERATORS, Constraint, apply_constraint
from lingqu.rights.policies import (
    BEGINNING,
    ActionRefused,
    ConstraintRefused,
    Draft,
    Duty,
    DutyAction,
    MemberMissing,
    MemberUnknown,
    Node,
    Policy,
    PolicyKind,
    RuleRefused,
    duty_in,
    given,
    policy_in,
    prohibited_actions,
    read_moment,
)

PROFILE = "urn:lingqu:odrl:1"
NAMESPACE = "urn:lingqu:odrl:1#"
CONTEXT = "http://www.w3.org/ns/odrl.jsonld"
ODRL = "http://www.w3.org/ns/odrl/2/"
ID_PREFIX = "urn:lingqu:id:"
"""Before an identifier that is no IRI itself, percent-encoded."""

CONTEXTS = frozenset({
    CONTEXT,
    "https://www.w3.org/ns/odrl.jsonld",
    "https://w3id.org/dspace/2025/1/context.jsonld",
})  # fmt: skip
"""The contexts that give the bare words of ODRL their meaning; they are known, never fetched."""
_PREFIXES = {"odrl": ODRL, "lingqu": NAMESPACE, "xsd": "http://www.w3.org/2001/XMLSchema#"}
_IRI = re.compile(r"(?:https?|urn|did):[^\s<>\"{}|\\^`]+\Z")
_DAYS = re.compile(r"P([1-9][0-9]{0,4})D\Z", re.ASCII)
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,14})\.([0-9]{2})\Z", re.ASCII)

PERMITTED: Mapping[str, str] = MappingProxyType({
    "anonymize": "anonymize",
    "distribute": "distribute",
    "grantUse": "grantUse",
    "read": "read",
    "reproduce": "reproduce",
    "transform": "transform",
})  # fmt: skip
"""Actions of ODRL with a code of their own; `use` is every action; the rest is refused by name."""

OWED: Mapping[str, DutyAction] = MappingProxyType({
    "anonymize": DutyAction.ANONYMIZE,
    "compensate": DutyAction.PAY,
    "delete": DutyAction.DELETE,
    "watermark": DutyAction.WATERMARK,
    "lingqu:alert": DutyAction.ALERT,
    "lingqu:desensitize": DutyAction.DESENSITIZE,
    "lingqu:passPolicy": DutyAction.PASS_POLICY,
    "lingqu:reportUse": DutyAction.REPORT,
})  # fmt: skip
"""What a duty can be, in the words of ODRL and of the profile."""

OPERANDS: Mapping[str, str] = MappingProxyType({
    "purpose": "purposes",
    "spatial": "territories",
    "lingqu:environment": "environments",
    "lingqu:field": "fields",
    "recipient": "recipients",
    "dateTime": "valid",
    "lingqu:level": "level_max",
    "lingqu:crossBorder": "cross_border",
    "lingqu:quantity": "quantity",
    "count": "quantity",
})  # fmt: skip
"""The left operands that are read, with the dimension they narrow."""

_KINDS = {
    "Set": PolicyKind.SET,
    "Policy": PolicyKind.SET,
    "Offer": PolicyKind.OFFER,
    "Agreement": PolicyKind.AGREEMENT,
}
_COMBINATIONS = {
    "inheritFrom": "inheritance",
    "inheritAllowed": "inheritance",
    "inheritRelation": "inheritance",
    "refinement": "refinement",
    "and": "logical",
    "or": "logical",
    "xone": "logical",
    "andSequence": "logical",
    "implies": "implication",
    "includedIn": "implication",
}
_PARTIES = frozenset({"target", "assigner", "assignee"})
_WORDS = {code: word for word, code in PERMITTED.items()}
_DUTY_WORDS = {action: word for word, action in OWED.items()}


# Writing -----------------------------------------------------------------------------------------


def to_odrl(policy: Policy) -> dict[str, Any]:
    """This will write a policy as a document of the profile; equal policies, equal documents."""
    permission: dict[str, Any] = {
        "target": _to_id(policy.object),
        "action": _actions(policy.terms.actions),
        "constraint": [*_constraints(policy.terms), *map(_quantity, policy.quantities)],
    }
    if policy.before:
        permission["duty"] = [_to_duty(one) for one in policy.before]
    document: dict[str, Any] = {
        "@context": [CONTEXT, {"lingqu": NAMESPACE}],
        "@type": policy.kind.value.capitalize(),
        "uid": _to_id(policy.id),
        "profile": PROFILE,
        "conflict": "prohibit",
        "permission": [permission],
    }
    parties = {
        "assigner": policy.provider,
        "assignee": policy.consumer,
        "lingqu:assignerNode": policy.provider_node,
        "lingqu:assigneeNode": policy.consumer_node,
    }
    document |= {name: _to_id(one) for name, one in parties.items() if one is not None}
    prohibited = prohibited_actions(policy.terms)
    if prohibited:
        rule: dict[str, Any] = {
            "target": _to_id(policy.object),
            "action": [_to_action(code) for code in prohibited],
        }
        if policy.remedies:
            rule["remedy"] = [_to_duty(one) for one in policy.remedies]
        document["prohibition"] = [rule]
    if policy.after:
        document["obligation"] = [_to_duty(one) for one in policy.after]
    return document


def _actions(scope: Scope | None) -> list[str]:
    return ["use"] if scope is None else [_to_action(code) for code in scope.form().allowed]


def _to_action(code: str) -> str:
    return _WORDS.get(code) or f"lingqu:{quote(code, safe='')}"


def _constraints(terms: Terms) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for operand, part in OPERANDS.items():
        if part in {"purposes", "territories", "environments"}:
            scope: Scope | None = getattr(terms, part)
            if scope is not None:
                form = scope.form()
                found.append(_constraint(operand, "isAnyOf", list(form.allowed)))
                if form.prohibited:
                    found.append(_constraint(operand, "isNoneOf", list(form.prohibited)))
        elif part in {"fields", "recipients"}:
            names: frozenset[str] | None = getattr(terms, part)
            if names is not None:
                found.append(_constraint(operand, "isAnyOf", sorted(names)))
    if terms.valid is not None:
        if terms.valid.start != BEGINNING:
            found.append(_constraint("dateTime", "gteq", _to_moment(terms.valid.start)))
        if terms.valid.end is not None:
            found.append(_constraint("dateTime", "lt", _to_moment(terms.valid.end)))
    if terms.level_max is not None:
        found.append(_constraint("lingqu:level", "lteq", terms.level_max))
    border = ("isAnyOf", [False, True]) if terms.cross_border else ("eq", False)
    found.append(_constraint("lingqu:crossBorder", *border))
    return found


def _constraint(operand: str, operator: str, value: object) -> dict[str, Any]:
    return {"leftOperand": operand, "operator": operator, "rightOperand": value}


def _quantity(limit: Money) -> dict[str, Any]:
    # As text: an amount may be larger than what every reader of JSON keeps exact.
    found = _constraint("lingqu:quantity", "lteq", str(limit.minor))
    return found | {"unit": f"lingqu:{limit.currency}"}


def _to_moment(moment: Instant) -> dict[str, str]:
    return {"@value": format_instant(moment), "@type": "xsd:dateTime"}


def _to_duty(duty: Duty) -> dict[str, Any]:
    word = _DUTY_WORDS[duty.action]
    found: dict[str, Any] = {"action": word}
    if duty.amount is not None:
        paid = _constraint("payAmount", "eq", _to_amount(duty.amount))
        paid["unit"] = f"lingqu:{duty.amount.currency}"
        found["action"] = {"rdf:value": {"@id": f"odrl:{word}"}, "refinement": [paid]}
    if duty.within_days is not None:
        found["constraint"] = [_constraint("lingqu:within", "lteq", f"P{duty.within_days}D")]
    if duty.otherwise is not None:
        found["consequence"] = [_to_duty(duty.otherwise)]
    return found


def _to_amount(amount: Money) -> str:
    """In yuan for CNY, in whole units for what is counted."""
    if amount.currency != "CNY":
        return str(amount.minor)
    return f"{amount.minor // 100}.{amount.minor % 100:02d}"


def _to_id(name: str) -> str:
    if _IRI.match(name) and not name.startswith(ID_PREFIX):
        return name
    return ID_PREFIX + quote(name, safe="")


# Reading -----------------------------------------------------------------------------------------


def from_odrl(document: object, *, vocabulary: Vocabulary) -> Policy:
    """This will read a document of the profile; what it cannot express exactly is refused.

    Raises the refusals of `policies`; each names the place as a JSON pointer.
    """
    root = Node(document)
    _check_context(root)
    known = {"@context", "uid", "type", "profile", "conflict", "permission", "prohibition"}
    known |= {"obligation", "lingqu:assignerNode", "lingqu:assigneeNode", *_PARTIES}
    members = _members(root, known)
    _check_profile(root, members)
    kind = _kind(_needed(root, members, "type"))
    permission = _one_permission(root, members)
    rules = _members(permission, {"type", "action", "constraint", "duty", *_PARTIES})
    _check_type(rules, "Permission")
    parties = _Parties(root, members)
    parties.take(rules)
    draft = Draft(vocabulary)
    _read_actions(draft, _needed(permission, rules, "action"))
    single = len(rules["action"].each()) == 1
    for one in rules["constraint"].each() if "constraint" in rules else ():
        _read_constraint(draft, one, single_action=single)
    remedies = _read_prohibitions(draft, members, parties)
    before = tuple(map(_read_duty, rules["duty"].each() if "duty" in rules else ()))
    after = _read_obligations(members, parties)
    terms, quantities = draft.finish()
    return policy_in(
        id=_id(_needed(root, members, "uid")),
        kind=kind,
        object=parties.needed("target", permission),
        terms=terms,
        provider=parties.held.get("assigner"),
        consumer=parties.held.get("assignee"),
        provider_node=_optional_id(members, "lingqu:assignerNode"),
        consumer_node=_optional_id(members, "lingqu:assigneeNode"),
        quantities=quantities,
        before=before,
        after=after,
        remedies=remedies,
    )


class _Parties:
    """Target, assigner and assignee: said once for all rules or in each, always the same."""

    def __init__(self, root: Node, members: Mapping[str, Node]) -> None:
        self.root = root
        self.held: dict[str, str] = {}
        self.take(members)

    def take(self, members: Mapping[str, Node]) -> None:
        for name in sorted(_PARTIES & set(members)):
            self.held.setdefault(name, _id(members[name]))
        self.compare(members)

    def compare(self, members: Mapping[str, Node]) -> None:
        """A rule that names somebody the permission does not is about less than the whole."""
        for name in sorted(_PARTIES & set(members)):
            if self.held.get(name) != _id(members[name]):
                raise RuleRefused(place=members[name].place, reason="different_parties")

    def needed(self, name: str, at: Node) -> str:
        if name not in self.held:
            raise MemberMissing(place=at.place, given=name)
        return self.held[name]


def _members(node: Node, known: set[str] | frozenset[str]) -> dict[str, Node]:
    """The members by their names in ODRL, whichever of its spellings the document uses."""
    found: dict[str, Node] = {}
    for key, value in node.members().items():
        name = {"@id": "uid", "id": "uid", "@type": "type"}.get(key) or _short(key)
        if name in found:
            value.refuse("twice")
        if name in _COMBINATIONS and name not in known:
            raise RuleRefused(place=value.place, reason=_COMBINATIONS[name])
        if name not in known:
            raise MemberUnknown(place=value.place, given=given(key))
        found[name] = value
    return found


def _short(text: str) -> str:
    """A term of ODRL by its bare name, a term of the profile with its prefix."""
    for prefix, base in (("odrl:", ODRL), ("lingqu:", NAMESPACE)):
        for start in (prefix, base):
            if text.startswith(start):
                bare = text.removeprefix(start)
                return bare if prefix == "odrl:" else prefix + bare
    return text


def _needed(at: Node, members: Mapping[str, Node], name: str) -> Node:
    if name not in members:
        raise MemberMissing(place=at.place or "/", given=name)
    return members[name]


def _one(node: Node) -> Node:
    items = node.each()
    if len(items) != 1:
        node.refuse("one_value")
    return items[0]


def _reference(node: Node) -> str:
    """An IRI, written as text or as an object with nothing but its id."""
    one = _one(node)
    if isinstance(one.value, dict):
        one = _needed(one, _members(one, {"uid"}), "uid")
    return one.text()


def _id(node: Node) -> str:
    text = _reference(node)
    if text.startswith(ID_PREFIX):
        try:
            name = unquote(text.removeprefix(ID_PREFIX), errors="strict")
        except UnicodeDecodeError:
            node.refuse("iri")
        if not name or _to_id(name) != text:
            node.refuse("iri")
        return name
    if not _IRI.match(text):
        node.refuse("iri")
    return text


def _optional_id(members: Mapping[str, Node], name: str) -> str | None:
    return _id(members[name]) if name in members else None


def _check_context(root: Node) -> None:
    members = root.members()
    context = _needed(root, members, "@context")
    known = False
    for one in context.each():
        if isinstance(one.value, str):
            if one.value not in CONTEXTS:
                one.refuse("context")
            known = True
            continue
        for prefix, base in one.members().items():
            # A prefix that means something else would change every word after it.
            if _PREFIXES.get(prefix) != base.value:
                base.refuse("context")
    if not known:
        # Without the context of ODRL a bare word means nothing, so nothing would be permitted.
        context.refuse("context")


def _check_profile(root: Node, members: Mapping[str, Node]) -> None:
    profile = _needed(root, members, "profile")
    for one in profile.each():
        if _reference(one) != PROFILE:
            raise RuleRefused(place=one.place, reason="profile")
    if not profile.each():
        raise RuleRefused(place=profile.place, reason="profile")
    conflict = members.get("conflict")
    if conflict is None:
        if "prohibition" in members:
            raise RuleRefused(place=members["prohibition"].place, reason="conflict_unsaid")
        return
    said = _short(_reference(conflict))
    if said != "prohibit" and not (said == "invalid" and "prohibition" not in members):
        raise RuleRefused(place=conflict.place, reason="conflict")


def _kind(node: Node) -> PolicyKind:
    kind = _KINDS.get(_short(_one(node).text()))
    if kind is None:
        node.refuse("kind")
    return kind


def _check_type(members: Mapping[str, Node], expected: str) -> None:
    if "type" in members and _short(_one(members["type"]).text()) != expected:
        members["type"].refuse("kind")


def _one_permission(root: Node, members: Mapping[str, Node]) -> Node:
    rules = _needed(root, members, "permission").each()
    if len(rules) != 1:
        # Two permissions with different constraints are a union, which is no set of terms.
        raise RuleRefused(place=members["permission"].place, reason="several_permissions")
    return rules[0]


def _action(node: Node) -> str:
    """The short name of an action; one that is refined says less than its name."""
    if isinstance(node.value, dict):
        return _short(_reference(node))
    return _short(node.text())


def _code(node: Node, action: str) -> str:
    if action in PERMITTED:
        return PERMITTED[action]
    if not action.startswith("lingqu:"):
        reason = "duty" if action in OWED else "no_action"
        raise ActionRefused(place=node.place, given=given(action), reason=reason)
    try:
        code = unquote(action.removeprefix("lingqu:"), errors="strict")
    except UnicodeDecodeError:
        node.refuse("iri")
    if code in _WORDS:
        node.refuse("own_word")
    if not code or _to_action(code) != action:
        node.refuse("iri")
    return code


def _read_actions(draft: Draft, node: Node) -> None:
    found = [(one, _action(one)) for one in node.each()]
    if not found:
        node.refuse("one_value")
    codes = [(one, _code(one, name)) for one, name in found if name != "use"]
    if len(codes) == len(found):
        draft.allow("actions", codes)


def _read_constraint(draft: Draft, node: Node, *, single_action: bool) -> None:
    members = _members(node, {"type", "leftOperand", "operator", "rightOperand", "unit"})
    _check_type(members, "Constraint")
    left = _needed(node, members, "leftOperand")
    name = _short(_reference(left))
    if name not in OPERANDS:
        raise ConstraintRefused(place=left.place, given=given(name), reason="no_dimension")
    unit = None
    if name == "lingqu:quantity":
        unit = _unit(_needed(node, members, "unit"))
    elif "unit" in members:
        raise MemberUnknown(place=members["unit"].place, given="unit")
    if name == "count":
        if not single_action:
            # Each action would have a count of its own, which together is more.
            raise ConstraintRefused(place=left.place, given=name, reason="count_per_action")
        unit = "calls"
    dimension = OPERANDS[name]
    apply_constraint(draft, dimension, _found(node, members, name, dimension, unit))


def _found(
    node: Node, members: Mapping[str, Node], name: str, dimension: str, unit: str | None
) -> Constraint:
    operator_at = _needed(node, members, "operator")
    right = _needed(node, members, "rightOperand")
    if dimension in {"valid", "level_max", "quantity"}:
        right = _literal(_one(right))
    return Constraint(
        name=name,
        operator=_operator(operator_at),
        operator_at=operator_at,
        value=right,
        code=lambda one: one.text(),
        moment=read_moment,
        unit=unit,
    )


def _operator(node: Node) -> str:
    name = _short(_reference(node))
    if name not in OPERATORS:
        node.refuse("operator")
    return name


_LITERALS = frozenset({"xsd:dateTime", "xsd:integer", "xsd:nonNegativeInteger", "xsd:decimal"})


def _literal(node: Node) -> Node:
    """The value of a typed literal, or the plain value."""
    if not isinstance(node.value, dict):
        return node
    members = node.members()
    for key, value in members.items():
        if key not in {"@value", "@type"}:
            raise MemberUnknown(place=value.place, given=given(key))
    if "@type" in members and members["@type"].text() not in _LITERALS:
        members["@type"].refuse("kind")
    return _needed(node, members, "@value")


def _unit(node: Node) -> str:
    unit = _short(_reference(node))
    if not unit.startswith("lingqu:"):
        node.refuse("unit")
    return unit.removeprefix("lingqu:")


def _read_prohibitions(
    draft: Draft, members: Mapping[str, Node], parties: _Parties
) -> tuple[Duty, ...]:
    """What is prohibited is taken out of what is permitted; a condition on it cannot be said."""
    rules = members["prohibition"].each() if "prohibition" in members else ()
    if len(rules) > 1:
        raise RuleRefused(place=members["prohibition"].place, reason="several_prohibitions")
    for rule in rules:
        found = _members(rule, {"type", "action", "constraint", "remedy", *_PARTIES})
        _check_type(found, "Prohibition")
        parties.compare(found)
        if "constraint" in found:
            raise RuleRefused(place=found["constraint"].place, reason="conditional_prohibition")
        actions = _needed(rule, found, "action").each()
        names = [(one, _action(one)) for one in actions]
        draft.exclude("actions", [(one, _code(one, name)) for one, name in names])
        return tuple(map(_read_duty, found["remedy"].each() if "remedy" in found else ()))
    return ()


def _read_obligations(members: Mapping[str, Node], parties: _Parties) -> tuple[Duty, ...]:
    owed = members["obligation"].each() if "obligation" in members else ()
    found: list[Duty] = []
    for one in owed:
        said = _members(one, _DUTY_MEMBERS | _PARTIES)
        parties.compare(said)
        found.append(_duty(one, said))
    return tuple(found)


_DUTY_MEMBERS = frozenset({"type", "action", "constraint", "consequence"})


def _read_duty(node: Node) -> Duty:
    return _duty(node, _members(node, _DUTY_MEMBERS))


def _duty(node: Node, members: Mapping[str, Node]) -> Duty:
    _check_type(members, "Duty")
    action = _one(_needed(node, members, "action"))
    amount, name = None, ""
    if isinstance(action.value, dict) and "refinement" in map(_short, action.value):
        name, amount = _refined(action)
    else:
        name = _action(action)
    if name not in OWED:
        raise ActionRefused(place=action.place, given=given(name), reason="no_duty")
    consequences = members["consequence"].each() if "consequence" in members else ()
    if len(consequences) > 1:
        raise RuleRefused(place=members["consequence"].place, reason="nested_breach")
    return duty_in(
        node,
        action=OWED[name],
        within_days=_within(members),
        amount=amount,
        otherwise=_read_duty(consequences[0]) if consequences else None,
    )


def _refined(action: Node) -> tuple[str, Money]:
    """A payment with its amount: the one refinement that is read."""
    members = {_short(key): value for key, value in action.members().items()}
    for key, value in members.items():
        if key not in {"rdf:value", "refinement"}:
            raise MemberUnknown(place=value.place, given=given(key))
    name = _action(_needed(action, members, "rdf:value"))
    paid = _one(members["refinement"])
    said = _members(paid, {"type", "leftOperand", "operator", "rightOperand", "unit"})
    _check_type(said, "Constraint")
    left = _short(_reference(_needed(paid, said, "leftOperand")))
    if name != "compensate" or left != "payAmount":
        raise RuleRefused(place=members["refinement"].place, reason="refinement")
    if _operator(_needed(paid, said, "operator")) != "eq":
        raise RuleRefused(place=said["operator"].place, reason="payment")
    right = _literal(_one(_needed(paid, said, "rightOperand")))
    return name, _amount(right, _unit(_needed(paid, said, "unit")))


def _amount(node: Node, currency: str) -> Money:
    try:
        if currency == "CNY":
            found = _AMOUNT.match(node.text())
            if found is None:
                node.refuse("amount")
            return Money(int(found[1]) * 100 + int(found[2]), currency)
        return Money(node.number(), currency)
    except errors.Rejected:
        node.refuse("amount")


def _within(members: Mapping[str, Node]) -> int | None:
    limits = members["constraint"].each() if "constraint" in members else ()
    if not limits:
        return None
    if len(limits) > 1:
        _refuse_duty_constraint(members["constraint"], "several")
    said = _members(limits[0], {"type", "leftOperand", "operator", "rightOperand"})
    _check_type(said, "Constraint")
    left = _short(_reference(_needed(limits[0], said, "leftOperand")))
    if left != "lingqu:within":
        _refuse_duty_constraint(said["leftOperand"], left)
    if _operator(_needed(limits[0], said, "operator")) != "lteq":
        _refuse_duty_constraint(said["operator"], left)
    right = _needed(limits[0], said, "rightOperand")
    days = _DAYS.match(right.text())
    if days is None:
        right.refuse("days")
    return int(days[1])


def _refuse_duty_constraint(node: Node, name: str) -> NoReturn:
    raise ConstraintRefused(place=node.place, given=given(name), reason="duty_deadline_only")
