"""Write every page anew."""

from pathlib import Path

from reference import PAGES

FOLDER = Path(__file__).parents[1] / "docs" / "reference"

for name, page in PAGES.items():
    (FOLDER / name).write_text(page())
