"""What `mlrecipe import` does: make a recipe of another framework's configuration and lose no key of it."""
