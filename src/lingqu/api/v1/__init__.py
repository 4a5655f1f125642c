# SPDX-License-Identifier: Apache-2.0
"""Version 1 of the API: one file for each word of the domain."""
