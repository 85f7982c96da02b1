"""Power: sources, switch, boards, meters, UPS, and what hangs on what."""
