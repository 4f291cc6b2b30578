"""Readers of the file formats that raw files come in; none executes what it reads."""
