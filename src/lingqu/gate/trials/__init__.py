# SPDX-License-Identifier: Apache-2.0
"""试行 trials: whether a policy decides cases as its holder expects, without data or a server.

Cases of a query policy are statements, those of a verification policy are calls; both say what
must become of them. The rules that decide are those of the gate itself.
"""

from lingqu.gate.sql import BadCases
from lingqu.gate.trials.trying import (
    Trial,
    find_form,
    try_policy,
)

__all__ = ("BadCases", "Trial", "find_form", "try_policy")
