"""Independent cells stepped together by actions from outside, as for reinforcement learning (docs/gymnasium.md)."""
