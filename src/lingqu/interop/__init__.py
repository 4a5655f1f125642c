# SPDX-License-Identifier: Apache-2.0
"""Foreign protocols, each an adapter to one command or some reads.

Nothing here yet: the name and its place in the line are kept.
"""

__all__: tuple[str, ...] = ()
