"""What `mlrecipe new` does: look at a person's table, write a recipe that runs, make a project."""
