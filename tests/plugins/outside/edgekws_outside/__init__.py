"""One plugin of each kind, and nothing else."""
