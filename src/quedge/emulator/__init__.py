"""Devices that are not there: a world played against the service, and every answer checked."""
