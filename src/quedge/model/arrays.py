"""What kernels do with whole arrays, as loops: what NumPy has for it takes seconds to compile."""

from __future__ import annotations

from typing import Any

import numpy as np

from quedge.model.kernels import Floats, Ints, inner_kernel, kernel

_INSERTED = 48  # the longest that is sorted by insertion, faster for the usual handful of devices


@inner_kernel
def copy_into(target: Any, values: Any) -> None:
    """Overwrite a vector by another one of the same size."""
    for i in range(values.size):
        target[i] = values[i]


@inner_kernel
def total_of(values: Floats) -> float:
    """The sum of a vector from its first number on: NumPy's own adds in another order."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@kernel
def fill_ascending_order(values: Floats, order: Ints) -> None:
    """Fill in the places of numbers from the smallest to the largest; equal ones keep their order."""
    n = values.size
    if n > _INSERTED:
        _merge_sort(values, order)
        return
    for place in range(n):
        j = place
        while j > 0 and values[order[j - 1]] > values[place]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = place


@kernel
def _merge_sort(values: Floats, order: Ints) -> None:
    n = values.size
    merged = np.empty(n, np.int64)
    for place in range(n):
        order[place] = place
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle, end = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for k in range(start, end):
                if right >= end or (left < middle and values[order[left]] <= values[order[right]]):
                    merged[k] = order[left]
                    left += 1
                else:
                    merged[k] = order[right]
                    right += 1
        copy_into(order, merged)
        width *= 2


@kernel
def ascending_order(values: Floats) -> Ints:
    """As `fill_ascending_order`, in an array of its own."""
    order = np.empty(values.size, np.int64)
    fill_ascending_order(values, order)
    return order
