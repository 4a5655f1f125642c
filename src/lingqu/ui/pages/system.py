# SPDX-License-Identifier: Apache-2.0
"""How the platform is doing, for administrators, and the API's documentation for everyone."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from lingqu import trust
from lingqu.runtime.i18n import catalog
from lingqu.ui.pages.home import log_glance
from lingqu.ui.provided import FromApiDescription, FromDesk


@get("/system", sync_to_thread=True)
def system_page(desk: FromDesk) -> Response[str]:
    """This will show each readiness check, the log, its witnesses and the settings in force."""
    desk.require(trust.Role.ADMINISTRATOR, kind=trust.Kind.INSTALLATION)
    report = desk.platform.readiness.ready()
    rows = [
        {
            "name": name,
            "ok": result.ok,
            "code": result.code,
            "said": desk.text(result.code, **result.parameters) if result.code in catalog() else "",
        }
        for name, result in report.results
    ]
    return desk.show(
        "system.html",
        report=report,
        checks=rows,
        glance=log_glance(desk),
        settings=desk.platform.settings,
        installation=desk.platform.installation,
    )


@get("/api/docs", sync_to_thread=True)
def api_documentation(desk: FromDesk, api_description: FromApiDescription) -> Response[str]:
    """This will show the API's description as a page of our own, without a line of script."""
    schemas = api_description["components"]["schemas"]
    operations = [
        _operation(method, path, operation, schemas)
        for path, methods in api_description["paths"].items()
        for method, operation in methods.items()
    ]
    return desk.show("api_docs.html", api=api_description, operations=operations)


def _operation(
    method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    good = next(answer for status, answer in operation["responses"].items() if status != "default")
    answer: dict[str, Any] = next(iter(good.get("content", {}).values()), {})
    return {
        "method": method.upper(),
        "path": path,
        "anchor": operation["operationId"],
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "open": not operation.get("security"),
        "parameters": operation.get("parameters", []),
        "body": _fields(body.get("schema", {}), schemas),
        "answer": _fields(answer.get("schema", {}), schemas),
    }


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found = schemas.get(name, schema)
    required = set(found.get("required", ()))
    return [
        {"name": field, "type": _type(kind), "required": field in required}
        for field, kind in found.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    several = schema.get("oneOf") or schema.get("anyOf")
    if several:
        return " | ".join(_type(one) for one in several)
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    kind = schema.get("type", "any")
    return " | ".join(kind) if isinstance(kind, list) else str(kind)
