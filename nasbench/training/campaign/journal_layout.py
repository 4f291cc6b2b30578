"""The tables of a journal in SQLite: their layouts, the checksums of rows, and the way from version 1 to 2.

Every row has a checksum of what stands in it; one row holds the number of all others and the sum of their checksums, so
that rows cannot get lost either. Version 1 had no checksums.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from nasbench.training.campaign.entries import json_of, training_of

VERSION = 2
APPLICATION = 0x6E617362  # "nasb", where SQLite keeps whose file it is

_VERSION_1 = (
    "CREATE TABLE recipes (name TEXT PRIMARY KEY, constants TEXT NOT NULL) STRICT",
    "CREATE TABLE images (digest TEXT PRIMARY KEY, name TEXT NOT NULL, splits TEXT NOT NULL, "
    "classes INTEGER NOT NULL,\n    side INTEGER NOT NULL) STRICT",
    "CREATE TABLE trainings (space TEXT NOT NULL, identity INTEGER NOT NULL, architecture TEXT NOT NULL,\n"
    "    recipe TEXT NOT NULL REFERENCES recipes, epochs INTEGER NOT NULL, seed INTEGER NOT NULL,\n"
    "    images TEXT NOT NULL REFERENCES images, training TEXT NOT NULL, made_with TEXT NOT NULL, "
    "finished TEXT NOT NULL,\n"
    "    UNIQUE (space, recipe, images, epochs, identity, seed)) STRICT",
)
_VERSION_2 = (
    "CREATE TABLE recipes (name TEXT PRIMARY KEY, constants TEXT NOT NULL, checksum TEXT NOT NULL) STRICT",
    "CREATE TABLE images (digest TEXT PRIMARY KEY, name TEXT NOT NULL, splits TEXT NOT NULL, classes INTEGER NOT NULL, "
    "side INTEGER NOT NULL, checksum TEXT NOT NULL) STRICT",
    "CREATE TABLE trainings (space TEXT NOT NULL, identity INTEGER NOT NULL, architecture TEXT NOT NULL, "
    "recipe TEXT NOT NULL REFERENCES recipes, epochs INTEGER NOT NULL, seed INTEGER NOT NULL, "
    "images TEXT NOT NULL REFERENCES images, training TEXT NOT NULL, made_with TEXT NOT NULL, finished TEXT NOT NULL, "
    "origin TEXT NOT NULL, checksum TEXT NOT NULL, "
    "UNIQUE (space, recipe, images, epochs, identity, seed)) STRICT",
    "CREATE TABLE total (rows INTEGER NOT NULL, checksum TEXT NOT NULL) STRICT",
)
LAYOUTS = {1: _VERSION_1, 2: _VERSION_2}
COLUMNS = {
    "recipes": ("name", "constants"),
    "images": ("digest", "name", "splits", "classes", "side"),
    "trainings": (
        "space",
        "identity",
        "architecture",
        "recipe",
        "epochs",
        "seed",
        "images",
        "training",
        "made_with",
        "finished",
        "origin",
    ),
}


def insert(connection: sqlite3.Connection, table: str, row: Sequence[Any]) -> bool:
    """Add a row, unless one of the same key is there, which stays; return whether it was new.

    Args:
        connection: In a transaction.
        table: ``"recipes"``, ``"images"`` or ``"trainings"``.
        row: Its columns in their order, but the checksum.
    """
    checksum = checksum_of(table, row)
    places = ", ".join("?" * (len(row) + 1))
    if not connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", (*row, checksum)).rowcount:
        return False
    [total] = connection.execute("SELECT checksum FROM total").fetchone()
    total = added(int(total, 16), checksum)
    connection.execute("UPDATE total SET rows = rows + 1, checksum = ?", (f"{total:064x}",))
    return True


def checksum_of(table: str, row: Iterable[Any]) -> str:
    """Return the checksum of what stands in a row."""
    return hashlib.sha256(json_of([table, *row]).encode()).hexdigest()


def added(total: int, checksum: str) -> int:
    """Add a checksum to the sum of those before it, in whatever order they come."""
    return (total + int(checksum, 16)) % 2**256


def lay_out(connection: sqlite3.Connection, version: int = VERSION) -> None:
    """Make the empty tables of a version."""
    for statement in LAYOUTS[version]:
        connection.execute(statement)
    if version == VERSION:
        connection.execute("INSERT INTO total VALUES (0, ?)", (f"{0:064x}",))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {version}")


def layout_of(version: int) -> list[Any]:
    """Return what SQLite says of the tables of a version."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        lay_out(connection, version)
        return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 2").fetchall()
    finally:
        connection.close()


def in_memory(rows: dict[str, list[Any]]) -> sqlite3.Connection:
    """Return a journal that lies in memory only, of rows by table."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    lay_out(connection)
    _fill(connection, rows)
    return connection


def _fill(connection: sqlite3.Connection, rows: dict[str, list[Any]]) -> None:
    for table, found in rows.items():
        for row in found:
            insert(connection, table, row)


def rows_of_version_1(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """Return all rows as version 2 has them, but for the checksums."""
    rows = {table: connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in COLUMNS}
    for training in rows["trainings"]:
        training_of(training[COLUMNS["trainings"].index("training")])  # refuse now what could not be read later
    rows["trainings"] = [(*row, "") for row in rows["trainings"]]
    return rows


def modernise(connection: sqlite3.Connection) -> None:
    """Bring a file of version 1 to version 2, within the transaction that is open."""
    rows = rows_of_version_1(connection)
    for table in reversed(COLUMNS):
        connection.execute(f"DROP TABLE {table}")
    lay_out(connection)
    _fill(connection, rows)
