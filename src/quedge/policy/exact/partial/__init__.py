"""The exact optimum where offloading is partial: devices whose uplink takes from their CPU bend the chain."""
