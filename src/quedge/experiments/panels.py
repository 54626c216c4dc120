"""The measures that figures and tables show, worded once."""

from __future__ import annotations

from quedge.experiments.presentation import HIGHER, LOWER, Column, Level, Panel
from quedge.model.scenario import Scenario

BUDGET = Level(float(Scenario().per_device("power_budget_w").mean()), "budget")

QUEUE = Panel("data_queue_mbit", "data queue (Mbit)", "queue")
ENERGY_QUEUE = Panel("energy_queue", "energy queue", "queue")
POWER = Panel("power_w", "power (W)", "close", BUDGET)
REWARD = Panel("reward", "reward, objective (17)", "close")
RATE = Panel("weighted_rate_mbps", "weighted rate (Mbit/s)", "close")
OFFLOAD_RATIO = Panel("offload_ratio", "offloading ratio", "close")
DELAY = Panel("delay_frames", "mean delay (frames)", "queue")
DELAY_P95 = Panel("delay_p95_frames", "delay, 95 % (frames)", "queue")
OBJECTIVE_RATIO = Panel("objective_ratio", "objective over its optimum", "close")
DELIVERED = Panel("delivered_ratio", "delivered over the optimum", "close")

# Of power, energy queue, offloading and weighted rate less, or more, is not better in itself.
QUEUE_COLUMN = Column("data_queue_mbit", "data queue (Mbit)", 2, LOWER)
ENERGY_QUEUE_COLUMN = Column("energy_queue", "energy queue", 2)
RATE_COLUMN = Column("weighted_rate_mbps", "weighted rate (Mbit/s)", 2)
POWER_COLUMN = Column("power_w", "power (W)", 4)
OFFLOAD_RATIO_COLUMN = Column("offload_ratio", "offloading ratio", 3)
DELAY_COLUMN = Column("delay_frames", "mean delay (frames)", 2, LOWER)
DELAY_P95_COLUMN = Column("delay_p95_frames", "delay, 95 % (frames)", 1, LOWER)
OBJECTIVE_RATIO_COLUMN = Column("objective_ratio", "of the optimum", 4, HIGHER)
DELIVERED_COLUMN = Column("delivered_ratio", "delivered", 4, HIGHER)
UNSUPPORTED_COLUMN = Column("unsupported_ratio", "unsupported", 3, LOWER)

RATE_TRAP = (
    "The weighted rate ranks nothing: while the queues are stable it equals the weighted arrivals, 12.5 λ with ten "
    "devices, whatever the policy. Above that it cannot stay, below it a queue grows."
)
"""Said wherever the weighted rate is shown."""

SETTLED = "Means are over the second half of the frames; the paper does not say over which frames it averages."
"""Said wherever a mean stands beside the paper's."""
