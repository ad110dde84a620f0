"""The recorder: rows, statistics and images of an evaluation, in one value."""
