"""Every error that the project raises on purpose.

A message says what was wrong, where, what was expected and what to do. Each kind also derives from the
built-in exception a caller would expect, so that ``except ValueError`` keeps working.
"""

from collections.abc import Iterable


class NasbenchError(Exception):
    """Root of all errors raised on purpose by nasbench, surrogates and baselines."""

    traceback: str = ""
    """Where a user's own code failed, as Python prints it but without our frames; empty where it did not."""


class InvalidArchitectureError(NasbenchError, ValueError):
    """A text, tuple, index or array is no architecture of the search space."""


class UnknownNameError(NasbenchError, LookupError):
    """A name (table, dataset, metric, searcher, search space) that nobody registered."""


class NotRecordedError(NasbenchError, LookupError):
    """The table is sound, but does not hold this schedule, epoch, run or metric."""


class TableFileError(NasbenchError, ValueError):
    """A file is not a readable table: no HDF5, truncated, of a newer version, misshapen, or altered."""


class HistoryFileError(NasbenchError, ValueError):
    """A file is not a readable set of histories."""


class AnalysisError(NasbenchError, ValueError):
    """A statistic is not defined for these histories or this table, such as for histories of another benchmark."""


class ConversionError(NasbenchError, ValueError):
    """A raw benchmark file is not what its format says; nothing was written."""


class UnsafeFileError(ConversionError):
    """A raw file asks to run code when it is read; it was refused."""


class FetchError(NasbenchError, OSError):
    """An official file could not be downloaded, or the cache not be written; what has arrived is kept where it can."""


class FileNameError(NasbenchError, ValueError):
    """A path that not every library can write to: it has bytes that are no UTF-8, or a zero byte."""


class BudgetError(NasbenchError, ValueError):
    """A budget that is not a positive amount of evaluations, seconds or epochs."""


class ConstraintError(NasbenchError, ValueError):
    """A constraint that cannot be read, that no value satisfies, or that no architecture of a benchmark satisfies."""


class RulesError(NasbenchError, ValueError):
    """Rules of play that do not exist."""


class SearcherError(NasbenchError, RuntimeError):
    """A searcher broke the ask/tell contract."""


class ComparisonError(NasbenchError, ValueError):
    """A comparison cannot start, or its output folder belongs to another comparison."""


class ExportError(NasbenchError, ValueError):
    """A table cannot be written in the form that was asked for."""


class FileInTheWayError(NasbenchError, FileExistsError):
    """Something of that name exists already, and nothing said that it may be overwritten."""


class ImagesError(NasbenchError, ValueError):
    """Images are missing, damaged, or not what a training needs."""


class TrainingError(NasbenchError, RuntimeError):
    """A training cannot start or go on: an unknown device, a bad setting, or no memory for a single image."""


class CheckpointError(NasbenchError, ValueError):
    """A checkpoint is damaged, of another training, or cannot be written; the one before it is left as it was."""


class StaleCheckpointError(CheckpointError):
    """A checkpoint that is there and readable, but of no use: it is damaged, or of another training."""


class JournalError(NasbenchError, ValueError):
    """A file is no readable journal of trainings, or holds trainings of other settings."""


class CampaignError(NasbenchError, ValueError):
    """A campaign of trainings cannot start or go on from a table, or tables of trainings cannot be merged."""


class WeightsFileError(NasbenchError, ValueError):
    """A file is not a readable set of weights of this network."""


class MissingPackageError(NasbenchError, ImportError):
    """What was asked for needs a package of an extra that is not installed."""


class PackageConflictError(NasbenchError, ImportError):
    """Another distribution, or a file of one's own, has the name of a package of ours and hides it."""


def unknown_name(kind: str, name: str, known: Iterable[str], *, hint: str = "") -> UnknownNameError:
    """Build the error for a name that is not known, with the nearest one that is.

    Args:
        kind: What the name should have named, such as ``"table"``.
        name: What came.
        known: The names that exist.
        hint: A last sentence, such as what to do instead.
    """
    import difflib  # loaded only when something went wrong: opening a table must stay fast

    names = sorted(known)
    lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    guess = f" Did you mean {lower[close[0]]!r}?" if close else ""
    there = ", ".join(names) if names else "none"
    return UnknownNameError(f"unknown {kind} {name!r}.{guess} Known: {there}.{' ' + hint if hint else ''}")
