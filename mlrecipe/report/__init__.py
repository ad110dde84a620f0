"""The report: what runs came to, as one page."""
