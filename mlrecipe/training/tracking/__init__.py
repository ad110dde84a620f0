"""Trackers: the loggers of a recipe, told of every training and of its tests, which never stop one."""
