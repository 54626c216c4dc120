"""Every figure and table of the paper's Section VI."""

from quedge.experiments.paper import fig3, fig7
from quedge.experiments.paper.allocation_times import FIG6, TABLE2
from quedge.experiments.paper.arrivals import FIG4, FIG5
from quedge.experiments.paper.weights import FIG8, FIG9, TABLE3, TABLE4

EXPERIMENTS = (fig3.EXPERIMENT, FIG4, FIG5, FIG6, TABLE2, fig7.EXPERIMENT, FIG8, TABLE4, FIG9, TABLE3)
"""In the paper's order."""
