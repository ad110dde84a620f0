"""Pages that commands write of what they found, each one file that needs nothing else."""
