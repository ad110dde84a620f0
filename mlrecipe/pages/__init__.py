"""Pages: what is written as HTML, from its parts: each page one file that needs nothing else."""
