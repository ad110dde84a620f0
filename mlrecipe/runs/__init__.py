"""Runs: the directories that hold what training and testing gave, and finding them again."""
