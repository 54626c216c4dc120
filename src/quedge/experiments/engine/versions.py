"""Which libraries compute."""

from __future__ import annotations

import contextlib
import functools
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = ("quedge", "numpy", "numba", "scipy", "torch", "cvxpy", "clarabel", "gymnasium", "stable-baselines3")


@functools.cache
def versions() -> Mapping[str, str]:
    """Versions of what computes here, as far as it is installed."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[library] = version(library)
    return found


def common_versions(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Versions of each library; where they differ, all of them."""
    seen: dict[str, set[str]] = {}
    for each in several:
        for library, number in each.items():
            seen.setdefault(library, set()).add(number)
    return {library: " and ".join(sorted(found)) for library, found in seen.items()}
