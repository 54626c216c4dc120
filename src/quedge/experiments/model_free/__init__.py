"""Model-free reinforcement learning as baselines, trained by Stable-Baselines3."""
