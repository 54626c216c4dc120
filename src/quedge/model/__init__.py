"""What is true of the system: parameters, channel, uplink, queues and the objective of a frame."""
