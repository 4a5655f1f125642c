# SPDX-License-Identifier: Apache-2.0
"""The public log is served as static files that a stranger can verify, and nothing else is."""

import time

import httpx
import pytest

from lingqu_verify import open_source, verify_log


def awaited_log(server):
    until = time.monotonic() + 60
    while True:
        known = httpx.get(f"{server.url}/api/v1/trust/installation").json()["log"]
        if known["size"] and not known["pending"]:
            return known
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_stranger_verifies_the_whole_log_over_http(server):
    known = awaited_log(server)
    report = verify_log(open_source(f"{server.url}/log/{known['number']}"), keys=known["keys"])
    assert report.size >= known["size"] > 5


def test_a_checkpoint_is_fresh_and_tiles_are_kept(server):
    awaited_log(server)
    checkpoint = httpx.get(f"{server.url}/log/1/checkpoint")
    assert checkpoint.headers["cache-control"] == "no-cache"
    assert checkpoint.headers["content-type"].startswith("text/plain")
    size = int(checkpoint.text.splitlines()[1])
    full, rest = divmod(size, 256)
    name = f"{full:03}.p/{rest}" if rest else f"{full - 1:03}"
    tile = httpx.get(f"{server.url}/log/1/tile/entries/{name}")
    assert tile.status_code == 200
    assert "immutable" in tile.headers["cache-control"]
    assert tile.headers["content-type"] == "application/octet-stream"


SAME_AS_THE_CHECKPOINT = ("/log/1/checkpoint/", "/log//1/checkpoint")


@pytest.mark.parametrize(
    "path",
    [
        "/log/", "/log/1", "/log/1/", "/log/1/tile/0", "/log/1/tile/0/999", "/log/2/checkpoint",
        "/log/1/../../data.key", "/log/1/%2e%2e/%2e%2e/keys", "/log/1/..%2f..%2fkeys",
        "/log/1/checkpoint%00", "/log//1/checkpoint", "/log/1/tile/0/000%0a", "/log/1/keys/../x",
        "/log/1/checkpoint/", "/log/%2fetc%2fpasswd", "/log/1/tile/entries/" + "x001/" * 40 + "000",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_log(server, path):
    answer = httpx.get(server.url + path)
    if path in SAME_AS_THE_CHECKPOINT:
        assert answer.text.startswith("lingqu.test/web\n")
    else:
        assert answer.status_code == 404
