"""The environments under the names by which Gymnasium makes them."""

from __future__ import annotations

from quedge.model.extras import check_installed
from quedge.simulation.side_by_side.action import Actions

IDS = {"quedge/Offloading-v0": Actions.OFFLOAD, "quedge/OffloadingPowers-v0": Actions.POWERS}
"""What an action decides, by the name of the environment."""


def register_environments() -> None:
    """Register them; those that are registered already are left as they are.

    Raises:
        MissingExtraError: Gymnasium is not installed.
    """
    check_installed("gymnasium", "quedge.gymnasium", "Gymnasium", "gym")
    import gymnasium

    for name, actions in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point="quedge.interfaces.environment.single:OffloadingEnv",
                vector_entry_point="quedge.interfaces.environment.vector:OffloadingVectorEnv",
                kwargs={"actions": str(actions)},
            )
