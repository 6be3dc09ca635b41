"""Requests as texts."""

from __future__ import annotations

import json


def get(path: str, key: str) -> str:
    return f"GET {path} HTTP/1.1\r\n{_headers(key)}\r\n"


def post(path: str, key: str, body: dict[str, object]) -> str:
    text = json.dumps(body)
    return f"POST {path} HTTP/1.1\r\n{_headers(key)}content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n{text}"


def _headers(key: str) -> str:
    return f"host: 127.0.0.1\r\nuser-agent: tawny-bench\r\naccept: */*\r\nauthorization: Bearer {key}\r\n"
