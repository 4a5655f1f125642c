# SPDX-License-Identifier: Apache-2.0
"""`lingqu id`: ids for callers of the API, who make the ids of what they create."""

from __future__ import annotations

from collections.abc import Mapping

import click

from lingqu import wiring
from lingqu.cli.grammar import argument, command
from lingqu.cli.invocation import Invocation
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.runtime import new_id


class PrefixUnknown(errors.NotFound):
    """No kind of id begins like this."""

    code = "cli.id.prefix_unknown"


@command("id")
@argument("names", nargs=-1, required=True)
@click.pass_obj
def make_id(run: Invocation, names: tuple[str, ...]) -> None:
    """Make ids: one for a prefix, or one for each name as `name=id`, for a shell to keep."""
    made = {name: id_for(name) for name in names}
    run.answer({"id": next(iter(made.values())), "ids": made}, written(made))


def written(ids: Mapping[str, Id]) -> list[str]:
    """This will write ids as lines: those for a name as a shell keeps them."""
    return [f"{name}={one}" if "_" in name else one for name, one in ids.items()]


def id_for(name: str) -> Id:
    """This will make an id of the kind a name begins with. Raises PrefixUnknown."""
    assert wiring.DOMAINS, "every kind is known once the domains are loaded"
    prefix = name.partition("_")[0]
    kind = Id.kinds.get(prefix) if prefix and name.isascii() and name.isidentifier() else None
    if kind is None:
        raise PrefixUnknown(prefix=prefix[:20], known=", ".join(sorted(filter(None, Id.kinds))))
    return new_id(kind)
