"""An actor's network as an ONNX graph: built from what was learned, and run without PyTorch (docs/onnx.md)."""

FEATURES = "features"
"""What the actor sees, as `device_features` gives it: float32, shape (devices, features)."""

LOGITS = "logits"
"""The relaxed decision before the sigmoid: float32, shape (devices,)."""

DEVICES = "devices"
"""Name of the axis of the devices, where their number is free."""
