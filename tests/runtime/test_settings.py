# SPDX-License-Identifier: Apache-2.0
"""Settings: precedence, refusals by name, and secrets that stay hidden."""

import contextlib
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel import errors
from lingqu.runtime import settings as runtime_settings
from lingqu.runtime.settings import (
    BadSetting,
    KeyInsideData,
    Settings,
    UnknownSetting,
    UnreadableSecret,
    UnreadableSettingsFile,
    key_location,
    load_settings,
    read_secret,
    reference,
)

WITNESS = (
    "witness.example/w1+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz https://w.example"
)


def test_defaults_need_nothing():
    settings = load_settings({})
    assert settings.port == 8420
    assert settings.data_dir == Path.cwd() / ".lingqu/data"
    assert key_location(settings) == Path.cwd() / ".lingqu/data.key"


def test_overrides_beat_environment_beats_file_beats_defaults(tmp_path):
    file = tmp_path / "lingqu.toml"
    file.write_text('port = 1001\npool_size = 9\nsession_hours = 3\ndata_dir = "d"\n')
    settings = load_settings(
        {"LINGQU_PORT": "1002", "LINGQU_POOL_SIZE": "10", "PATH": "/bin"},
        file=file,
        overrides={"port": 1003, "pool_size": None},
    )
    assert (settings.port, settings.pool_size, settings.session_hours) == (1003, 10, 3)
    assert settings.data_dir == tmp_path / "d"


def test_an_unknown_name_is_refused_with_the_nearest_known_one(tmp_path):
    file = tmp_path / "lingqu.toml"
    file.write_text("prot = 1\n")
    with pytest.raises(UnknownSetting) as refused:
        load_settings({}, file=file)
    assert refused.value.parameters == {"name": "prot", "nearest": "port"}
    with pytest.raises(UnknownSetting) as refused:
        load_settings({"LINGQU_DATABASE_ULR": "postgresql://u:hunter2@h/d"})
    assert refused.value.parameters["nearest"] == "LINGQU_DATABASE_URL"
    assert "hunter2" not in str(refused.value)
    with pytest.raises(UnknownSetting):
        load_settings({}, overrides={"": 1})


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("PORT", "eighty"),
        ("POOL_SIZE", "1"),
        ("POOL_SIZE", "65"),
        ("CHECKPOINT_INTERVAL_MS", "49"),
        ("LANGUAGE", "fr"),
        ("LOG_FORMAT", "xml"),
        ("ORIGIN", "two words"),
        ("ORIGIN", "a+b"),
        ("ORIGIN", "https://host.example"),
        ("BIND", "not a host"),
        ("BIND", "1.2.3"),
        ("BASE_URL", "ftp://x"),
        ("BASE_URL", "http://x:99999"),
        ("BASE_URL", "http://user:pw@x"),
        ("WITNESSES", "key-without-url"),
        ("WORKER_EMBEDDED", "perhaps"),
        ("TIME_ZONE", "Mars/Base"),
        ("TIME_ZONE", "../etc/passwd"),
        ("SECURE_COOKIES", "never"),
    ],
)
def test_a_bad_value_is_refused_with_field_value_and_what_is_allowed(variable, text):
    with pytest.raises(BadSetting) as refused:
        load_settings({f"LINGQU_{variable}": text})
    assert refused.value.parameters["field"] == variable.lower()
    assert refused.value.parameters["given"] == text
    assert refused.value.parameters["allowed"]


def test_a_bad_secret_is_refused_without_being_shown():
    with pytest.raises(BadSetting) as refused:
        load_settings({"LINGQU_DATABASE_URL": "host=x hunter2"})
    assert "hunter2" not in repr(refused.value) + str(refused.value)


def test_repr_hides_secrets():
    settings = load_settings({"LINGQU_DATABASE_URL": "postgresql://u:hunter2@h/d"})
    assert settings.database_url == "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(settings)
    assert "port=8420" in repr(settings)


@pytest.mark.parametrize("field", ["key_file", "key_passphrase_file"])
def test_a_key_inside_the_data_folder_is_refused_also_through_a_link(tmp_path, field):
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    for path in (data / "k", tmp_path / "link" / "deep" / "k", tmp_path / "x" / ".." / "data/k"):
        with pytest.raises(KeyInsideData):
            load_settings({}, overrides={"data_dir": data, field: path})
    settings = load_settings({}, overrides={"data_dir": data, field: tmp_path / "data.key"})
    assert getattr(settings, field) == tmp_path / "data.key"


def test_witnesses_come_as_text_or_list(tmp_path):
    file = tmp_path / "lingqu.toml"
    file.write_text(f'witnesses = ["{WITNESS}", "{WITNESS}2"]\n')
    assert load_settings({}, file=file).witnesses == (WITNESS, WITNESS + "2")
    text = f"{WITNESS},\n {WITNESS}2\n"
    assert load_settings({"LINGQU_WITNESSES": text}).witnesses == (WITNESS, WITNESS + "2")


@pytest.mark.parametrize("content", [b"port = \n", b"\xff\xfe", b"port = 1\nport = 2\n"])
def test_a_broken_file_is_refused(tmp_path, content):
    file = tmp_path / "lingqu.toml"
    file.write_bytes(content)
    with pytest.raises(UnreadableSettingsFile):
        load_settings({}, file=file)
    with pytest.raises(UnreadableSettingsFile):
        load_settings({}, file=tmp_path / "absent.toml")


@given(
    st.sampled_from([field.name for field in dataclasses.fields(Settings)]),
    st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.text()), st.floats()),
)
def test_any_value_is_accepted_or_refused_never_a_traceback(name, value):
    with contextlib.suppress(errors.Rejected):
        assert isinstance(load_settings({}, overrides={name: value}), Settings)


def test_the_reference_lists_every_setting_in_both_languages():
    for language in ("zh-CN", "en"):
        table = reference(language)
        for field in dataclasses.fields(Settings):
            assert f"`{runtime_settings.PREFIX}{field.name.upper()}`" in table
        assert len(table.splitlines()) == len(dataclasses.fields(Settings)) + 2
        assert "33554432" in table


def test_an_issuer_keeps_every_letter_and_lists_are_read_as_lists():
    found = load_settings({
        "LINGQU_OPENID_ISSUER": "https://login.example/realm/",
        "LINGQU_SECOND_FACTOR_ROLES": "administrator, regulator",
        "LINGQU_PROXY_ADDRESSES": "127.0.0.1, 10.0.0.0/8 ::1",
    })  # fmt: skip
    assert found.openid_issuer == "https://login.example/realm/"
    assert found.second_factor_roles == ("administrator", "regulator")
    assert found.proxy_addresses == ("127.0.0.1/32", "10.0.0.0/8", "::1/128")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OPENID_ISSUER", "login.example"),
        ("OPENID_ISSUER", "https://login.example/?x=1"),
        ("OPENID_CLIENT_ID", "a b"),
        ("SECOND_FACTOR_ROLES", "Administrator!"),
        ("PROXY_ADDRESSES", "somewhere"),
        ("PROXY_ADDRESSES", "10.0.0.1/8"),
        ("SIGN_IN_FAILURES_MAX", "0"),
    ],
)
def test_settings_of_signing_in_are_checked(name, text):
    with pytest.raises(BadSetting):
        load_settings({f"LINGQU_{name}": text})


@pytest.mark.parametrize(
    ("text", "mode"), [("x" * 15, 0o600), ("x" * 1001, 0o600), ("y" * 20, 0o644), ("", 0o600)]
)
def test_a_secret_that_is_short_long_or_open_to_others_is_refused(tmp_path, text, mode):
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(UnreadableSecret):
        read_secret(file)
    with pytest.raises(UnreadableSecret):
        read_secret(tmp_path / "missing")


def test_a_secret_is_read_without_its_line_end(tmp_path):
    file = tmp_path / "secret"
    file.write_text("a secret of some length\n")
    file.chmod(0o600)
    assert read_secret(file) == "a secret of some length"
