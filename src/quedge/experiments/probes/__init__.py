"""Probes: what can be measured in a job."""
