"""The data graph: nodes, what they depend on, and the fingerprints that name their results."""
