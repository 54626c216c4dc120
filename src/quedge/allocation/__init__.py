"""Best powers and frequencies for a given offloading decision."""
