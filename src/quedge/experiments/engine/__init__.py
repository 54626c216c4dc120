"""Running the jobs of experiments, each once, on processes or a cluster."""
