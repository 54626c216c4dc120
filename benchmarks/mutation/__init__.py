"""Mutants of model, exact policy and controller, and which of them the tests notice."""
