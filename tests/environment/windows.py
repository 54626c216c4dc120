"""A backend of Matplotlib's whose windows nobody sees: it counts what is shown."""

from __future__ import annotations

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

shown: list[float] = []
"""For how long windows were kept up to date, one entry each time (s)."""


class FigureManager(FigureManagerBase):
    """Keeps a window that is not there."""

    def show(self) -> None:
        """Nothing to open."""


class FigureCanvas(FigureCanvasAgg):
    """What is drawn in it."""

    required_interactive_framework = "headless"
    manager_class = FigureManager

    def start_event_loop(self, timeout: float = 0.0) -> None:
        """Count instead of waiting."""
        shown.append(timeout)
