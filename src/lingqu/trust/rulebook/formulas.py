# SPDX-License-Identifier: Apache-2.0
"""The formulas of the rulebook as small pure functions, each registered under its rule's code.

They compute in integers and fractions, never in floating point; amounts are integers in fen. What a
regulation fixes as a number is an input that its rule fills, so no statutory number stands here. An
amount that does not come out in whole fen is rounded down: never more than is permitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from lingqu.runtime.calendar import shift_months
from lingqu.trust.rulebook.rules import BadInput

Rate = int | str | Decimal | Fraction
Result = int | Fraction | str | bool | tuple[int, ...] | tuple[date, ...]
F = TypeVar("F", bound=Callable[..., Result])

FORMULAS: dict[str, Callable[..., Any]] = {}
"""Each function by the code of its rule; a test compares them with the data, both ways."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_BASIS_POINTS = 10_000
_PERCENT = 100


def formula(code: str) -> Callable[[F], F]:
    """This will register a function as the formula of a rule."""

    def register(function: F) -> F:
        assert code not in FORMULAS, f"{code} has two functions"
        FORMULAS[code] = function
        return function

    return register


def exact(value: Rate, *, name: str, least: int = 0) -> Fraction:
    """This will read a number exactly; raises BadInput where it is none, or below `least`."""
    try:
        found = Fraction(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise BadInput(name=name, given=str(value)[:40]) from None
    if found < least:
        raise BadInput(name=name, given=str(value)[:40])
    return found


def natural(value: object, *, name: str, least: int = 0) -> int:
    """This will check that a value is an integer of at least `least`; raises BadInput."""
    if type(value) is not int or value < least:
        raise BadInput(name=name, given=str(value)[:40])
    return value


def total(parts: Mapping[str, int]) -> int:
    """This will add amounts after checking each."""
    return sum(natural(value, name=name) for name, value in parts.items())


@formula("registration.renewal_period")
def registration_renewal(*, expires_on: date, window_days: int) -> tuple[date, ...]:
    """This will give the first and last day on which a registration may be renewed."""
    return expires_on - timedelta(days=natural(window_days, name="window_days")), expires_on


@formula("property.renewal_period")
def property_renewal(*, expires_on: date, window_months: int) -> tuple[date, ...]:
    """This will give the first and last day on which a property registration may be renewed."""
    months = natural(window_months, name="window_months")
    return shift_months(expires_on, -months), expires_on - timedelta(days=1)


@formula("property.certificate_code")
def certificate_code(*, area: str, registrar: int, year: int, month: int, serial: int) -> str:
    """This will write the code of a property certificate; raises BadInput."""
    if len(area) != 2 or not area.isdecimal() or not area.isascii():
        raise BadInput(name="area", given=area[:40])
    limits = (("registrar", registrar, 0, 9), ("year", year, 1000, 9999), ("month", month, 1, 12),
              ("serial", serial, 1, 9999))  # fmt: skip
    for name, value, least, most in limits:
        if natural(value, name=name, least=least) > most:
            raise BadInput(name=name, given=str(value)[:40])
    return f"SJ{area}{registrar}{year:04d}{month:02d}{serial:04d}"


@formula("price.operating_cost")
def operating_cost(*, subsidies: int, **elements: int) -> int:
    """This will give C: the reasonable costs less government subsidies."""
    return max(0, total(elements) - natural(subsidies, name="subsidies"))


@formula("price.permitted_profit_rate")
def permitted_profit_rate(*, bond_yield_bp: int, margin_bp: int, margin_max: int) -> int:
    """This will give r in basis points; raises BadInput where m is above what is permitted."""
    if natural(margin_bp, name="margin_bp") * _PERCENT > margin_max * _BASIS_POINTS:
        raise BadInput(name="margin_bp", given=str(margin_bp))
    return natural(bond_yield_bp, name="bond_yield_bp") + margin_bp


@formula("price.permitted_profit")
def permitted_profit(*, cost: int, rate_bp: int) -> int:
    """This will give P = C x r, rounded down to the fen."""
    return natural(cost, name="cost") * natural(rate_bp, name="rate_bp") // _BASIS_POINTS


@formula("price.permitted_revenue")
def permitted_revenue(*, cost: int, profit: int, tax: int) -> int:
    """This will give MAR = C + P + T."""
    return total({"cost": cost, "profit": profit, "tax": tax})


@formula("price.deviation")
def deviation(*, actual: int, permitted: int) -> Fraction:
    """This will give d = |actual - MAR| / MAR, exactly."""
    least = natural(permitted, name="permitted", least=1)
    return Fraction(abs(natural(actual, name="actual") - least), least)


@formula("price.adjustment")
def adjustment(*, actual: int, permitted: int, limit: int) -> str:
    """This will say what is adjusted: the `actual_fees`, or beyond the limit the `ceilings`."""
    over = deviation(actual=actual, permitted=permitted) > Fraction(limit, _PERCENT)
    return "ceilings" if over else "actual_fees"


@formula("price.excess")
def excess(*, actual: int, permitted: int) -> int:
    """This will give what the next cycle's permitted revenue is reduced by."""
    return max(0, natural(actual, name="actual") - natural(permitted, name="permitted"))


@formula("identifier.check_character")
def check_character(*, body: str) -> str:
    """This will give the check character of ISO 7064 MOD 37-2 for a text without it."""
    return _ALPHABET[(1 - 2 * _weighted(body)) % (len(_ALPHABET))]


@formula("identifier.is_valid")
def is_valid_identifier(*, code: str) -> bool:
    """This will say whether the last character of an identifier is its check character."""
    return bool(code) and _weighted(code) % len(_ALPHABET) == 1


@formula("identifier.compose")
def compose_identifier(*, kind: str, subject: str, place: str, random: str) -> str:
    """This will write an identifier with its check character; raises BadInput."""
    for name, text, length in (
        ("kind", kind, 1), ("subject", subject, 18), ("place", place, 4), ("random", random, 8),
    ):  # fmt: skip
        if len(text) != length:
            raise BadInput(name=name, given=text[:40])
    body = f"{kind}{subject}{place}{random}"
    return body + check_character(body=body)


@formula("identifier.credit_code_check")
def credit_code_check(*, body: str) -> str:
    """This will give the 18th character of a unified social credit code."""
    modulus = len(_CREDIT_ALPHABET)
    if len(body) != 17 or set(body) - set(_CREDIT_ALPHABET):
        raise BadInput(name="body", given=body[:40])
    found = sum(_CREDIT_ALPHABET.index(one) * 3**at for at, one in enumerate(body))
    return _CREDIT_ALPHABET[-found % modulus]


@formula("quality.ratio")
def quality_ratio(*, met: int, tested: int) -> Fraction:
    """This will give X = A / B; raises BadInput where nothing was tested or A is above B."""
    if natural(met, name="met") > natural(tested, name="tested", least=1):
        raise BadInput(name="met", given=str(met))
    return Fraction(met, tested)


@formula("quality.inverted_ratio")
def inverted_ratio(*, met: int, tested: int) -> Fraction:
    """This will give 1 - A / B for indicators where less is better."""
    return 1 - quality_ratio(met=met, tested=tested)


@formula("grading.grade")
def grade(*, effects: Sequence[str], matrix: Mapping[str, str]) -> str:
    """This will give the highest grade over all affected objects; raises BadInput."""
    if not effects:
        raise BadInput(name="effects", given="")
    for effect in effects:
        if effect not in matrix:
            raise BadInput(name="effects", given=effect[:40])
    ranks = ("general", "important", "core")
    return max((matrix[effect] for effect in effects), key=ranks.index)


@formula("privacy.k_risk")
def k_risk(*, k: int) -> Fraction:
    """This will give the risk 1 / k of a k-anonymous release."""
    return Fraction(1, natural(k, name="k", least=1))


@formula("dcmm.score")
def maturity_score(*, scores: Sequence[Rate]) -> Fraction:
    """This will give the mean of the scores of all domains; raises BadInput where there is none."""
    found = [exact(score, name="scores") for score in scores]
    if not found:
        raise BadInput(name="scores", given="")
    return sum(found, Fraction(0)) / len(found)


@formula("export.path")
def export_path(
    *,
    exempt: bool,
    important: bool,
    ciio: bool,
    persons: int,
    sensitive_persons: int,
    assessment_persons: int,
    assessment_sensitive_persons: int,
    contract_persons: int,
) -> str:
    """This will say which path an export of data takes; important data is never exempt."""
    natural(persons, name="persons")
    natural(sensitive_persons, name="sensitive_persons")
    if important:
        return "assessment"
    if exempt:
        return "exempt"
    many = persons >= assessment_persons or sensitive_persons >= assessment_sensitive_persons
    if many or (ciio and persons + sensitive_persons > 0):
        return "assessment"
    some = persons >= contract_persons or sensitive_persons > 0
    return "contract_or_certification" if some else "exempt"


@formula("assets.purchase_cost")
def purchase_cost(**elements: int) -> int:
    """This will add the elements of the cost of data that was bought."""
    return total(elements)


@formula("valuation.adjustment")
def valuation_adjustment(
    *, quality: Rate, circulation: Rate, monopoly: Rate, risk: Rate
) -> Fraction:
    """This will give U = alpha x beta x (1 + l) x (1 - r)."""
    return (
        exact(quality, name="quality")
        * exact(circulation, name="circulation")
        * (1 + exact(monopoly, name="monopoly"))
        * (1 - exact(risk, name="risk"))
    )


@formula("valuation.cost")
def cost_value(*, total_cost: int, return_rate: Rate, adjustment: Rate) -> int:
    """This will give P = TC x (1 + R) x U, rounded down."""
    factor = (1 + exact(return_rate, name="return_rate")) * exact(adjustment, name="adjustment")
    return int(natural(total_cost, name="total_cost") * factor)


@formula("valuation.income")
def income_value(*, incomes: Sequence[int], rate: Rate) -> int:
    """This will give the sum of all incomes discounted to today, rounded down."""
    growth = 1 + exact(rate, name="rate")
    values = (
        natural(income, name="incomes") / growth**year for year, income in enumerate(incomes, 1)
    )
    return int(sum(values, Fraction(0)))


@formula("valuation.market")
def market_value(*, prices: Sequence[int], factors: Sequence[Rate]) -> int:
    """This will give the sum of comparable prices times their factors, rounded down."""
    if len(prices) != len(factors):
        raise BadInput(name="factors", given=str(len(factors)))
    values = (
        natural(price, name="prices") * exact(factor, name="factors")
        for price, factor in zip(prices, factors, strict=True)
    )
    return int(sum(values, Fraction(0)))


@formula("distribution.net")
def net(*, gross: int, **less: int) -> int:
    """This will give what is left to share; raises BadInput where nothing is."""
    left = natural(gross, name="gross") - total(less)
    return natural(left, name="gross")


@formula("distribution.shares")
def shares(*, net: int, weights: Sequence[Rate], residue_to: int) -> tuple[int, ...]:
    """This will split an amount by weights that add up to 1; the residue goes to one party."""
    natural(net, name="net")
    exactly = [exact(weight, name="weights") for weight in weights]
    if sum(exactly) != 1:
        raise BadInput(name="weights", given=str(sum(exactly)))
    if natural(residue_to, name="residue_to") >= len(exactly):
        raise BadInput(name="residue_to", given=str(residue_to))
    found = [int(net * weight) for weight in exactly]
    found[residue_to] += net - sum(found)
    return tuple(found)


@formula("metering.agrees")
def metering_agrees(*, metered: int, billed: int, logged: int) -> bool:
    """This will say whether meter, bill and log name the same number."""
    return metered == billed == logged


def _weighted(text: str) -> int:
    """The sum of the characters' values, each times two to its place from the right."""
    if not text or set(text) - set(_ALPHABET):
        raise BadInput(name="code", given=text[:40])
    return sum(_ALPHABET.index(one) << at for at, one in enumerate(reversed(text)))
