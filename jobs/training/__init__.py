"""`stcn train`: recipes, what a step sees, and the run with its checkpoints."""
