"""Pages: HTML and pictures in one file, for a browser without a network."""
