"""Time division: the offloaders transmit one after the other, and share out the frame among them at its best."""

from quedge.allocation.tdma.tdma import Tdma

__all__ = ["Tdma"]
