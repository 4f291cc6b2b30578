"""Models that learn from few labels, one file each, and which of them to take."""
