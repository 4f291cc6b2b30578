"""Converters of raw benchmark files, one file each; each makes the content of one table, or refuses.

A converter never repairs silently and never imputes: what it noticed stands in the table's report.
"""
