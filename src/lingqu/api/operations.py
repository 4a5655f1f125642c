# SPDX-License-Identifier: Apache-2.0
"""For those who run the platform: alive, ready, metrics, and what robots may read."""

from __future__ import annotations

import ipaddress
from typing import Any

from litestar import MediaType, Request, Response, get

from lingqu import trust
from lingqu.api.writes import FromPlatform, FromVisit
from lingqu.runtime.observability import METRICS_CONTENT_TYPE, Report, render_metrics

_CHARSET = "; charset=utf-8"  # added to every text by the framework
_ROBOTS = "User-agent: *\nAllow: /$\nAllow: /log/\nDisallow: /\n"


@get("/health/live", sync_to_thread=True, include_in_schema=False)
def live(platform: FromPlatform) -> Response[dict[str, Any]]:
    """This will answer 200 while the process should go on, else 503."""
    return _report(platform.readiness.live())


@get("/health/ready", sync_to_thread=True, include_in_schema=False)
def ready(platform: FromPlatform) -> Response[dict[str, Any]]:
    """This will answer 200 when requests can be served, else 503, with each check by name."""
    return _report(platform.readiness.ready())


@get("/metrics", sync_to_thread=True, include_in_schema=False)
def metrics(visit: FromVisit, request: Request[Any, Any, Any]) -> Response[bytes]:
    """This will give the metrics to callers on this machine and to administrators."""
    is_administrator = visit.identity is not None and visit.identity.has(trust.Role.ADMINISTRATOR)
    if not is_administrator and not _is_local(visit.source, request):
        raise trust.AccessDenied(action="operate", kind="installation")
    return Response(render_metrics(), media_type=METRICS_CONTENT_TYPE.removesuffix(_CHARSET))


@get("/robots.txt", sync_to_thread=False, include_in_schema=False)
def robots() -> Response[str]:
    """This will let robots read the home page and the public log, nothing else."""
    return Response(
        _ROBOTS, media_type=MediaType.TEXT, headers={"cache-control": "public, max-age=86400"}
    )


def _report(report: Report) -> Response[dict[str, Any]]:
    checks = {name: {"ok": result.ok, "code": result.code} for name, result in report.results}
    body = {"ok": report.ok, "checks": checks}
    return Response(body, status_code=200 if report.ok else 503)


def _is_local(source: str, request: Request[Any, Any, Any]) -> bool:
    # What a proxy on this machine forwards comes from loopback too, and says so.
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(source).is_loopback
    except ValueError:
        return False
