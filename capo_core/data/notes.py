"""Notes of an import that name an option of the command line, which pages do not show."""

from __future__ import annotations


class Note(str):
    """A note, and the option by which what it reports is changed.

    Attributes:
        option: as the command line prints it behind the note; a stored report does not hold it.

    >>> Note("the text is 'said'", "--map text_a= for none").for_command_line
    "the text is 'said' (--map text_a= for none)"
    """

    option: str

    def __new__(cls, text: str, option: str) -> Note:
        note = super().__new__(cls, text)
        note.option = option
        return note

    def __getnewargs__(self) -> tuple[str, str]:
        return str(self), self.option

    @property
    def for_command_line(self) -> str:
        """The note with its option."""
        return f"{self} ({self.option})"

    def of_file(self, name: str) -> Note:
        """Return the note with the name of the file that it is about."""
        return Note(f"{name}: {self}", self.option)


def note_of_file(note: str, name: str) -> str:
    """Return a note with the name of the file that it is about."""
    return note.of_file(name) if isinstance(note, Note) else f"{name}: {note}"
