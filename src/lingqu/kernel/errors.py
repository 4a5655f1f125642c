# SPDX-License-Identifier: Apache-2.0
"""Refusals in five families, each with a stable code and parameters, never prose.

The words a person reads live in the message catalogs under the code; the HTTP status, the exit
status and the page are chosen by the edges from the family.
"""

from __future__ import annotations

from typing import ClassVar, Self

Parameter = str | int | None


class LingquError(Exception):
    """A refusal: something was asked that cannot be done, and nothing was changed.

    Subclass one of the five families and set `code` (dotted, stable for ever). `article` names the
    rule that is its ground, where a regulation is; where that is known only when the refusal is
    made, `grounded_in` says it. Parameters fill the message; they must hold no
    personal data and no secret, because refusals are logged and recorded.
    """

    family: ClassVar[str] = ""
    code: ClassVar[str] = ""
    article: str | None = None

    def __init__(self, **parameters: Parameter) -> None:
        """Keep the parameters; the text is made by the edge that shows the refusal."""
        super().__init__(self.code, *parameters.items())
        self.parameters: dict[str, Parameter] = parameters

    def grounded_in(self, article: str | None) -> Self:
        """This will name the rule that is the ground of this one refusal."""
        if article is not None:
            self.article = article
        return self

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Register the code, so that the reference and the catalogs can be checked against it."""
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__:
            return
        known = _registered.setdefault(cls.code, cls)
        same = known.__qualname__ == cls.__qualname__ and known.__module__ == cls.__module__
        assert same, f"two refusals share the code {cls.code}"

    def __str__(self) -> str:
        """The code and its parameters, for logs."""
        details = " ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{self.code} {details}".rstrip()


_registered: dict[str, type[LingquError]] = {}


class NotFound(LingquError):
    """What was named does not exist, or the caller may not know that it does."""

    family = "not_found"


class Forbidden(LingquError):
    """The caller may not do this."""

    family = "forbidden"


class Conflict(LingquError):
    """The state of things does not allow this now, or this was done differently before."""

    family = "conflict"


class Rejected(LingquError):
    """What was given is not well formed or not allowed by a rule."""

    family = "rejected"


class Unavailable(LingquError):
    """Something this needs is not there at the moment; the same request may succeed later."""

    family = "unavailable"


def registered() -> tuple[type[LingquError], ...]:
    """This will list every refusal that has a code, in the order of their codes."""
    return tuple(_registered[code] for code in sorted(_registered))
