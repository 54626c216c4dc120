"""Proximal policy optimisation, a model-free yardstick: trained by Stable-Baselines3, run without it."""
