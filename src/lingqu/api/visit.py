# SPDX-License-Identifier: Apache-2.0
"""What the door found out about one request, handed to whatever answers it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

from lingqu import trust
from lingqu.runtime import Caller
from lingqu.runtime.i18n import Language


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request: where it comes from, who it is, in which language it is answered.

    `session` is the secret of the browser's session, `form_token` the random value of its form
    cookie; the CSRF token is derived from the one that is in force. `commanded` says that the
    request became a command, so that a refusal is already on record. `ended` tells that a session
    cookie came along that is no longer good.
    """

    correlation: str
    source: str
    language: Language
    secure: bool
    channel: Literal["web", "api"] = "web"
    identity: trust.Identity | None = None
    session: str | None = None
    form_token: str = ""
    commanded: bool = False
    ended: bool = False

    @property
    def session_cookie(self) -> str:
        """The name of the session cookie; the `__Host-` prefix needs HTTPS."""
        return "__Host-lingqu" if self.secure else "lingqu_session"

    @property
    def form_cookie(self) -> str:
        """The name of the cookie that ties forms to a browser that is not signed in."""
        return "__Host-lingqu-form" if self.secure else "lingqu_form"

    @property
    def csrf(self) -> str:
        """The token a write must carry: bound to the session, else to the form cookie."""
        secret = self.session if self.identity and self.session else self.form_token
        return hmac.digest(secret.encode(), b"lingqu csrf", hashlib.sha256).hex()

    @property
    def caller(self) -> Caller:
        """Who acts: the account that is known, or a visitor."""
        account = self.identity.account if self.identity else trust.VISITOR.account
        return Caller(
            account=account,
            channel=self.channel,
            correlation=self.correlation,
            acting_for=self.identity.acting_for if self.identity else None,
        )
