"""The controller as a service: gRPC in and out, durable state, and what can be seen of it."""
