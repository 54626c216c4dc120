"""Several processes behind one address: one that looks after them, and those that serve."""
