"""Pages: what commands write as HTML, each one file that needs nothing else."""
