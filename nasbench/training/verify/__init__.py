"""Verification: architectures trained for real, beside what a benchmark says of them."""
