"""What several algorithms are made of: each part is used by two of them or more."""
