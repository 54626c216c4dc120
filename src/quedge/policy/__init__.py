"""Which devices offload."""
