"""HTTP, live stream, auth, console."""
