"""Errors that speak to the person in front of the screen.

Every error that a user can cause is a `CapoError`. Its text says what happened, where, what was
expected and what to do next; a page shows it as it stands, the command line prints it without a
stack trace. Anything else that escapes is a defect of this project.
"""

from __future__ import annotations


class CapoError(Exception):
    """What happened, where, what was expected, and what to do next.

    Args:
        what: one sentence, in plain words, without the final period.
        where: the place, for instance "votes.csv, row 12, column 'label'".
        expected: what would have been right.
        todo: what the person can do now.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        todo: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.todo = what, where, expected, todo
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head]
        if self.expected:
            parts.append(f"Expected: {self.expected}")
        if self.todo:
            parts.append(f"What to do: {self.todo}")
        return ". ".join(part.rstrip(".") for part in parts) + "."

    def __reduce__(self):
        # Exceptions with keyword arguments do not survive a process boundary without this.
        return (_rebuild, (type(self), self.what, self.where, self.expected, self.todo))


def _rebuild(kind, what, where, expected, todo):
    return kind(what, where=where, expected=expected, todo=todo)


class DataError(CapoError):
    """The data given cannot be read, or do not say what they must say."""


class ConfigError(CapoError):
    """A setting is missing, out of range, or contradicts another."""


class BackendUnavailable(CapoError):
    """A model, a server or a package that was asked for is not there."""


class RunError(CapoError):
    """A run cannot begin, go on or end as asked; what it has saved stays."""


class StudyError(CapoError):
    """A blind study cannot do what was asked of it now; what has been answered stays."""


class Stopped(CapoError):
    """The person asked a running computation to stop; nothing is wrong."""
