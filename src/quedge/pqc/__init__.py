"""What post-quantum security costs: real algorithms, devices and framings, and what follows for an uplink."""
