# SPDX-License-Identifier: Apache-2.0
"""上架: a product at a venue, from the application through publicity and certificate to the catalog."""

from __future__ import annotations

from lingqu.kernel.ids import Id


class ListingId(Id):
    """The id of one listing."""

    prefix = "lst"
