"""The page of settings."""

from __future__ import annotations

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from reference import markdown
from reference.markdown import code, table
from tawny.config import FILE, PREFIX, Settings

_INTRODUCTION = f"""\
Each can be set in the environment or, in lower case and without `{PREFIX}`, in `{FILE}` in the current folder. The environment
wins over the file, and an option of the command line over both. `tawny check` shows what is set, and where."""


def page() -> str:
    rows = [
        (code(PREFIX + name.upper()), _default(field), field.description or "") for name, field in Settings.model_fields.items()
    ]
    return markdown.page("Settings", _INTRODUCTION, table(("setting", "unless set", "what it is"), rows))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "–"
    if isinstance(field.default, bool):
        return code("on" if field.default else "off")
    return code(f"{field.default:g}s" if isinstance(field.default, float) else field.default)
