"""The SQLite file of a journal: how it is made, opened, and checked.

Its layout must be to the letter the one of :mod:`nasbench.training.campaign.journal_layout`: triggers, views and
columns that somebody else added are refused. A file of version 1 is read as it is, and brought to version 2 when it is
written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nasbench.errors import JournalError, NasbenchError
from nasbench.system.files import remove_left_over, temporary_path
from nasbench.training.campaign.journal_layout import (
    APPLICATION,
    COLUMNS,
    LAYOUTS,
    VERSION,
    added,
    checksum_of,
    in_memory,
    lay_out,
    layout_of,
    modernise,
    rows_of_version_1,
)

_PATIENCE = 60.0
"""Seconds to wait while other processes write."""


class JournalFile:
    """The file behind a journal. Every use opens and closes it, and the first one checks all of it.

    Args:
        path: The file; the first :meth:`writing` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sound: tuple[int, int] | None = None
        """Device and number of the file that was found sound."""

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open for writing, in one transaction; make the file where there is none.

        Raises:
            JournalError: The file is no journal, of a newer version, damaged, or cannot be written.
        """
        with self._errors():
            if not self.path.exists():
                _make(self.path)
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if self._checked(connection) == 1:
                        modernise(connection)
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # of a damaged file; the first error is the one to tell
                        connection.execute("ROLLBACK")
                    raise
            finally:
                connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open read-only: neither the file nor what it holds changes. Where there is none, it is empty.

        Raises:
            JournalError: The file is no journal, of a newer version, or damaged.
        """
        with self._errors():
            connection = self._open_for_reading() if self.path.exists() else in_memory({})
            try:
                if self.path.exists() and self._checked(connection) == 1:
                    rows = rows_of_version_1(connection)
                    connection.close()
                    connection = in_memory(rows)
                yield connection
            finally:
                connection.close()

    def rows(self, connection: sqlite3.Connection, table: str, where: str, values: Sequence[Any]) -> Iterator[Any]:
        """Return rows of a table, each as a tuple of its columns but the checksum, which was compared.

        Args:
            connection: To this file.
            table: ``"recipes"``, ``"images"`` or ``"trainings"``.
            where: What follows in SQL.
            values: Those of the places in it.

        Raises:
            JournalError: A row is not as it was written.
        """
        query = f"SELECT {', '.join(COLUMNS[table])}, checksum FROM {table} {where}"
        for *row, checksum in connection.execute(query, tuple(values)):
            if checksum_of(table, row) != checksum:
                raise self._damaged(f"a row of {table} is not as it was written")
            yield tuple(row)

    def _checked(self, connection: sqlite3.Connection) -> int:
        """Refuse what is no journal, a newer one, or a damaged one; return its version."""
        found, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
        if not self.path.stat().st_size:
            raise JournalError(
                f"{self.path}: is empty, where a journal of trainings should be: was it cut? Remove it to begin anew."
            )
        if found != APPLICATION:
            raise JournalError(f"{self.path}: an SQLite file, but no journal of trainings. Choose another --journal.")
        if version > VERSION:
            raise JournalError(
                f"{self.path}: a journal of version {version}, but this installation reads up to {VERSION}. "
                "Upgrade with `pip install --upgrade nasbench-suite`."
            )
        place = self.path.stat().st_dev, self.path.stat().st_ino
        if self._sound != place:
            self._check_all(connection, version)
            self._sound = place
        return version

    def _check_all(self, connection: sqlite3.Connection, version: int) -> None:
        layout = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 2").fetchall()
        if version not in LAYOUTS or layout != layout_of(version):
            raise self._damaged("its tables are not laid out as a journal's")
        [first] = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if first != "ok":
            raise self._damaged(" ".join(first.split()))
        if version == 1:
            return
        count = total = 0
        for table in COLUMNS:
            for row in self.rows(connection, table, "NOT INDEXED", ()):
                count, total = count + 1, added(total, checksum_of(table, row))
        if connection.execute("SELECT rows, checksum FROM total").fetchall() != [(count, f"{total:064x}")]:
            raise self._damaged("rows are missing, or not those that were written")

    def _open_for_reading(self) -> sqlite3.Connection:
        address = f"{self.path.as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=_PATIENCE, isolation_level=None)
        try:
            _pragma(connection, "application_id")
        except sqlite3.OperationalError:
            # The log needs a folder that can be written; where there is no log, it is not needed.
            connection.close()
            if self.path.with_name(f"{self.path.name}-wal").exists() or os.access(self.path.parent, os.W_OK):
                raise
            connection = sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
        return connection

    def _damaged(self, how: str) -> JournalError:
        return JournalError(
            f"{self.path}: a damaged journal: {how}. Choose another --journal; where there is a table of its "
            "trainings, `nasbench train-table --from TABLE.h5` goes on from that."
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of SQLite, of the disk and of damaged texts into ours."""
        try:
            yield
        except NasbenchError:
            raise
        except sqlite3.OperationalError as error:
            if str(error).startswith("Could not decode"):  # Python's words, which repeat the whole text
                raise self._damaged("a text in it is no UTF-8") from None
            raise JournalError(
                f"{self.path}: cannot be opened or written: {error}. Nothing was lost; is the folder there, writable, "
                "on a local disk, and not full?"
            ) from None
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"{self.path}: no journal of trainings, or a damaged one: {error}. Choose another --journal."
            ) from None
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be opened or written: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(f"{self.path}: holds a training that cannot be read: {error}.") from None


def _make(path: Path) -> None:
    """Make an empty journal under a temporary name and give it its own: nobody ever sees half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(path.parent)  # of processes that were killed just here
    temporary = Path(temporary_path(path))
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            lay_out(connection)
            connection.execute("COMMIT")
        finally:
            connection.close()
        with suppress(FileExistsError):  # another process was first: its journal is ours
            _name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError from None
        os.rename(temporary, path)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
