"""The queues of a cell as its answers tell them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import Answer
from quedge.controller.books import Books


class QueuesSeen:
    """Both queues of every device; a device that was not in a frame keeps what was last seen of it.

    Attributes:
        data_queue_mbit: data queues (Mbit), shape (devices,).
        energy_queue: virtual energy queues, shape (devices,).
    """

    def __init__(self, books: Books) -> None:
        self.data_queue_mbit: NDArray[np.float64] = books.data_queue_mbit
        self.energy_queue: NDArray[np.float64] = books.energy_queue

    def take(self, answer: Answer) -> None:
        """See a frame. The answer's arrays are kept, never changed."""
        if answer.devices.size == self.data_queue_mbit.size:
            self.data_queue_mbit, self.energy_queue = answer.data_queue_mbit, answer.energy_queue
            return
        self.data_queue_mbit, self.energy_queue = self.data_queue_mbit.copy(), self.energy_queue.copy()
        self.data_queue_mbit[answer.devices] = answer.data_queue_mbit
        self.energy_queue[answer.devices] = answer.energy_queue
