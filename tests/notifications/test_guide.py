"""What the guide tells receivers to do lets in what is ours, and nothing else."""

from __future__ import annotations

import base64
import hmac
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tawny.notifications.sign import new_secret, signature

GUIDE = Path(__file__).parents[2] / "docs/guides/notifications.md"
LANGUAGES = {"Python", "JavaScript", "Ruby", "PHP", "Go"}
ROW = re.compile(r"^\| (\w+) \| (`.*`) \|$", re.MULTILINE)

ID, AT, BODY = "b7c1", 1_772_600_767, '{"type":"run.failed","é":1}'.encode()
OURS, OLD = new_secret(), new_secret()


def lines_for() -> dict[str, list[str]]:
    """The lines of code by language, as they stand in the table."""
    rows = {language: cell for language, cell in ROW.findall(GUIDE.read_text()) if language in LANGUAGES}
    return {language: [line.strip().strip("`") for line in cell.split("<br>")] for language, cell in rows.items()}


def sign(secret: str, message_id: str = ID, at: int = AT, body: bytes = BODY) -> str:
    return signature(secret, message_id, at, body)


HEADERS = {
    "ours": (sign(OURS), True),
    "ours, then another": (f"{sign(OURS)} {sign(OLD)}", True),
    "another, then ours": (f"{sign(OLD)} {sign(OURS)}", True),
    "another": (sign(OLD), False),
    "of another message": (sign(OURS, message_id="b7c2"), False),
    "of another time": (sign(OURS, at=AT + 1), False),
    "of another body": (sign(OURS, body=BODY + b" "), False),
    "without its version": (sign(OURS).removeprefix("v1,"), False),
    "cut short": (sign(OURS)[:-1], False),
    "not ASCII": ("v1," + "é" * 44, False),
    "nothing": ("", False),
}
GOT, OK = json.dumps([got for got, _ in HEADERS.values()]), [ok for _, ok in HEADERS.values()]
KEY = base64.b64decode(OURS.removeprefix("whsec_"))
SIGNED = f"{ID}.{AT}.".encode() + BODY


def test_it_is_told_in_five_languages_in_two_lines_each() -> None:
    told = lines_for()
    assert told.keys() == LANGUAGES
    assert {language: len(lines) for language, lines in told.items()} == dict.fromkeys(LANGUAGES, 2)


@pytest.mark.parametrize(("got", "ok"), HEADERS.values(), ids=HEADERS)
def test_a_receiver_in_python_takes_what_is_ours(got: str, ok: bool) -> None:
    scope = {"base64": base64, "hmac": hmac, "key": KEY, "signed": SIGNED, "got": got.encode("latin-1")}
    exec("\n".join(lines_for()["Python"]), scope)
    assert scope["ok"] is ok


def in_javascript(lines: list[str], folder: Path) -> list[str]:
    script = f"""
        const {{ createHmac, timingSafeEqual }} = require("node:crypto")
        const key = Buffer.from("{KEY.hex()}", "hex"), signed = Buffer.from("{SIGNED.hex()}", "hex")
        const answer = got => {{ {"; ".join(lines)}; return ok }}
        console.log(JSON.stringify({GOT}.map(answer)))
    """
    return ["node", "-e", script]


def in_ruby(lines: list[str], folder: Path) -> list[str]:
    script = f"""
        require "json"; require "openssl"; require "base64"
        key, signed = ["{KEY.hex()}"].pack("H*"), ["{SIGNED.hex()}"].pack("H*")
        puts JSON.generate(JSON.parse('{GOT}').map {{ |got| {"; ".join(lines)}; ok }})
    """
    return ["ruby", "-e", script]


def in_php(lines: list[str], folder: Path) -> list[str]:
    script = f"""
        $key = hex2bin("{KEY.hex()}"); $signed = hex2bin("{SIGNED.hex()}");
        $answer = function($got) use ($key, $signed) {{ {" ".join(lines)} return $ok; }};
        echo json_encode(array_map($answer, json_decode('{GOT}')));
    """
    return ["php", "-r", script]


def in_go(lines: list[str], folder: Path) -> list[str]:
    script = f"""
        package main
        import ("bytes"; "crypto/hmac"; "crypto/sha256"; "encoding/base64"; "encoding/hex"; "encoding/json"; "fmt")
        func answer(key, signed, got []byte) bool {{
            {lines[0]}
            {lines[1]}
            return ok
        }}
        func main() {{
            key, _ := hex.DecodeString("{KEY.hex()}")
            signed, _ := hex.DecodeString("{SIGNED.hex()}")
            var headers []string
            json.Unmarshal([]byte(`{GOT}`), &headers)
            answers := []bool{{}}
            for _, got := range headers {{ answers = append(answers, answer(key, signed, []byte(got))) }}
            said, _ := json.Marshal(answers)
            fmt.Println(string(said))
        }}
    """
    (folder / "main.go").write_text(script)
    return ["go", "run", str(folder / "main.go")]


PROGRAMS = {"JavaScript": ("node", in_javascript), "Ruby": ("ruby", in_ruby), "PHP": ("php", in_php), "Go": ("go", in_go)}


@pytest.mark.slow
@pytest.mark.parametrize("language", PROGRAMS)
def test_a_receiver_in_another_language_does_too(language: str, tmp_path: Path) -> None:
    """Where this machine has the language."""
    program, command = PROGRAMS[language]
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    lines = [line.replace("\\|", "|") for line in lines_for()[language]]
    done = subprocess.run(command(lines, tmp_path), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == OK
