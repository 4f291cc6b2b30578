"""The name of :mod:`nasbench.tables` in release 0.1, for what was written with it."""

from nasbench.tables import (
    BLOCK_ROWS,
    FORMAT,
    SOURCE_FIELDS,
    VERSION,
    Column,
    ColumnInfo,
    DatasetContent,
    TableContent,
    TableFile,
    missing_value,
    read_content,
    write,
)

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
