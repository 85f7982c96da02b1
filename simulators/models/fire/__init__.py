"""The fire panel: detection, linkage, its water and its supply."""
