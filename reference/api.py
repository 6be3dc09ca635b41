"""The page of what authors import, from signatures and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import tawny
from reference import markdown

_INTRODUCTION = "What `from tawny import …` offers to the author of a job."


def page() -> str:
    names = [name for name in tawny.__all__ if inspect.isclass(getattr(tawny, name))]
    return markdown.page("The Python API", _INTRODUCTION, *[part for name in names for part in _class(getattr(tawny, name))])


def _class(shown: type[Any]) -> Iterator[str]:
    yield f"## `{shown.__name__}`"
    yield _fenced(f"class {shown.__name__}{_made_from(shown)}")
    yield inspect.getdoc(shown) or ""
    for name, member in _members(shown):
        yield from _member(shown.__name__, name, member)


def _made_from(shown: type[Any]) -> str:
    """What it is called with; of an error that only has a message, what it is one of."""
    if issubclass(shown, BaseException) and "__init__" not in vars(shown):
        return f"({shown.__base__.__name__})"
    return _signature(shown).removesuffix(" -> None")


def _members(shown: type[Any]) -> Iterator[tuple[str, Any]]:
    """Its public members, also those of our own bases, in the order of their definition."""
    seen: set[str] = set()
    for owner in shown.__mro__:
        if not owner.__module__.startswith("tawny"):
            continue
        for name, member in vars(owner).items():
            if not name.startswith("_") and name not in seen and _is_shown(member):
                seen.add(name)
                yield name, member


def _is_shown(member: Any) -> bool:
    return isinstance(member, property) or inspect.isfunction(member)


def _member(owner: str, name: str, member: Any) -> Iterator[str]:
    yield f"### `{owner}.{name}`"
    if isinstance(member, property):
        yield _fenced(f"{name}: {_annotation(inspect.signature(member.fget).return_annotation)}")
    else:
        begin = "async def" if inspect.iscoroutinefunction(member) else "def"
        yield _fenced(f"{begin} {name}{_signature(member)}")
    text = inspect.getdoc(member)
    if text:
        yield text


def _signature(callable_: Any) -> str:
    signature = inspect.signature(callable_)
    parameters = [
        parameter.replace(annotation=_Plain(_annotation(parameter.annotation)))
        if parameter.annotation is not inspect.Parameter.empty
        else parameter
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    returned = signature.return_annotation
    if returned is not inspect.Signature.empty:
        returned = _Plain(_annotation(returned))
    return str(signature.replace(parameters=parameters, return_annotation=returned))


class _Plain:
    """An annotation that `inspect` writes as it stands in the code, without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _fenced(text: str) -> str:
    return f"```python\n{text}\n```"
