"""What an exported network takes and gives: the names and shapes that the graph and whoever runs it agree on."""

from __future__ import annotations

FEATURES = "features"
"""What the actor sees, as `device_features` gives it: float32, shape (devices, features)."""

LOGITS = "logits"
"""The relaxed decision before the sigmoid: float32, shape (devices,)."""

DEVICES = "devices"
"""Name of the axis of the devices, where their number is free."""
