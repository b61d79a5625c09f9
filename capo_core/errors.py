"""Errors that a user can cause, with the parts of their message.

Every such error is a `CapoError`. Its text states the problem, the place, the expectation and the
next step; pages show it unchanged, the command line prints it without a stack trace. Any other
exception that escapes is a defect of this project.
"""

from __future__ import annotations

import errno


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


# Of the disk and of open files, by the system's number: what is wrong, and what to do.
_FULL = ("the disk is full", "free some space, and try again; what was saved before is kept")
_NO_RIGHTS = (
    "the file cannot be read or written",
    "see that this user may read and write it, or choose another workspace with the environment "
    "variable CAPO_WORKSPACE",
)
_NO_FILE = (
    "the file cannot be used",
    "move what lies in its place away, or give another name; then try again",
)
_BROKEN_DISK = ("the disk does not answer as it should", "see that the disk is well and connected")
_TOO_MANY = (
    "too many files are open",
    "close other programs, or raise the limit (`ulimit -n` prints it)",
)
_OF_THE_SYSTEM = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _NO_RIGHTS),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG), _NO_FILE),
    **dict.fromkeys((errno.EIO, errno.ESTALE), _BROKEN_DISK),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), _TOO_MANY),
}


def plain_error(error: BaseException) -> CapoError | None:
    """Return the error to show for `error`; None where it is a defect of this project.

    A `CapoError` is shown as it is. So that no command, page or run ends in a trace where the
    machine cannot serve it, what Python raises where memory, the disk or the right to a file is
    lacking has words, too.
    """
    if isinstance(error, CapoError):
        return error
    return shortage_of(error) or _error_of_the_system(error)


def _error_of_the_system(error: BaseException) -> DataError | None:
    if not isinstance(error, OSError) or error.errno not in _OF_THE_SYSTEM:
        return None
    what, todo = _OF_THE_SYSTEM[error.errno]
    where = None if error.filename is None else str(error.filename)
    if where is None and (what, todo) in (_NO_RIGHTS, _NO_FILE):
        return None  # of a connection, say, and no file
    exactly = "" if error.errno == errno.ENOSPC else f" ({error.strerror})"
    return DataError(f"{what}{exactly}", where=where, todo=todo)


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
