# SPDX-License-Identifier: Apache-2.0
"""Why something did not verify: three families, each error with a stable code and two languages.

The words stand in `messages.toml` under the code, so that a program that embeds the verifier can
show them in its own way.
"""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import ClassVar

Parameter = str | int | None


class VerificationError(Exception):
    """Something could not be verified; nothing that was given may be relied upon.

    `code` is stable for ever and `parameters` fill the message. `diagnostics` says in Chinese or
    English what was found and what to do next.
    """

    code: ClassVar[str] = ""

    def __init__(self, **parameters: Parameter) -> None:
        """Keep the parameters; text made by others is cut to 120 characters."""
        self.parameters: dict[str, Parameter] = {
            name: value[:120] if isinstance(value, str) else value
            for name, value in parameters.items()
        }
        super().__init__(self.code, *self.parameters.items())

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Register the code, so that the messages can be checked against it."""
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__:
            known = _registered.setdefault(cls.code, cls)
            assert known.__qualname__ == cls.__qualname__, f"two errors share the code {cls.code}"

    def __str__(self) -> str:
        """The code and its parameters, for logs."""
        details = " ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{self.code} {details}".rstrip()

    def diagnostics(self, lang: str = "en") -> str:
        """This will say in `lang` ("zh" or "en") what was found, and what to do next."""
        entry = messages()[self.code]
        shown = {name: printable(str(value)) for name, value in self.parameters.items()}
        said = entry[lang].format_map(shown)
        return f"{said} {entry[f'next_{lang}']}"


_registered: dict[str, type[VerificationError]] = {}


class Malformed(VerificationError):
    """What was given is not of the form that it must have, or is larger than any honest one."""


class Refuted(VerificationError):
    """What was given is well formed, and what it claims is false or is not supported."""


class Unreadable(VerificationError):
    """What was named could not be read, or the program was asked in a wrong way."""


def registered() -> tuple[type[VerificationError], ...]:
    """This will list every error that has a code, in the order of their codes."""
    return tuple(_registered[code] for code in sorted(_registered))


@functools.cache
def messages() -> dict[str, dict[str, str]]:
    """This will read the catalog: code or label -> language -> text."""
    text = resources.files(__package__).joinpath("messages.toml").read_text(encoding="utf-8")
    catalog: dict[str, dict[str, str]] = tomllib.loads(text)
    return catalog


def label(name: str, lang: str, /, **parameters: Parameter) -> str:
    """This will give the text of a label of the catalog in `lang`, with its parameters."""
    return messages()[name][lang].format_map(parameters)


def printable(text: str) -> str:
    """This will make text of strangers safe for a terminal: anything unprintable is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
