"""The rule language: expressions over points, checked and made into functions; windows over time."""
