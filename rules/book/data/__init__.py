"""Faults of the data itself: values that are stuck, noisy, missing, reset or that chatter, whatever they measure."""
