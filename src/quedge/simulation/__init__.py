"""The world and the clock: channel, arrivals, recordings, the frame loop and what is measured of it."""
