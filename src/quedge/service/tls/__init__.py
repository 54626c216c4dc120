"""TLS of the service: who may connect, and what keeps it secret from a quantum computer (docs/service-tls.md)."""
