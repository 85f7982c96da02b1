"""The shared vocabulary: what is installed, what is measured, what a reading is."""
