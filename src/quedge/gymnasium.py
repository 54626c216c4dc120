"""quedge's environments for Gymnasium: importing this registers them (docs/gymnasium.md)."""

from quedge.environment import register_environments as _register_environments

__all__: list[str] = []

_register_environments()
