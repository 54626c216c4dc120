"""Successive convex approximation of the power allocation, with three ways to solve its rounds."""

from quedge.allocation.noma_sca.barrier import BarrierNewton
from quedge.allocation.noma_sca.clarabel_direct import DirectClarabel
from quedge.allocation.noma_sca.cvxpy_clarabel import CvxpyClarabel
from quedge.allocation.noma_sca.sca import NomaSca

__all__ = ["BarrierNewton", "CvxpyClarabel", "DirectClarabel", "NomaSca"]
