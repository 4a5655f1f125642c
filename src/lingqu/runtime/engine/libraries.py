# SPDX-License-Identifier: Apache-2.0
"""DuckDB and delta-rs, each loaded when it is first used."""

from typing import TYPE_CHECKING

from lingqu.runtime.later import Later

if TYPE_CHECKING:
    import deltalake
    import duckdb
    from deltalake import exceptions as delta_errors
    from deltalake import transaction as delta_actions
else:
    deltalake, duckdb = Later("deltalake"), Later("duckdb")
    delta_errors, delta_actions = Later("deltalake.exceptions"), Later("deltalake.transaction")

__all__ = ("delta_actions", "delta_errors", "deltalake", "duckdb")
