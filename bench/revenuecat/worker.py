"""`tawny work` on the scaled clock: what its pace measures in seconds is a tenth of that."""

from __future__ import annotations

from bench.revenuecat.options import SCALE
from tawny.cli import main
from tawny.integrations import pace

if __name__ == "__main__":
    pace.AHEAD /= SCALE  # type: ignore[misc]  # settled for good everywhere else
    main()
