"""Devices that behave like hardware, and the scenarios that make them fail."""
