# SPDX-License-Identifier: Apache-2.0
"""The one place that knows every setting: its type, words, default, and where its value came from.

A setting is given, strongest first, by the command line, by `LINGQU_<NAME>` in the environment, by
a TOML file, or by its default. Anything unknown or out of range is refused by name.
"""

# ruff: noqa: RUF009  # `_field` makes a dataclass field, which is what the rule wants

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg import conninfo as pg_conninfo

from lingqu.kernel import errors

PREFIX = "LINGQU_"
DATA_DIR = Path(".lingqu/data")
Language = Literal["zh-CN", "en"]

_GIVEN_LONGEST = 80
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*\Z")
_ORIGIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*\Z")
_WITNESS = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+ https?://\S+\Z")
_CODE = re.compile(r"[a-z]\w*\.[a-z]\w*", re.ASCII)
_YES = {"1": True, "true": True, "yes": True, "on": True}
_NO = {"0": False, "false": False, "no": False, "off": False}


class UnknownSetting(errors.Rejected):
    """A setting of this name does not exist."""

    code = "runtime.settings.unknown"


class BadSetting(errors.Rejected):
    """The value of a setting is not one of those it can have."""

    code = "runtime.settings.bad"


class UnreadableSettingsFile(errors.Rejected):
    """The settings file is not there, not readable or not TOML."""

    code = "runtime.settings.file_unreadable"


class UnreadableSecret(errors.Rejected):
    """A file with a secret is not there, is too short or long, or others may read it."""

    code = "runtime.settings.secret_unreadable"


class KeyInsideData(errors.Rejected):
    """What unseals the keys lies in the data folder, so that one copy would hold both."""

    code = "runtime.settings.key_inside_data"


class _Bad(Exception):  # a signal between a parser and its caller
    """The value is not allowed; the argument says what is."""


Parse = Callable[[object], object]


def _integer(lowest: int, highest: int) -> Parse:
    allowed = f"{lowest} .. {highest}"

    def parse(given: object) -> int:
        if isinstance(given, str) and re.fullmatch(r"[0-9]{1,18}", given.strip()):
            given = int(given)
        if type(given) is not int or not lowest <= given <= highest:
            raise _Bad(allowed)
        return given

    return parse


def _choice(*allowed: str) -> Parse:
    def parse(given: object) -> str:
        for value in allowed:
            if isinstance(given, str) and given.strip().lower() == value.lower():
                return value
        raise _Bad(" | ".join(allowed))

    return parse


def _yes_or_no(given: object) -> bool:
    if isinstance(given, bool):
        return given
    found = {**_YES, **_NO}.get(given.strip().lower()) if isinstance(given, str) else None
    if found is None:
        raise _Bad("true | false")
    return found


def _path(given: object) -> Path:
    if isinstance(given, Path):
        return given
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise _Bad("/folder/name | folder/name")
    return Path(given)


def _database(given: object) -> str:
    allowed = "postgresql://user:password@host:port/name"
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise _Bad(allowed)
    try:
        pg_conninfo.conninfo_to_dict(given)
    except psycopg.ProgrammingError:
        raise _Bad(allowed) from None
    return given.strip()


def _host(given: object) -> str:
    if isinstance(given, str):
        try:
            return str(ipaddress.ip_address(given.strip().strip("[]")))
        except ValueError:
            if _HOST.match(given) and not re.fullmatch(r"[0-9.]+", given):
                return given
    raise _Bad("127.0.0.1 | ::1 | host.example")


def _base_url(given: object) -> str:
    allowed = "https://host.example | http://host.example:8420/path"
    if not isinstance(given, str) or re.search(r"\s", given.strip()):
        raise _Bad(allowed)
    try:
        parts = urlsplit(given.strip())
        usable = parts.port != 0
    except ValueError:
        raise _Bad(allowed) from None
    plain = not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain or not usable:
        raise _Bad(allowed)
    return given.strip().rstrip("/")


def _issuer(given: object) -> str:
    allowed = "https://login.example | https://login.example/realm"
    try:
        checked = _base_url(given)
    except _Bad:
        raise _Bad(allowed) from None
    # An issuer is compared letter by letter, so the slash at its end counts.
    assert checked, "it was refused otherwise"
    return str(given).strip()


def _words(given: object) -> tuple[str, ...]:
    allowed = "word, word"
    items = re.split(r"[,\s]+", given) if isinstance(given, str) else given
    if not isinstance(items, list | tuple) or not all(isinstance(one, str) for one in items):
        raise _Bad(allowed)
    if not all(re.fullmatch(r"[a-z][a-z_]{0,39}", one) for one in items if one):
        raise _Bad(allowed)
    return tuple(one for one in items if one)


def _networks(given: object) -> tuple[str, ...]:
    allowed = "127.0.0.1 | 10.0.0.0/8 (, ...)"
    items = re.split(r"[,\s]+", given) if isinstance(given, str) else given
    if not isinstance(items, list | tuple):
        raise _Bad(allowed)
    try:
        return tuple(str(ipaddress.ip_network(str(one))) for one in items if one)
    except ValueError:
        raise _Bad(allowed) from None


def _client(given: object) -> str:
    if not isinstance(given, str) or not re.fullmatch(r"[\x21-\x7e]{1,255}", given.strip()):
        raise _Bad("1 .. 255")
    return given.strip()


def _origin(given: object) -> str:
    if not isinstance(given, str) or len(given) > 200 or not _ORIGIN.match(given):
        raise _Bad("host.example | host.example/path")
    return given


def _witnesses(given: object) -> tuple[str, ...]:
    allowed = "name+hash+key https://host.example (, ...)"
    items = re.split(r"[,\n]", given) if isinstance(given, str) else given
    if not isinstance(items, list | tuple):
        raise _Bad(allowed)
    found = []
    for item in items:
        if not isinstance(item, str):
            raise _Bad(allowed)
        text = " ".join(item.split())
        if text and not _WITNESS.match(text):
            raise _Bad(allowed)
        if text:
            found.append(text)
    return tuple(found)


def _codes(given: object) -> tuple[str, ...]:
    allowed = "code (, ...) | none"
    items = re.split(r"[,\s]+", given) if isinstance(given, str) else given
    if items == ["none"]:
        return ()
    if not isinstance(items, list | tuple):
        raise _Bad(allowed)
    found = [item for item in items if item]
    if not all(isinstance(item, str) and _CODE.fullmatch(item) for item in found):
        raise _Bad(allowed)
    return tuple(sorted({*found}))


def _time_zone(given: object) -> str:
    try:
        return ZoneInfo(given).key if isinstance(given, str) else _refuse_zone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _refuse_zone()


def _refuse_zone() -> str:
    raise _Bad("Asia/Shanghai | Europe/Berlin | UTC")


def _field(
    default: object, parse: Parse, zh: str, en: str, *, secret: bool = False, unit: str = ""
) -> Any:
    metadata = {"zh": zh, "en": en, "secret": secret, "unit": unit, "parse": parse}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """Everything that can be set. Make one with `load_settings`; its `repr` shows no secret."""

    data_dir: Path = _field(
        DATA_DIR,
        _path,
        "数据文件夹：数据库、附件、日志树与密封的密钥",
        "The data folder: database, blobs, log tiles and sealed keys",
    )
    database_url: str | None = _field(
        None,
        _database,
        "外部 PostgreSQL 的应用账户连接串；不填则使用内置 PostgreSQL",
        "Connection string of the application's account on your own PostgreSQL; "
        "without it the embedded PostgreSQL is used",
        secret=True,
    )
    database_owner_url: str | None = _field(
        None,
        _database,
        "外部 PostgreSQL 的属主账户连接串，仅用于建表和升级",
        "Connection string of the owner's account on your own PostgreSQL, "
        "used only to create and upgrade tables",
        secret=True,
    )
    postgres_cache_dir: Path | None = _field(
        None,
        _path,
        "内置 PostgreSQL 程序的存放文件夹；不填则自动选择",
        "Folder for the embedded PostgreSQL's programs; chosen automatically when not given",
    )
    key_file: Path | None = _field(
        None,
        _path,
        "解封密钥的密钥文件；不填则为数据文件夹旁的 <数据文件夹名>.key；必须在数据文件夹之外",
        "The key file that unseals the keys; by default <name of the data folder>.key beside the "
        "data folder; must lie outside it",
    )
    key_passphrase_file: Path | None = _field(
        None,
        _path,
        "保存解封口令的文件，代替密钥文件；必须在数据文件夹之外",
        "File with the passphrase that unseals the keys, instead of a key file; "
        "must lie outside the data folder",
    )
    bind: str = _field("127.0.0.1", _host, "监听地址", "Address to listen on")
    port: int = _field(
        8420,
        _integer(0, 65535),
        "监听端口；0 表示任取一个空闲端口",
        "Port to listen on; 0 takes any free one",
    )
    base_url: str | None = _field(
        None,
        _base_url,
        "用户访问平台的网址；不填则由监听地址和端口得出",
        "The address people open; by default made from address and port",
    )
    origin: str | None = _field(
        None,
        _origin,
        "存证日志的名称，形如域名或域名/路径，首次启动后不可更改",
        "Name of the log, like a host or host/path; cannot change after the first start",
    )
    language: Language = _field(
        "zh-CN",
        _choice("zh-CN", "en"),
        "默认语言：zh-CN 或 en",
        "Default language: zh-CN or en",
    )
    log_format: Literal["auto", "console", "json"] = _field(
        "auto",
        _choice("auto", "console", "json"),
        "运行日志格式；auto 在终端上为 console，否则为 json",
        "Format of the program's log; auto is console on a terminal and json elsewhere",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _field(
        "info",
        _choice("debug", "info", "warning", "error"),
        "运行日志的最低级别",
        "Lowest level that is logged",
    )
    pool_size: int = _field(
        8, _integer(2, 64), "数据库连接池大小", "Size of the pool of database connections"
    )
    checkpoint_interval_ms: int = _field(
        500,
        _integer(50, 60_000),
        "存证日志签发检查点的最短间隔",
        "Shortest time between two signed checkpoints of the log",
        unit="ms",
    )
    witnesses: tuple[str, ...] = _field(
        (),
        _witnesses,
        "独立见证方，每项为“验证公钥 网址”，以逗号或换行分隔",
        'Independent witnesses, each "verifier key, space, URL", separated by commas or lines',
    )
    worker_embedded: bool = _field(
        True,
        _yes_or_no,
        "后台任务是否与网站在同一进程中运行",
        "Whether background jobs run in the process of the web server",
    )
    session_hours: int = _field(
        12, _integer(1, 720), "登录会话的有效时长", "How long a login session lasts", unit="h"
    )
    login_attempts_per_minute: int = _field(
        10,
        _integer(1, 10_000),
        "每个来源每分钟允许的登录尝试次数",
        "Login attempts allowed for one source in a minute",
        unit="1/min",
    )
    api_requests_per_minute: int = _field(
        600,
        _integer(1, 10_000_000),
        "每个调用方每分钟允许的接口请求次数",
        "API requests allowed for one caller in a minute",
        unit="1/min",
    )
    gate_calls_per_minute: int = _field(
        600_000,
        _integer(1, 1_000_000_000),
        "每个调用方每分钟允许的核验调用次数（`lingqu gate serve`）",
        "Calls at the gate allowed for one caller in a minute (`lingqu gate serve`)",
        unit="1/min",
    )
    upload_bytes_max: int = _field(
        32 * 1024 * 1024,
        _integer(1024, 64 * 1024**3),
        "单个上传文件的最大字节数",
        "Largest uploaded file",
        unit="B",
    )
    secure_cookies: Literal["auto", "always"] = _field(
        "auto",
        _choice("auto", "always"),
        "会话 Cookie 是否仅限 HTTPS；auto 依网址判断",
        "Whether session cookies need HTTPS; auto decides by the address",
    )
    engine_workers: int = _field(
        2,
        _integer(1, 256),
        "同时执行的受限分析进程数",
        "Confined analysis workers at work at a time",
    )
    engine_spares: int = _field(
        1,
        _integer(0, 64),
        "预先待命的受限分析进程数",
        "Confined analysis workers that stand ready beside those",
    )
    engine_threads: int = _field(
        2, _integer(1, 256), "每个分析进程的线程数", "Threads of one analysis worker"
    )
    engine_memory_mib: int = _field(
        1024, _integer(64, 4 * 1024 * 1024), "每个分析进程可用的内存",
        "Memory one analysis worker may use", unit="MiB",
    )  # fmt: skip
    engine_query_ms: int = _field(
        30_000,
        _integer(10, 86_400_000),
        "一次分析查询的最长时间，超时即终止其进程",
        "Longest time of one analysis query; its worker is killed after that",
        unit="ms",
    )
    engine_queue_ms: int = _field(
        10_000,
        _integer(1, 3_600_000),
        "等待空闲分析进程的最长时间",
        "Longest wait for a free analysis worker",
        unit="ms",
    )
    engine_cache_mib: int = _field(
        4096,
        _integer(1, 1024 * 1024 * 1024),
        "仅含获准字段的数据文件副本所占空间上限",
        "Room for copies of data files that hold permitted columns only",
        unit="MiB",
    )
    engine_confinement: Literal["full", "best"] = _field(
        "best",
        _choice("full", "best"),
        "full：隔离不完整时拒绝分析；best：尽可能隔离并由 lingqu doctor 说明",
        "full refuses analysis where confinement is incomplete; best confines as far as this "
        "machine allows, and lingqu doctor says how far",
    )
    source_dir: Path | None = _field(
        None,
        _path,
        "逻辑接入数据源的连接串所在文件夹，每个数据源一个权限 0600 的文件，文件名即数据源编号；"
        "不填则为数据文件夹旁的 <数据文件夹名>.sources；必须在数据文件夹之外",
        "Folder with the connection string of each logical source, a file of mode 0600 named by "
        "the source's id; by default <name of the data folder>.sources beside the data folder; "
        "must lie outside it",
    )
    profile: Literal["guangxi", "guangzhou", "qinzhou"] | None = _field(
        None,
        _choice("guangxi", "guangzhou", "qinzhou"),
        "地区配置：采用哪个地区的规则库和工作日历；不填则沿用已采用的，首次为 guangxi",
        "The region whose rulebook and working-day calendar are used; without it the one adopted "
        "before, and guangxi at first",
    )
    unverified_rules: tuple[str, ...] | None = _field(
        None,
        _codes,
        "启用尚未核对原文的规则，填规则代码，以逗号分隔；none 表示全部停用；"
        "不填则沿用，首次全部停用",
        "Rules known from memory only that are switched on, by code, separated by commas; none "
        "switches all off; without it as adopted before, and all off at first",
    )
    sign_in_failures_max: int = _field(
        10,
        _integer(3, 1000),
        "登录失败多少次后锁定该登录名",
        "Failed attempts to sign in after which a login is locked",
    )
    sign_in_lock_minutes: int = _field(
        15,
        _integer(1, 1440),
        "登录失败的计数时段，也是锁定时长",
        "How long a failed attempt counts, and so how long a lock lasts",
        unit="min",
    )
    second_factor_roles: tuple[str, ...] = _field(
        (),
        _words,
        "必须启用两步验证的角色，以逗号分隔，例如 administrator, regulator",
        "Roles that need a second factor, separated by commas, such as administrator, regulator",
    )
    openid_issuer: str | None = _field(
        None,
        _issuer,
        "统一身份认证（OpenID Connect）提供方的 issuer，须与其公布的完全一致；不填则不启用",
        "The issuer of your OpenID Connect provider, exactly as it publishes it; "
        "without it nobody signs in that way",
    )
    openid_client_id: str = _field(
        "lingqu",
        _client,
        "本平台在统一身份认证提供方登记的客户端编号",
        "The client id under which the provider knows this platform",
    )
    openid_client_secret_file: Path | None = _field(
        None,
        _path,
        "保存客户端密钥的文件，权限须为 0600",
        "File with the client secret, of mode 0600",
    )
    proxy_addresses: tuple[str, ...] = _field(
        (),
        _networks,
        "可信反向代理的地址，只接受它们转来的客户端证书（RFC 9440）",
        "Addresses of trusted proxies; client certificates (RFC 9440) are taken from them only",
    )
    proxy_secret_file: Path | None = _field(
        None,
        _path,
        "与反向代理共享的密钥文件，权限须为 0600；不填则不接受客户端证书",
        "File with the secret shared with the proxy, of mode 0600; "
        "without it no client certificate is taken",
    )
    time_zone: str = _field(
        "Asia/Shanghai", _time_zone, "页面显示所用的时区", "Time zone in which pages show time"
    )
    fonts_dir: Path | None = _field(
        None,
        _path,
        "另存中文字体的文件夹，供生成 PDF 使用；不填则只用本机字体",
        "Folder with further Chinese fonts for PDF; the fonts of the machine are used in any case",
    )

    def __repr__(self) -> str:
        """Every setting with its value, secrets hidden."""
        shown = (f"{name}={_shown(field, getattr(self, name))}" for name, field in _FIELDS.items())
        return f"Settings({', '.join(shown)})"


_FIELDS: dict[str, dataclasses.Field[Any]] = {
    field.name: field for field in dataclasses.fields(Settings)
}


def load_settings(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """This will read the settings: overrides before environment before file before defaults.

    Relative paths in the file start at the file's folder, all others at the working folder; the
    result holds absolute paths. An empty environment variable and an override of None count as
    not given. Raises UnknownSetting, BadSetting, UnreadableSettingsFile or KeyInsideData.
    """
    values: dict[str, object] = {}
    if file is not None:
        values |= _checked(_read_file(file), folder=file.absolute().parent)
    values |= _checked(_from_environment(environ), folder=Path.cwd())
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    values |= _checked(given, folder=Path.cwd())
    values.setdefault("data_dir", Path.cwd() / DATA_DIR)
    settings = Settings(**values)  # type: ignore[arg-type]  # each was checked by its own parser
    _refuse_key_inside_data(settings)
    return settings


def key_location(settings: Settings) -> Path:
    """This will give the key file in force: the one set, or `<data folder>.key` beside it."""
    if settings.key_file is not None:
        return settings.key_file
    return settings.data_dir.parent / f"{settings.data_dir.name}.key"


def source_location(settings: Settings) -> Path:
    """This will give the folder with the connection strings of sources, set or beside the data."""
    if settings.source_dir is not None:
        return settings.source_dir
    return settings.data_dir.parent / f"{settings.data_dir.name}.sources"


def read_secret(path: Path) -> str:
    """This will read a short secret from a file only its owner may read; raises UnreadableSecret.

    The file is one line of 16 to 1000 printable characters.
    """
    try:
        loose = path.stat().st_mode & 0o077
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UnreadableSecret(file=str(path), detail="–") from None
    if loose or not 16 <= len(text) <= 1000 or not text.isprintable():
        raise UnreadableSecret(file=str(path), detail="0600" if loose else "16 .. 1000")
    return text


def reference(language: Language) -> str:
    """This will write the reference of all settings as a Markdown table."""
    heads = {
        "zh-CN": ("名称", "环境变量", "默认值", "单位", "说明", "（保密）", "—"),
        "en": ("Name", "Environment variable", "Default", "Unit", "Meaning", " (secret)", "-"),
    }[language]
    *columns, secret, nothing = heads
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for name, field in _FIELDS.items():
        words = field.metadata["zh" if language == "zh-CN" else "en"]
        words += secret if field.metadata["secret"] else ""
        default = _default_text(field.default)
        cells = (
            f"`{name}`",
            f"`{PREFIX}{name.upper()}`",
            f"`{default}`" if default else nothing,
            field.metadata["unit"] or nothing,
            words.replace("|", "\\|"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _default_text(default: object) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    return "" if default in (None, ()) else str(default)


def _shown(field: dataclasses.Field[Any], value: object) -> str:
    return "[hidden]" if field.metadata["secret"] and value is not None else repr(value)


def _read_file(file: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableSettingsFile(file=str(file), detail=error.strerror or "") from None
    except UnicodeDecodeError:
        raise UnreadableSettingsFile(file=str(file), detail="UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        # The decoder's message quotes at most one character of the file, never a value.
        raise UnreadableSettingsFile(file=str(file), detail=str(error)) from None


def _from_environment(environ: Mapping[str, str]) -> Mapping[str, object]:
    values: dict[str, object] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in _FIELDS or variable != f"{PREFIX}{name.upper()}":
            raise UnknownSetting(
                name=variable[:_GIVEN_LONGEST], nearest=f"{PREFIX}{_nearest(name).upper()}"
            )
        if text != "":
            values[name] = text
    return values


def _nearest(name: str) -> str:
    name = name.lower()[:_GIVEN_LONGEST]
    return str(difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.0)[0])


def _checked(values: Mapping[str, object], *, folder: Path) -> dict[str, object]:
    checked: dict[str, object] = {}
    for name, given in values.items():
        if name not in _FIELDS:
            raise UnknownSetting(name=name[:_GIVEN_LONGEST], nearest=_nearest(name))
        field = _FIELDS[name]
        try:
            value = field.metadata["parse"](given)
        except _Bad as bad:
            secret = field.metadata["secret"]
            shown = "[hidden]" if secret else str(given)[:_GIVEN_LONGEST]
            raise BadSetting(field=name, given=shown, allowed=str(bad)) from None
        checked[name] = _absolute(folder, value) if isinstance(value, Path) else value
    return checked


def _absolute(folder: Path, path: Path) -> Path:
    try:
        return folder / path.expanduser()
    except RuntimeError:
        return folder / path


def _refuse_key_inside_data(settings: Settings) -> None:
    data = Path(os.path.realpath(settings.data_dir))
    for field in ("key_file", "key_passphrase_file", "source_dir"):
        path: Path | None = getattr(settings, field)
        if path is not None and Path(os.path.realpath(path)).is_relative_to(data):
            raise KeyInsideData(field=field, path=str(path), data_dir=str(settings.data_dir))
