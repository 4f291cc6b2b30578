"""What developers run: ``nox -s tests``, ``lint``, ``types``, ``coverage``, ``speed``; the last two only when named."""

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
INSTALL = ("-c", "constraints.txt", "-e", ".[dev]")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install("ruff>=0.9")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.install(*INSTALL)
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, or those that are named: ``nox -s tests -- tests/search``."""
    session.install(*INSTALL)
    session.run("pytest", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """All tests, and which lines they do not reach."""
    session.install(*INSTALL)
    packages = [f"--cov={name}" for name in ("nasbench", "surrogates", "baselines")]
    session.run("pytest", *packages, "--cov-report=term-missing:skip-covered", *session.posargs)


@nox.session
def speed(session: nox.Session) -> None:
    """The benchmarks behind docs/performance.md."""
    session.install(*INSTALL)
    session.run("python", "benchmarks/performance.py", *session.posargs)
