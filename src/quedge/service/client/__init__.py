"""What both clients of the service are made of."""
