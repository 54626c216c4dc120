"""`quedge serve` under a seeded mixture of faults, and one history of all that it answered against the model."""
