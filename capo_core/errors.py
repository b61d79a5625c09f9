"""Errors that a user can cause, with the parts of their message.

Every such error is a `CapoError`. Its text states the problem, the place, the expectation and the
next step; pages show it unchanged, the command line prints it without a stack trace. Any other
exception that escapes is a defect of this project.
"""

from __future__ import annotations


class CapoError(Exception):
    """An error caused by the user: the problem, its place, the expectation, and the next step.

    Args:
        what: one sentence, in plain words, without the final period.
        where: the place, for instance "votes.csv, row 12, column 'label'".
        expected: what would have been right.
        todo: the next step for the user.
        option: option of the command line that `todo` is about; only the command line prints it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        todo: str | None = None,
        option: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.todo = what, where, expected, todo
        self.option = option
        super().__init__(str(self))

    def __str__(self) -> str:
        return with_todo(self.problem, self.todo)

    @property
    def problem(self) -> str:
        """The message without the next step."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        parts = [head, f"Expected: {self.expected}"] if self.expected else [head]
        return ". ".join(part.rstrip(".") for part in parts) + "."

    def __reduce__(self):
        # Exceptions with keyword arguments do not survive a process boundary without this.
        parts = {name: getattr(self, name) for name in ("where", "expected", "todo", "option")}
        return (_rebuild, (type(self), self.what, parts))


# What the loader of libraries and the system say where memory ends.
_SHORTAGE = ("failed to map segment", "cannot allocate memory", "cannot apply additional memory")


def shortage_of(error: BaseException) -> RunError | None:
    """Return the error to show where `error` of Python or of its libraries means that memory ended.

    So it ends a process whose limit is below what the libraries of the models need: their import
    fails, with the name of a file.
    """
    told = isinstance(error, (ImportError, OSError)) and any(
        words in str(error).lower() for words in _SHORTAGE
    )
    if not told and not isinstance(error, MemoryError):
        return None
    return RunError(
        "there is not enough memory"
        + (" to load the libraries that language models need" if told else ""),
        todo="close other programs, or raise the limit on this process's memory (`ulimit -v` "
        "prints it in kB)",
    )


def with_todo(problem: str, todo: str | None) -> str:
    """Return a message with its next step: "The milk is sour. What to do: buy some." """
    return f"{problem.rstrip('.')}. What to do: {todo.rstrip('.')}." if todo else problem


def _rebuild(kind: type[CapoError], what: str, parts: dict) -> CapoError:
    return kind(what, **parts)


class DataError(CapoError):
    """Data cannot be read, or lack something that is needed."""


class ConfigError(CapoError):
    """A setting is missing, out of range, or contradicts another."""


class BackendUnavailable(CapoError):
    """A model, a server or a package that is needed is not available."""


class RunError(CapoError):
    """A run cannot start, continue or end as requested; saved results stay."""


class StudyError(CapoError):
    """A blind study cannot do what was requested; stored judgments stay."""


class Stopped(CapoError):
    """The user stopped a running computation; nothing is wrong."""
