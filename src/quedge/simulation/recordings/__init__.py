"""How the kinds of recorded files are read; `simulation.recording` chooses among them."""
