"""The author's app is found by `module:attribute`, and what keeps it from being found is said in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tawny import Tawny
from tawny.errors import StartError
from tawny.jobs import load_app

GOOD = """
from tawny import Run, Tawny
app = Tawny()

@app.job("export")
def export(run: Run, month: str) -> None: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, an empty one; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal_of(address: str) -> str:
    with pytest.raises(StartError) as refusal:
        load_app(address)
    return str(refusal.value)


def test_an_app_in_the_current_folder_is_found(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "shop_jobs.py").write_text(GOOD)
    assert list(load_app("shop_jobs:app").jobs) == ["export"]
    assert capfd.readouterr() == ("", "")


def test_an_app_in_a_package_and_inside_an_object_is_found(folder: Path) -> None:
    (folder / "shop").mkdir()
    (folder / "shop" / "jobs.py").write_text(GOOD + "class All:\n    inner = app\n")
    assert isinstance(load_app("shop.jobs:All.inner"), Tawny)


def test_the_demo_is_there() -> None:
    assert {"code_census", "self_check"} <= set(load_app("tawny.demo:app").jobs)


@pytest.mark.parametrize(
    "address", ["", "app", "shop:", ":app", "shop/jobs.py:app", "shop:app:more", "shop.:app", "a b:c", "x:1"]
)
def test_an_address_of_another_form_is_refused(address: str) -> None:
    assert refusal_of(address) == f'The app "{address}" must be written module:attribute, such as shop.jobs:app.'


def test_a_module_that_is_not_there_is_named_with_where_it_was_looked_for(folder: Path) -> None:
    sentence = refusal_of("nowhere_at_all.jobs:app")
    assert sentence == f'The module "nowhere_at_all" of the app was not found in {folder} or among the packages.'


def test_a_module_that_imports_what_is_not_there_is_the_authors_to_mend(folder: Path) -> None:
    (folder / "shop_jobs.py").write_text("\nimport nowhere_at_all\n")
    first, *traceback = refusal_of("shop_jobs:app").splitlines()
    assert first == (
        'The module "shop_jobs" of the app cannot be imported: '
        f"ModuleNotFoundError: No module named 'nowhere_at_all' ({folder}/shop_jobs.py, line 2)."
    )
    assert traceback[-1].strip() == "import nowhere_at_all"


def test_a_module_that_raises_shows_the_authors_own_lines_and_no_others(folder: Path) -> None:
    (folder / "settings_of_shop.py").write_text("def load():\n    raise KeyError('DSN')\n")
    (folder / "shop_jobs.py").write_text("import settings_of_shop\nsettings_of_shop.load()\n")
    first, *traceback = refusal_of("shop_jobs:app").splitlines()
    assert first.endswith(f"KeyError: 'DSN' ({folder}/settings_of_shop.py, line 2).")
    assert [line.split(",")[0] for line in traceback if "File" in line] == [
        f'  File "{folder}/shop_jobs.py"',
        f'  File "{folder}/settings_of_shop.py"',
    ]


def test_a_module_that_exits_is_refused(folder: Path) -> None:
    (folder / "shop_jobs.py").write_text("import sys\nsys.exit('no DSN')\n")
    assert "SystemExit: no DSN" in refusal_of("shop_jobs:app")


def test_a_syntax_error_is_placed_in_one_sentence(folder: Path) -> None:
    (folder / "shop_jobs.py").write_text("app = Tawny(\n")
    assert refusal_of("shop_jobs:app") == (
        "The module \"shop_jobs\" of the app has a syntax error: '(' was never closed (shop_jobs.py, line 1)."
    )


def test_a_wrong_definition_is_one_sentence_and_its_place(folder: Path) -> None:
    (folder / "shop_jobs.py").write_text(GOOD.replace("month: str", "*months"))
    assert refusal_of("shop_jobs:app") == (
        'Job type "export": its handler takes `*months`; params have names, so declare each one or use `**params` '
        f"({folder}/shop_jobs.py, line 5)."
    )


def test_an_attribute_that_is_not_there_is_refused_with_what_is(folder: Path) -> None:
    (folder / "shop_jobs.py").write_text(GOOD)
    assert refusal_of("shop_jobs:jobs") == 'The module "shop_jobs" has no "jobs"; it has shop_jobs:app.'


def test_a_module_without_an_app_says_what_to_write(folder: Path) -> None:
    (folder / "shop_jobs.py").write_text("")
    assert refusal_of("shop_jobs:app") == 'The module "shop_jobs" has no "app"; write app = Tawny() there.'


def test_what_is_not_an_app_is_refused(folder: Path) -> None:
    (folder / "shop_jobs.py").write_text("app = dict()\n")
    assert refusal_of("shop_jobs:app") == '"shop_jobs:app" is a dict, not a Tawny; write app = Tawny() there.'
