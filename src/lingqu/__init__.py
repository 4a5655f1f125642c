# SPDX-License-Identifier: Apache-2.0
"""灵渠 Lingqu: a regional data-element market as software.

Read ARCHITECTURE.md first: it names the packages in the order in which they may use each other.
"""

__version__ = "0.1.0"
