"""A secured uplink that runs: what the `pinned` framing counts, sent and received (docs/secured-uplink.md)."""
