"""Environments for Gymnasium (docs/gymnasium.md)."""

from __future__ import annotations

from quedge.errors import check_installed
from quedge.simulation.vector_cells.action import Actions

IDS = {"quedge/Offloading-v0": Actions.OFFLOAD, "quedge/OffloadingPowers-v0": Actions.POWERS}
"""What an action decides, by the name of the environment."""


def register_environments() -> None:
    """Register the environments with Gymnasium, unless they are registered already.

    Raises:
        MissingExtraError: Gymnasium is not installed.
    """
    check_installed("gymnasium", "quedge.gymnasium", "Gymnasium", "gym")
    import gymnasium

    for name, actions in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point="quedge.environment.offloading:OffloadingEnv",
                vector_entry_point="quedge.environment.vector:OffloadingVectorEnv",
                kwargs={"actions": str(actions)},
            )
