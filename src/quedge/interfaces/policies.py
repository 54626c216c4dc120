"""The policies by the names that the command line gives them."""

from __future__ import annotations

from quedge.policy.baselines import AllLocal, AllOffload, BestPair, BestSingle, Random
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy

POLICIES: dict[str, Policy] = {
    "exact": Exact(),
    "best-pair": BestPair(),
    "best-single": BestSingle(),
    "all-local": AllLocal(),
    "all-offload": AllOffload(),
    "random": Random(),
}


def policies_by_name(names: list[str]) -> dict[str, Policy]:
    """Policies in the order in which they were asked for; the exact one where none was.

    Raises:
        ValueError: a name that is unknown or stands there twice.
    """
    for position, name in enumerate(names):
        if name not in POLICIES:
            raise ValueError(f"--policy: {name[:60]!r} is not allowed; it must be one of {', '.join(POLICIES)}")
        if name in names[:position]:
            raise ValueError(f"--policy: {name!r} is given twice; once is allowed")
    return {name: POLICIES[name] for name in names or ["exact"]}
