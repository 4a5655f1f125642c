# SPDX-License-Identifier: Apache-2.0
"""供给: from a body's duty to a trustworthy, graded, catalogued table.

Nothing here yet: the name and its place in the line are kept.
"""

__all__: tuple[str, ...] = ()
