"""A surrogate as a benchmark: fitted to a table, saved as a folder, queried like the table."""
