# SPDX-License-Identifier: Apache-2.0
"""The pages as one ASGI application, with its own form of refusals: a page that says what to do."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.response import Redirect

from lingqu.kernel import errors
from lingqu.runtime.i18n import explain
from lingqu.runtime.observability import get_logger
from lingqu.ui import assets
from lingqu.ui.forms import read_form
from lingqu.ui.live import Watch, live
from lingqu.ui.pages import (
    account,
    buying,
    catalog,
    catalogs,
    comparing,
    contracts,
    delivering,
    describing,
    duties,
    evidence,
    filing,
    findings,
    grants,
    home,
    identities,
    jobs,
    ledger,
    listing,
    market,
    notices,
    opening,
    parties,
    procedures,
    registry,
    rules,
    session,
    supervising,
    system,
    trading,
    viewing,
    works,
)
from lingqu.ui.provided import ApiDescription, SignIns, provide_desk, provide_form
from lingqu.ui.refusals import PageFault, as_refusal, status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.visitors import visit_of
from lingqu.wiring import App

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UPLOAD_PATHS = (
    "/trust/verify",
    procedures.PROCEDURES_PATH,
    comparing.PATH,
    duties.IMPORT_PATH,
    catalog.PATH,
    delivering.LOADS_PATH,
    opening.LIST_PATH,
    catalogs.PATH,
    contracts.PATH,
    *trading.UPLOAD_PATHS,
)
"""The addresses that take files."""

_HANDLERS: tuple[Any, ...] = (
    home.home, home.public, home.log_part, home.recent_part, home.choose, live,
    viewing.save_view, viewing.drop_view,
    session.login_page, session.login, session.login_code, session.begin_openid,
    session.return_openid, session.logout,
    parties.party_list, parties.register, parties.party_page, parties.rename,
    parties.confirm_erasure, parties.erase, parties.open_account, parties.close_account,
    parties.assign_role, parties.withdraw_role, parties.issue_key, parties.revoke_key,
    evidence.fact_list, evidence.fact_page, evidence.bundle, evidence.verify_page, evidence.verify,
    evidence.refusal_list,
    jobs.failed_jobs, jobs.retry, jobs.drop,
    account.account_page, account.change_password, account.close_session, account.act_for,
    account.propose_second_factor, account.enable_second_factor, account.disable_second_factor,
    account.unlink_login,
    identities.identity_page, identities.describe, identities.give_mandate,
    identities.end_mandate, identities.revoke_certificate, identities.unlock_account,
    identities.hold_list, identities.place_hold, identities.lift_hold,
    procedures.procedure_list, procedures.procedure_page, procedures.move, procedures.document,
    procedures.attachment,
    filing.choose_chart, filing.open_procedure, filing.name_person, filing.release_person,
    notices.notice_list, notices.read_all,
    works.work_list, works.work_page, works.stop,
    describing.describe_page, describing.describe, describing.revise_page, describing.revise,
    describing.field_table,
    delivering.source_list, delivering.register_source, delivering.end_source,
    delivering.load_list, delivering.load_page, delivering.hand_over,
    findings.finding_list, findings.look_page, findings.look, findings.open_finding,
    findings.finding_page,
    opening.entry_list, opening.propose_entry, opening.publish_list, opening.check_table,
    opening.import_table,
    opening.entry_page, opening.confirm_entry, opening.open_file, opening.file_list,
    opening.file_page, opening.withdraw_file,
    catalogs.catalog_list, catalogs.register_catalog, catalogs.catalog_page,
    catalogs.write_catalog, catalogs.reconcile,
    catalog.catalog, catalog.resource_page, catalog.grade, catalog.withdraw,
    duties.duty_list, duties.register_duty, duties.end_duty, duties.import_duties,
    comparing.compare_page, comparing.compare,
    grants.grant_list, grants.grant_page, grants.revoke, grants.policy_file,
    ledger.account_list, ledger.statement, ledger.trial_balance,
    rules.rule_list, rules.compare_rules, rules.rule_page,
    market.listing_list, listing.listing_page, listing.certificate,
    contracts.contract_list, contracts.contract_page, contracts.sign, contracts.close,
    buying.propose_page, buying.propose, buying.console_page, buying.ask,
    buying.asked_page,
    contracts.document, contracts.bill, contracts.reconcile,
    registry.registry_page, registry.registration_page, registry.certificate,
    supervising.flow_list, supervising.flow_page, supervising.attempt_list,
    system.system_page, system.api_documentation,
    *trading.HANDLERS,
    assets.static_file, assets.favicon,
)  # fmt: skip
_log = get_logger(__name__)


class Pages:
    """The part of the server for people. `api` is the API's description, shown at `/api/docs`."""

    def __init__(
        self,
        app: App,
        *,
        sign_ins: SignIns,
        api: ApiDescription,
        stop: threading.Event | None = None,
    ) -> None:
        """Build the pages over one opened platform; `sign_ins` limits attempts to sign in.

        Open streams end when `stop` is set.
        """
        self._app = app
        self._litestar = Litestar(
            # One router, because an application that meets a path twice wraps its handler twice.
            route_handlers=[Router("/", route_handlers=_HANDLERS)],
            dependencies=_dependencies(app, sign_ins, api),
            exception_handlers={Exception: self._refused},
            before_request=read_form,
            state=State({"watch": Watch(app, stop or threading.Event())}),
            openapi_config=None,
            logging_config=None,
            request_max_body_size=None,
            debug=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._litestar(scope, receive, send)  # type: ignore[arg-type]  # ASGI, typed apart

    async def refuse(
        self, scope: Scope, receive: Receive, send: Send, refusal: errors.LingquError
    ) -> None:
        """Answer a request that the door refused, as a page."""
        request: Request[Any, Any, Any] = Request(scope)  # type: ignore[arg-type]  # ASGI, typed apart
        answer = self._error_page(request, refusal).to_asgi_response(None, request)
        await answer(scope, receive, send)  # type: ignore[arg-type]  # ASGI, typed apart

    def _refused(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        refusal = as_refusal(error)
        if isinstance(refusal, PageFault):
            _log.error("ui.fault", exc_info=error)
        handler: Any = request.scope.get("route_handler")
        command = handler.opt.get("command") if handler is not None else None
        request.scope["state"]["refused"] = (refusal, command)
        return self._error_page(request, refusal)

    def _error_page(
        self, request: Request[Any, Any, Any], refusal: errors.LingquError
    ) -> Response[Any]:
        visit = visit_of(request)
        status = status_of(refusal)
        if status == 401 and request.method == "GET" and "hx-request" not in request.headers:
            onward = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return Redirect(f"/login?next={quote(onward, safe='/')}", status_code=303)
        desk = Desk(
            platform=self._app,
            visit=visit,
            path=request.url.path,
            query="",
            state=request.scope["state"],
        )
        words = explain(refusal, visit.language)
        answer = desk.show("error.html", status=status, words=words, status_code=status)
        if status in {429, 503}:
            answer.headers["retry-after"] = str(refusal.parameters.get("seconds") or 5)
        return answer


def _dependencies(app: App, sign_ins: SignIns, api: ApiDescription) -> dict[str, Provide]:
    def provide_platform() -> App:
        return app

    def provide_sign_ins() -> SignIns:
        return sign_ins

    def provide_api() -> ApiDescription:
        return api

    return {
        "platform": Provide(provide_platform, sync_to_thread=False),
        "sign_ins": Provide(provide_sign_ins, sync_to_thread=False),
        "api_description": Provide(provide_api, sync_to_thread=False),
        "desk": Provide(provide_desk, sync_to_thread=False),
        "form": Provide(provide_form, sync_to_thread=False),
    }
