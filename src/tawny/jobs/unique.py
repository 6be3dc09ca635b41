"""What tells the runs of one job type and project apart: a hash of the params that `unique_by` names. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from tawny.errors import InvalidRequest
from tawny.jobs.job import Job


def unique_key(job: Job, checked: Mapping[str, Any]) -> str | None:
    """Return the slot among the job type's runs of a project that these params ask for; None when there is only one.

    `checked` is what `job.params.check` returned: as the handler gets them, `"5"` and `5` are the same value, and so are a
    default that was sent and one that was not. InvalidRequest for a value that JSON cannot write.
    """
    if not job.unique_by:
        return None
    values = {name: _ordered(checked[name]) for name in job.unique_by}
    try:
        canonical = json.dumps(to_jsonable_python(values), sort_keys=True)
    except ValueError:
        raise InvalidRequest("The params cannot be told apart by this job type's own rules.", code="invalid_params") from None
    return hashlib.sha256(canonical.encode()).hexdigest()


def _ordered(value: Any) -> Any:
    """The value with every set as a sorted list: a set has another order in each process."""
    if isinstance(value, set | frozenset):
        return sorted(map(_ordered, value), key=repr)
    if isinstance(value, list | tuple):
        return [_ordered(inner) for inner in value]
    return {name: _ordered(inner) for name, inner in value.items()} if isinstance(value, dict) else value
