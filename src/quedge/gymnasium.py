"""quedge's environments for Gymnasium: importing this registers them (docs/gymnasium.md)."""

import typing as _typing

from quedge.environment import register_environments as _register_environments

_register_environments()

from quedge.environment.trained_model import TrainedModel  # noqa: E402 - needs Gymnasium
from quedge.simulation.vector_cells.observation import observe  # noqa: E402

if _typing.TYPE_CHECKING:
    from quedge.environment.stable_baselines import StableBaselinesEnv as StableBaselinesEnv

__all__ = ["TrainedModel", "observe"]


def _loaded(name: str) -> _typing.Any:
    """What needs more than Gymnasium, loaded when it is asked for; it is no part of `__all__`."""
    if name != "StableBaselinesEnv":
        raise AttributeError(f"module 'quedge.gymnasium' has no attribute {name!r}")
    from quedge.errors import check_installed

    check_installed("stable_baselines3", "quedge.gymnasium.StableBaselinesEnv", "Stable-Baselines3", "ppo")
    from quedge.environment.stable_baselines import StableBaselinesEnv

    return StableBaselinesEnv


if not _typing.TYPE_CHECKING:
    __getattr__ = _loaded
