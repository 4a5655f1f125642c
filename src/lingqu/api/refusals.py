# SPDX-License-Identifier: Apache-2.0
"""What is refused at the door, before a request becomes a command or a read."""

from __future__ import annotations

from lingqu.kernel import errors


class RouteNotFound(errors.NotFound):
    """There is nothing at this address."""

    code = "api.route.not_found"


class MethodNotAllowed(errors.Rejected):
    """The address exists, but not for this method."""

    code = "api.route.method_not_allowed"


class RequestMalformed(errors.Rejected):
    """The body is not JSON, or a field or parameter is missing or has the wrong type."""

    code = "api.request.malformed"


class RequestTooLarge(errors.Rejected):
    """The body is longer than this address takes."""

    code = "api.request.too_large"


class TooManyRequests(errors.Unavailable):
    """This source or account asks more often than it may."""

    code = "api.request.too_many"


class AuthenticationRequired(errors.Forbidden):
    """Nobody is known to be asking: no key, and no session."""

    code = "api.authentication.required"


class CsrfTokenMissing(errors.Forbidden):
    """A write with a browser's session does not carry the token of that session."""

    code = "api.request.csrf"


class IdempotencyKeyBad(errors.Rejected):
    """A write needs a header Idempotency-Key that is a command id, `cmd_...`."""

    code = "api.idempotency_key.bad"


class SecondFactorNeeded(errors.Forbidden):
    """One of the account's roles needs a second factor, and it has none."""

    code = "api.session.second_factor_needed"


class LogFileNotFound(errors.NotFound):
    """The public log has no such file."""

    code = "api.log_file.not_found"


class InternalFault(errors.Unavailable):
    """A defect of ours; nothing was changed. The log of the program has the rest."""

    code = "api.internal_fault"


_STATUS_OF_FAMILY = {
    "not_found": 404,
    "forbidden": 403,
    "conflict": 409,
    "rejected": 422,
    "unavailable": 503,
}
_STATUS_OF_CODE = {
    MethodNotAllowed.code: 405,
    RequestMalformed.code: 400,
    IdempotencyKeyBad.code: 400,
    RequestTooLarge.code: 413,
    TooManyRequests.code: 429,
    AuthenticationRequired.code: 401,
    InternalFault.code: 500,
    "trust.session.unknown": 401,
    "trust.api_key.unknown": 401,
    "trust.certificate.unknown": 401,
    "trust.access.caller_unknown": 401,
}


def status_of(refusal: errors.LingquError) -> int:
    """This will give the HTTP status of a refusal: by its code, else by its family."""
    return _STATUS_OF_CODE.get(refusal.code) or _STATUS_OF_FAMILY[refusal.family]
