# SPDX-License-Identifier: Apache-2.0
"""The log hides secrets and personal data; metrics and readiness say what is."""

import io
import json
import logging
import warnings

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from lingqu.kernel import errors
from lingqu.runtime.observability import (
    METRICS,
    CheckResult,
    Readiness,
    bind,
    configure_logging,
    correlation,
    fine,
    get_logger,
    mask,
    render_metrics,
)


class NotThere(errors.Unavailable):
    code = "tests.observability.not_there"


@pytest.fixture
def stream():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    target = io.StringIO()
    configure_logging("json", "info", stream=target)
    yield target
    root.handlers, level = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_event_fields_and_correlation(stream):
    with bind(correlation="c1"):
        assert correlation() == "c1"
        get_logger("lingqu.test").info("thing.done", count=3)
    assert correlation() == ""
    (line,) = lines(stream)
    assert line["event"] == "thing.done"
    assert (line["count"], line["correlation"], line["level"]) == (3, "c1", "info")
    assert line["logger"] == "lingqu.test"
    assert line["timestamp"].endswith("Z")


def test_secrets_and_personal_fields_are_masked(stream):
    get_logger("t").info(
        "thing.done",
        password="s3cret",
        apiKey="s3cret",
        Authorization="Bearer s3cret",
        nested={"session_token": "s3cret", "items": [{"cookie": "s3cret"}]},
        url="postgresql://lingqu:s3cret@db/x",
        text="set password='s3cret' and token: s3cret",
        email="s3cret",
        real_name="s3cret",
        note="call 13800138000 or s3cret@example.org about 450122199001011234",
        raw=b"s3cret",
        keys=2,
    )
    written = stream.getvalue()
    assert "s3cret" not in written
    assert "13800138000" not in written
    assert "450122199001011234" not in written
    assert lines(stream)[0]["keys"] == 2
    assert "lingqu:[hidden]@db/x" in written


@given(
    st.sampled_from(["password", "X-Api-Key", "clientSecret", "cookie", "phone", "idCard"]),
    st.text(alphabet="qz", min_size=12),
    st.integers(0, 8),
)
def test_a_secret_is_masked_at_any_depth(name, secret, depth):
    value = {name: secret}
    for _ in range(depth):
        value = {"inner": [value]}
    assert secret not in repr(mask(None, "info", value))


def test_the_standard_library_goes_the_same_way(stream):
    logging.getLogger("uvicorn.error").warning("listening with token=%s", "s3cret")
    logging.getLogger("uvicorn.access").info("GET /?secret=s3cret")
    logging.getLogger("litestar").warning("hello")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("old habits", UserWarning, stacklevel=1)
    assert "s3cret" not in stream.getvalue()
    assert [line["logger"] for line in lines(stream)] == [
        "uvicorn.error",
        "litestar",
        "py.warnings",
    ]


@pytest.mark.parametrize("logger", [get_logger("t"), logging.getLogger("foreign")])
def test_an_exception_is_shown_by_type_and_place_without_secrets(stream, logger):
    try:
        int("password=s3cret")
    except ValueError:
        logger.exception("thing.failed")
    (line,) = lines(stream)
    assert line["error"].startswith("ValueError: invalid literal")
    assert any("test_an_exception_is_shown" in place for place in line["trace"])
    assert "s3cret" not in stream.getvalue()


def test_the_console_form_is_readable(stream):
    configure_logging("console", "warning", stream=stream)
    get_logger("t").info("unseen")
    get_logger("t").warning("thing.done", name="名称")
    assert "unseen" not in stream.getvalue()
    assert "thing.done" in stream.getvalue()
    assert "名称" in stream.getvalue()


def test_metrics_are_exported_and_count():
    METRICS.commands_total.labels(name="tests.x", outcome="done").inc()
    METRICS.log_size.set(7)
    families = {family.name: family for family in text_string_to_metric_families(
        render_metrics().decode()
    )}  # fmt: skip
    for name in (
        "commands", "command_seconds", "facts", "log_size", "log_pending",
        "log_checkpoint_age_seconds", "log_witnessed", "http_requests", "http_seconds", "jobs",
        "refusals",
    ):  # fmt: skip
        assert f"lingqu_{name}" in families
    assert families["lingqu_log_size"].samples[0].value == 7


def test_readiness_names_what_is_wrong_and_never_raises(stream):
    def absent():
        raise NotThere(place="x")

    def broken():
        return 1 / 0

    readiness = Readiness()
    assert readiness.ready().ok
    readiness.add("fine", fine, vital=True)
    readiness.add("absent", absent)
    readiness.add("broken", broken)
    report = readiness.ready()
    assert not report.ok
    assert readiness.live().ok
    results = dict(report.results)
    assert results["fine"].ok
    assert results["absent"] == CheckResult(
        ok=False, code="tests.observability.not_there", parameters={"place": "x"}
    )
    assert results["broken"].code == "runtime.readiness.check_failed"
    assert lines(stream)[0]["check"] == "broken"
