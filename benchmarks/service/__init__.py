"""Benchmarks of the controller service, and what its tests run in a small size."""
