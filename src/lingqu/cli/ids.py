# SPDX-License-Identifier: Apache-2.0
"""`lingqu id`: ids for callers of the API, who make the ids of what they create."""

from __future__ import annotations

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
@argument("prefix")
@click.pass_obj
def make_id(run: Invocation, prefix: str) -> None:
    """Make an id of a kind."""
    assert wiring.DOMAINS, "every kind is known once the domains are loaded"
    kind = Id.kinds.get(prefix)
    if kind is None or not prefix:
        raise PrefixUnknown(prefix=prefix[:20], known=", ".join(sorted(filter(None, Id.kinds))))
    made = new_id(kind)
    run.answer({"id": made}, [made])
