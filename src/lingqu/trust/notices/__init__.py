# SPDX-License-Identifier: Apache-2.0
"""消息 notices: what happened that concerns a party, told to whoever acts for it.

Domains say which of their facts concern whom (`Teller`); one follower of the log keeps what they
say. A notice holds a kind of word, a thing and a moment, and no text; it is no evidence and can be
made again from the log.
"""

from lingqu.trust.notices.telling import (
    Notice,
    Teller,
    Told,
    find_notices,
    follower,
    parties_told,
)

__all__ = (
    "Notice",
    "Teller",
    "Told",
    "find_notices",
    "follower",
    "parties_told",
)
