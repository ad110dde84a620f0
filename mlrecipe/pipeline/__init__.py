"""The pipeline: what a request means, what would run and why, and running it."""
