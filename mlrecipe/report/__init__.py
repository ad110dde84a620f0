"""The report of a run, or of several: one HTML page that anyone can open, and the facts that it is made of."""
