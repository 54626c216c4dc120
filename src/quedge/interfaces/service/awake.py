"""Processors that do not sleep while the service waits for its next report."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

LATENCY_DEVICE = Path("/dev/cpu_dma_latency")
"""Linux's: whoever holds it open says how long processors may take to wake up (µs, 32 bits)."""


def kept_awake(device: Path = LATENCY_DEVICE) -> IO[bytes]:
    """Let processors wait for work without sleeping, so that a frame begins sooner, for more power.

    Args:
        device: Linux's latency device.

    Returns:
        The device, held open: they may sleep again once it is closed, or the process has ended.

    Raises:
        ValueError: it is not there, or may not be written; the message names the option.

    Source: Linux kernel documentation, "PM Quality Of Service Interface".
    """
    held = None
    try:
        held = device.open("r+b", buffering=0)  # never made where it is not there
        held.write(struct.pack("=i", 0))
    except OSError as error:
        if held is not None:
            held.close()
        raise ValueError(
            f"--keep-awake: {device}: {error.strerror}; it must be there (on Linux it is) and allowed to be written"
        ) from None
    return held
