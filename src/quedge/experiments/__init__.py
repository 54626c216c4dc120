"""Experiments, how they are run and how they are drawn."""
