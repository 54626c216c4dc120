"""The service seen from outside: metrics, health, a live page, and a log."""
