"""Say which parameter does not fit and why, without repeating what was sent."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from tawny.errors import InvalidRequest
from tawny.jobs.text import clean_text


def misfit(problems: dict[str, str]) -> InvalidRequest:
    """The refusal of params, from why each parameter does not fit."""
    sentence = "; ".join(f"the parameter `{name}` {reason}" for name, reason in problems.items())
    ending = "" if sentence.endswith("?") else "."
    return InvalidRequest(sentence[:1].upper() + sentence[1:] + ending, code="invalid_params", params=problems)


def why(detail: ErrorDetails) -> str:
    """Pydantic's reason as the end of a sentence, without the parts that repeat what was sent."""
    kind, place = detail["type"], _place(detail)
    if kind == "missing":
        return f"is required{place}"
    if kind == "int_parsing_size":
        return f"should be a smaller integer{place}"
    if kind == "union_tag_invalid":
        return f"has an unknown tag{place}; expected {detail['ctx']['expected_tags']}"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").removeprefix("Input ")
    if kind.endswith("_parsing"):
        text = text.partition(",")[0]
    return clean_text(text[:1].lower() + text[1:], 300).rstrip(".") + place


def _place(detail: ErrorDetails) -> str:
    """Where inside the parameter: ` (in rows.3.at)`. Names of a union's members read well enough there."""
    inner = ".".join(str(step) for step in detail["loc"])
    return f" (in {clean_text(inner, 200)})" if len(detail["loc"]) > 1 else ""
