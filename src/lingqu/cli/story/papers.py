# SPDX-License-Identifier: Apache-2.0
"""What the story's schemes, agreements and applications say, item by item."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lingqu.cli.story.actors import read_data

_PAPERS = read_data("papers")
SCHEME: Mapping[str, str] = MappingProxyType(_PAPERS["scheme"])
"""The twelve items of an implementation scheme (发改数据规〔2025〕27号 第九条)."""
AGREEMENT: Mapping[str, str] = MappingProxyType(_PAPERS["agreement"])
"""The thirteen items of an agreement (发改数据规〔2025〕27号 第十四条)."""
REGISTRATION: Mapping[str, str] = MappingProxyType(_PAPERS["registration"])
"""What an application for a first registration states (发改数据规〔2025〕26号 第九条)."""
