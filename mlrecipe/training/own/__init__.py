"""LightningModules and LightningDataModules of the user's own."""
