"""How property tests run here."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no finding: no example has a deadline, and slow generation is not reported.
settings.register_profile("tawny", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tawny")
