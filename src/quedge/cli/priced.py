"""Policies that `quedge run` can name only once the scenario is known: they need the prices of its largest load."""

from __future__ import annotations

from collections.abc import Sequence

from quedge.cli.compiling import explained_pause
from quedge.model.scenario import Scenario
from quedge.policy.policy import Policy
from quedge.policy.static import PlaceHolder, Static
from quedge.simulation.processes import ChannelProcess

_KINDS: dict[str, type[Static] | type[PlaceHolder]] = {"static": Static, "place-holder": PlaceHolder}

PRICED = ", ".join(_KINDS)
"""Their names, in words."""


def priced_policies(names: Sequence[str], scenario: Scenario, channel: ChannelProcess | None) -> dict[str, Policy]:
    """Those of the named policies that need prices, by name; the prices are found where there is one.

    Args:
        names: of all policies.
        scenario: the cell.
        channel: where channel gains come from; by default the scenario's fading.

    Raises:
        ValueError: as `capacity`.
        MissingExtraError: what finds the prices is not installed.
    """
    named = [name for name in names if name in _KINDS]
    if not named:
        return {}
    from quedge.region.capacity import capacity

    with explained_pause():
        found = capacity(scenario, channel=channel)
    prices = tuple(found.rate_price.tolist()), tuple(found.power_price.tolist())
    return {name: _KINDS[name](*prices) for name in named}
