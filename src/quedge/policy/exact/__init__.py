"""The exact optimum of a frame."""

from quedge.policy.exact.exact import Exact, exact_objectives

__all__ = ["Exact", "exact_objectives"]
