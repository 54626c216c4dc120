"""A cell as an environment of Gymnasium's, and many of them as one (docs/gymnasium.md)."""
