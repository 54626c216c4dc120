"""An actor's network as an ONNX graph: built from what was learned, and run without PyTorch (docs/onnx.md)."""
