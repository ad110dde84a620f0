"""Recipes: from a TOML file and overrides to frozen values, with every mistake found at once."""
