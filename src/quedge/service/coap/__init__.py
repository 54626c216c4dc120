"""A light front for devices: reports and decisions over CoAP."""
