"""Every figure and table of the paper's Section VI, one file each."""

from quedge.experiments.paper import fig3, fig4, fig5, fig6, fig7, fig8, fig9, table2, table3, table4

EXPERIMENTS = tuple(module.EXPERIMENT for module in (fig3, fig4, fig5, fig6, table2, fig7, fig8, table4, fig9, table3))
"""In the paper's order."""
