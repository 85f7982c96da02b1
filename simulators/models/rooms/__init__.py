"""Rooms and their comfort: cooling, air, light, cameras, sensors."""
