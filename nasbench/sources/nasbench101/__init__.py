"""The raw files of NAS-Bench-101, and of EC-NAS, which share their format."""
