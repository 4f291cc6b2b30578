"""The HDF5 table format, version 1: write it atomically, open it, read single columns, verify all of it.

The format is written down in docs/format.md. Digests form a tree (block of rows, epoch of a column, image dataset,
file), so that opening verifies the description of everything and reading verifies exactly what is read.
"""

from nasbench.tables.content import (
    BLOCK_ROWS,
    FORMAT,
    SOURCE_FIELDS,
    VERSION,
    Column,
    DatasetContent,
    TableContent,
    missing_value,
)
from nasbench.tables.description import ColumnInfo
from nasbench.tables.reader import TableFile, read_content
from nasbench.tables.writer import write

__all__ = [
    "BLOCK_ROWS",
    "FORMAT",
    "SOURCE_FIELDS",
    "VERSION",
    "Column",
    "ColumnInfo",
    "DatasetContent",
    "TableContent",
    "TableFile",
    "missing_value",
    "read_content",
    "write",
]
