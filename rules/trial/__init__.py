"""Rules tried before they go live: tests in YAML, and the back-test over stored history."""
