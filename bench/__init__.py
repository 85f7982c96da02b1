"""Measured figures: rates with CPU per item beside them, always against a baseline in the same run."""
