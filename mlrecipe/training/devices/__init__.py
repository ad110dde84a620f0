"""Devices, processes and precision."""
