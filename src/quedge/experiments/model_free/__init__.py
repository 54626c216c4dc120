"""Proximal policy optimisation (PPO) as a model-free baseline, trained by Stable-Baselines3."""
