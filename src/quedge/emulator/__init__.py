"""Simulated devices: a world played against the service, and every answer checked."""
