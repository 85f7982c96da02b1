"""The rule book: rules read, checked, compiled, and assigned to the assets that have what they need."""
