"""Cells side by side, stepped by actions from outside: what reinforcement learning sees (docs/gymnasium.md)."""
