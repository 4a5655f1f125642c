# SPDX-License-Identifier: Apache-2.0
"""Every statutory constant, clock, list and formula, as data with article, period and source.

The data stands in TOML files beside this package: the nation's rules by subject, what each region
adds, every document a rule comes from, and articles word for word. `of(tx)` gives the rulebook a
transaction decides by; without a transaction the functions here answer for a profile on a day.

* The more specific layer binds: the nation, then a region, then a city in it.
* A draft for comment (征求意见稿) never grounds a refusal: `ground` gives the binding rule and the
  draft beside it, or refuses.
* What is known from memory only is off until it is switched on by its code.
* `version` is a text that changes with the data and with nothing else. It goes into every fact, and
  an installation adopts a version by a command, so that a stranger can tell which rules held when.
* Formulas are functions registered under their rule's code and computed exactly; their worked
  examples are data that the tests run.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from lingqu.trust.rulebook.adoption import (
    Adoption,
    AdoptionId,
    AlreadyAdopted,
    RulebookAdopted,
    adopt_rulebook,
    find_adoption,
)
from lingqu.trust.rulebook.book import (
    DEFAULT_PROFILE,
    Constant,
    Rulebook,
    State,
    of,
    open_rulebook,
    profiles,
)
from lingqu.trust.rulebook.finding import diff, resolve_citation, search
from lingqu.trust.rulebook.rules import (
    BadInput,
    Clock,
    Difference,
    Document,
    DraftIsNoGround,
    Ground,
    Item,
    Kind,
    NotBindingHere,
    Profile,
    ProfileNotFound,
    Rule,
    RuleIsOff,
    RuleNotFound,
    Source,
    Status,
    Unit,
    WrongKind,
)

__all__ = (
    "DEFAULT_PROFILE",
    "Adoption",
    "AdoptionId",
    "AlreadyAdopted",
    "BadInput",
    "Clock",
    "Constant",
    "Difference",
    "Document",
    "DraftIsNoGround",
    "Ground",
    "Item",
    "Kind",
    "NotBindingHere",
    "Profile",
    "ProfileNotFound",
    "Rule",
    "RuleIsOff",
    "RuleNotFound",
    "Rulebook",
    "RulebookAdopted",
    "Source",
    "State",
    "Status",
    "Unit",
    "WrongKind",
    "adopt_rulebook",
    "clock",
    "constant",
    "diff",
    "evaluate",
    "find_adoption",
    "ground",
    "of",
    "open_rulebook",
    "profiles",
    "resolve_citation",
    "rule",
    "search",
    "version",
)


def rule(code: str, *, on: date | None = None, profile: str = DEFAULT_PROFILE) -> Rule:
    """This will give the rule that applies in a profile on a day.

    Without a day it answers for the day of the edition. Raises RuleNotFound, RuleIsOff.
    """
    return _book(profile, on).rule(code)


def clock(code: str, *, on: date | None = None, profile: str = DEFAULT_PROFILE) -> Clock:
    """This will give a statutory period, like `rule`. Raises WrongKind too."""
    return _book(profile, on).clock(code)


def constant(code: str, *, on: date | None = None, profile: str = DEFAULT_PROFILE) -> Constant:
    """This will give a statutory number, text or day, like `rule`. Raises WrongKind too."""
    return _book(profile, on).constant(code)


def ground(code: str, *, on: date | None = None, profile: str = DEFAULT_PROFILE) -> Ground:
    """This will give what a refusal may stand on. Raises DraftIsNoGround, NotBindingHere too."""
    return _book(profile, on).ground(code)


def evaluate(code: str, /, **inputs: object) -> Any:
    """This will compute a formula of the default profile. Raises BadInput too."""
    return _book(DEFAULT_PROFILE, None).evaluate(code, **inputs)


def version(profile: str = DEFAULT_PROFILE) -> str:
    """This will give the text that names the rules of a profile in every fact."""
    return open_rulebook(profile).version


def _book(profile: str, on: date | None) -> Rulebook:
    book = open_rulebook(profile)
    return book if on is None else book.on(on)
