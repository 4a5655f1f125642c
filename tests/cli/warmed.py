# SPDX-License-Identifier: Apache-2.0
"""Reads what every command reads first; processes forked from one that did have it already."""

import lingqu.wiring  # noqa: F401  # loads every domain
from lingqu.runtime import i18n
from lingqu.trust import rulebook

i18n.catalog()
rulebook.open_rulebook()
