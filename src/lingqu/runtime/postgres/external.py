# SPDX-License-Identifier: Apache-2.0
"""Your own PostgreSQL by connection string: what is asked of it before Lingqu uses it.

Rights are granted to the role `lingqu_app`, which cannot log in here; the application's account
takes its place in every session. So one account can own the tables and yet be unable to change
books and evidence while the application runs.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import conninfo as pg_conninfo
from psycopg import errors as pg_errors
from psycopg import sql

from lingqu.runtime.postgres.places import APPLICATION
from lingqu.runtime.postgres.refusals import (
    BadDatabaseURL,
    DifferentDatabases,
    ExtensionMissing,
    NotUTF8,
    RightMissing,
    ServerUnreachable,
    UnsupportedVersion,
)
from lingqu.runtime.postgres.server import EXTENSIONS, PostgresServer

MAJORS = (17, 18)
"""The major versions that Lingqu is tested with."""

_CONNECT_SECONDS = 10
_Session = psycopg.Connection[tuple[Any, ...]]


def open_external(*, url: str, owner_url: str | None) -> PostgresServer:
    """This will check a PostgreSQL of yours and make ready what it may.

    It installs missing extensions and makes the role `lingqu_app` where the account is allowed to.
    Raises BadDatabaseURL, ServerUnreachable, UnsupportedVersion, NotUTF8, ExtensionMissing,
    RightMissing, DifferentDatabases; a refusal never holds a connection string.
    """
    application, owner = parsed(url), parsed(owner_url or url)
    try:
        application, version = _made_ready(application, owner)
    except psycopg.Error as error:
        # The connection was lost in the middle; every step can be repeated.
        raise ServerUnreachable(detail=_safe(error, owner)) from None
    return PostgresServer(
        app_conninfo=application,
        owner_conninfo=owner,
        admin_conninfo=None,
        version=version,
        binaries=None,
        warnings=(),
    )


def parsed(url: str) -> str:
    """This will understand a connection string; raises BadDatabaseURL, which never shows it."""
    try:
        given = pg_conninfo.conninfo_to_dict(url)
        ports = [int(port or 5432) for port in str(given.get("port") or "").split(",")]
    except (psycopg.Error, ValueError):
        raise BadDatabaseURL from None
    if "\x00" in url or not given.get("host") or not all(0 < p < 65536 for p in ports):
        raise BadDatabaseURL
    given.setdefault("connect_timeout", _CONNECT_SECONDS)
    return pg_conninfo.make_conninfo("", **given)


def _made_ready(application: str, owner: str) -> tuple[str, str]:
    with connect(owner) as session:
        version = check_server(session)
        _install_extensions(session)
        _check_rights(session)
        _ensure_role(session)
        where = _identity(session)
    with connect(application) as session:
        if _identity(session) != where:
            raise DifferentDatabases
        user = _only(session.execute("SELECT session_user"))
    if user != APPLICATION:
        _let_in(owner, user)
        application = _acting(application)
        with connect(application) as session:
            taken = _only(session.execute("SELECT current_user"))
        if taken != APPLICATION:
            statement = f'GRANT {APPLICATION} TO "{user}" WITH INHERIT FALSE, SET TRUE'
            raise RightMissing(account=user, right=APPLICATION, statement=statement)
    return application, version


def connect(conninfo: str) -> _Session:
    """This will open a session for looking; raises ServerUnreachable with the server's words."""
    try:
        return psycopg.connect(conninfo, autocommit=True)
    except psycopg.Error as error:
        raise ServerUnreachable(detail=_safe(error, conninfo)) from None


def check_server(session: _Session) -> str:
    """This will check version and encoding and give the version. Changes nothing."""
    number = session.info.server_version
    version = f"{number // 10000}.{number % 10000}"
    if number // 10000 not in MAJORS:
        supported = ", ".join(str(major) for major in MAJORS)
        raise UnsupportedVersion(version=version, supported=supported)
    encoding = _only(session.execute("SELECT current_setting('server_encoding')"))
    if encoding != "UTF8":
        raise NotUTF8(database=session.info.dbname, encoding=encoding)
    return version


def _acting(conninfo: str) -> str:
    given = pg_conninfo.conninfo_to_dict(conninfo)
    options = f"{given.get('options') or ''} -c role={APPLICATION}".strip()
    return pg_conninfo.make_conninfo(conninfo, options=options)


def _identity(session: _Session) -> tuple[Any, ...]:
    row = session.execute(
        "SELECT d.oid, d.datname, pg_postmaster_start_time()"
        " FROM pg_database d WHERE d.datname = current_database()"
    ).fetchone()
    assert row is not None
    return row


def _install_extensions(session: _Session) -> None:
    for extension in EXTENSIONS:
        query = "SELECT 1 FROM pg_extension WHERE extname = %s"
        if session.execute(query, (extension,)).fetchone():
            continue
        try:
            session.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(
                    sql.Identifier(extension)
                )
            )
        except psycopg.Error as error:
            detail = error.diag.message_primary or ""
            raise ExtensionMissing(extension=extension, detail=detail) from error


def _check_rights(session: _Session) -> None:
    name, user = session.info.dbname, session.info.user
    query = "SELECT has_database_privilege(current_database(), 'CREATE')"
    if not _only(session.execute(query)):
        statement = f'GRANT CREATE ON DATABASE "{name}" TO "{user}"'
        raise RightMissing(account=user, right="CREATE", statement=statement)


def _ensure_role(session: _Session) -> None:
    query = "SELECT rolsuper FROM pg_roles WHERE rolname = %s"
    found = session.execute(query, (APPLICATION,)).fetchone()
    if found is not None:
        if found[0]:
            statement = f"ALTER ROLE {APPLICATION} NOSUPERUSER"
            raise RightMissing(account=APPLICATION, right="NOSUPERUSER", statement=statement)
        return
    try:
        session.execute(f"CREATE ROLE {APPLICATION} NOLOGIN")
    except pg_errors.DuplicateObject:
        # Another process was faster.
        return
    except psycopg.Error as error:
        statement = f"CREATE ROLE {APPLICATION} NOLOGIN"
        raise RightMissing(
            account=session.info.user, right="CREATEROLE", statement=statement
        ) from error


def _let_in(owner: str, user: str) -> None:
    with connect(owner) as session:
        if _only(session.execute("SELECT pg_has_role(%s, %s, 'SET')", (user, APPLICATION))):
            return
        statement = sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(
            sql.Identifier(APPLICATION), sql.Identifier(user)
        )
        try:
            session.execute(statement)
        except psycopg.Error as error:
            raise RightMissing(
                account=user, right=APPLICATION, statement=statement.as_string(session)
            ) from error


def _only(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]


def _safe(error: psycopg.Error, conninfo: str) -> str:
    """What the server or libpq said, without the password should it ever be repeated."""
    text = " ".join(str(error).split())[:600]
    password = pg_conninfo.conninfo_to_dict(conninfo).get("password")
    return text.replace(str(password), "***") if password else text
