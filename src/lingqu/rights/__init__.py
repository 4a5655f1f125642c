# SPDX-License-Identifier: Apache-2.0
"""产权: registries, certificates, consents and the grant tree.

Nothing here yet: the name and its place in the line are kept.
"""

__all__: tuple[str, ...] = ()
