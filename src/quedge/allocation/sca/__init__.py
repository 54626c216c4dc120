"""Successive convex approximation of the power allocation, with two ways to solve its rounds."""

from quedge.allocation.sca.barrier import BarrierNewton
from quedge.allocation.sca.cvxpy import CvxpyClarabel
from quedge.allocation.sca.sca import NomaSca

__all__ = ["BarrierNewton", "CvxpyClarabel", "NomaSca"]
