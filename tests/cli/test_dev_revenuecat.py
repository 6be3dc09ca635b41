"""`tawny dev-revenuecat`: a process that is RevenueCat until Ctrl-C."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from tests.commands import Serving, tawny


@pytest.mark.walk
def test_it_serves_what_it_says_until_ctrl_c(tmp_path: Path) -> None:
    knobs = ("--latency", "0ms", "--fault", "locked:1@aliases", "--page-cap", "20", "--next-page", "absolute")
    with Serving(tmp_path, "--customers", "50", "--port", "0", *knobs, command="dev-revenuecat") as fake:
        fake.wait_for("Ctrl-C stops it.")
        url, key = said(r"listens on (\S+)$", fake.out), said(r"^  (sk_\w+)$", fake.out)
        assert f"TAWNY_REVENUECAT_URL={url} tawny serve" in fake.out
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as http:
            project = http.get("/projects").json()["items"][0]["id"]
            customers = http.get(f"/projects/{project}/customers", params={"limit": 100}).json()
            assert len(customers["items"]) == 20
            assert customers["next_page"].startswith(url)
            assert http.get(f"/projects/{project}/customers/user-0/aliases").status_code == 423
            assert http.get("/projects", headers={"Authorization": "Bearer sk_wrong"}).status_code == 401
        fake.press_ctrl_c()
        assert fake.ended() == 0
        assert fake.out.endswith("Answered 4 requests, 0 of them with 429.\n")
        assert fake.err == ""


def said(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return found[1]


@pytest.mark.walk
def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with Serving(tmp_path, "--port", "0", command="dev-revenuecat") as fake:
        port = said(r":(\d+)/v2$", fake.wait_for("Ctrl-C stops it.").out)
        refused = tawny(tmp_path, "dev-revenuecat", "--port", port)
        fake.press_ctrl_c()
        assert fake.ended() == 0
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"tawny: Cannot listen on 127.0.0.1, port {port}: ")
    assert refused.stderr.count("\n") == 1
