# SPDX-License-Identifier: Apache-2.0
"""What pages refuse themselves, and the HTTP status of every refusal shown as a page."""

from __future__ import annotations

from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from lingqu.kernel import errors


class PageNotFound(errors.NotFound):
    """There is no page at this address."""

    code = "ui.page.not_found"


class SignInRequired(errors.Forbidden):
    """The page is for those who have signed in."""

    code = "ui.sign_in.required"


class TooManySignIns(errors.Unavailable):
    """Too many attempts to sign in from one place or for one name."""

    code = "ui.sign_in.too_many"


class FormExpired(errors.Forbidden):
    """The form does not carry the token of this browser's session."""

    code = "ui.form.expired"


class FormIncomplete(errors.Rejected):
    """A field of the form is missing or was sent in a wrong way."""

    code = "ui.form.incomplete"


class FormUnreadable(errors.Rejected):
    """What was sent cannot be read: it is broken, or not of the shape it says."""

    code = "ui.form.unreadable"


class PageFault(errors.Unavailable):
    """A defect of ours; nothing was changed. The log of the program has the rest."""

    code = "ui.page.fault"


_STATUS_OF_FAMILY = {
    "not_found": 404,
    "forbidden": 403,
    "conflict": 409,
    "rejected": 422,
    "unavailable": 503,
}
_STATUS_OF_CODE = {
    SignInRequired.code: 401,
    TooManySignIns.code: 429,
    PageFault.code: 500,
    FormIncomplete.code: 400,
    FormUnreadable.code: 400,
    "api.request.too_large": 413,
    "api.request.too_many": 429,
    "api.internal_fault": 500,
    "trust.session.unknown": 401,
    "trust.access.caller_unknown": 401,
}


def status_of(refusal: errors.LingquError) -> int:
    """This will give the HTTP status of a refusal: by its code, else by its family."""
    return _STATUS_OF_CODE.get(refusal.code) or _STATUS_OF_FAMILY[refusal.family]


def as_refusal(error: Exception) -> errors.LingquError:
    """This will turn whatever a request raised into a refusal; what is no refusal is our fault."""
    match error:
        case errors.LingquError():
            return error
        case NotFoundException() | MethodNotAllowedException():
            return PageNotFound()
        case HTTPException(status_code=status) if 400 <= status < 500:
            return FormUnreadable(reason=error.detail[:200])
    return PageFault()
