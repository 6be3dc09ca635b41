"""Find the author's app."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from tawny.errors import DefinitionError, StartError
from tawny.jobs.app import App

_ADDRESS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def load_app(address: str) -> App:
    """Import `module:attribute` and return the app there. The current folder is importable.

    StartError says what is wrong: the form, the module, the attribute, or what the author's module raised, with its traceback.
    """
    if not _ADDRESS.fullmatch(address):
        raise StartError(f'The app "{address}" must be written module:attribute, such as shop.jobs:app.')
    module_name, _, attribute = address.partition(":")
    module = _import(module_name)
    app = _attribute(module, attribute)
    if not isinstance(app, App):
        raise StartError(f'"{address}" is a {type(app).__name__}, not a Tawny; write app = Tawny() there.')
    return app


def _import(name: str) -> ModuleType:
    _make_current_folder_importable()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise StartError(
                f'The module "{error.name}" of the app was not found in {Path.cwd()} or among the packages.'
            ) from None
        raise StartError(_failure(name, error)) from error
    except (Exception, SystemExit) as error:
        raise StartError(_failure(name, error)) from error


def _make_current_folder_importable() -> None:
    folder = str(Path.cwd())
    if not {"", folder} & set(sys.path):
        sys.path.insert(0, folder)
    importlib.invalidate_caches()


def _attribute(module: ModuleType, path: str) -> Any:
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            raise StartError(f'The module "{module.__name__}" has no "{path}"{_instead(module)}.')
        found = getattr(found, name)
    return found


def _instead(module: ModuleType) -> str:
    apps = [f"{module.__name__}:{name}" for name, value in vars(module).items() if isinstance(value, App)]
    return f"; it has {' and '.join(apps)}" if apps else "; write app = Tawny() there"


def _failure(name: str, error: BaseException) -> str:
    frames = _authors_frames(error)
    if isinstance(error, SyntaxError):
        return f'The module "{name}" of the app has a syntax error: {error}.'
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    if isinstance(error, DefinitionError):
        return f"{str(error).rstrip('.')}{place}."
    sentence = f'The module "{name}" of the app cannot be imported: {_last_line(error)}{place}.'
    return "\n".join([sentence, *(line.rstrip() for line in traceback.format_list(frames))])


def _authors_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The traceback without the machinery that imported the module and the library that refused its definition."""
    ours = str(Path(__file__).parent)
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith((ours, "<frozen importlib", importlib.__file__ or ours))]


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip().rstrip(".")
