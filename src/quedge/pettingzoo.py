"""quedge's environment for PettingZoo, in which every device is an agent (docs/gymnasium.md)."""

from quedge.errors import check_installed as _check_installed

_check_installed("pettingzoo", "quedge.pettingzoo", "PettingZoo", "pettingzoo")

from quedge.environment.agents import DevicesEnv  # noqa: E402 - needs PettingZoo

parallel_env = DevicesEnv

__all__ = ["DevicesEnv", "parallel_env"]
