"""The file of a result, by the ending of its name (JSON, a CSV table, a document); its print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capo_core.cli.support import console, print_json
from capo_core.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from capo_core.provenance import Provenance


def check_ending(
    out: Path | None, endings: Sequence[str], what: str = "the result", *, bare: bool = False
) -> None:
    """Raise `ConfigError` unless `out` ends in one of `endings`, before anything is computed.

    Args:
        bare: a name without an ending will do as well: the command has a usual format.
    """
    if out is not None and out.suffix.lower() not in endings and (out.suffix or not bare):
        raise ConfigError(
            f"{what} cannot be written as {out.suffix or 'a file without an ending'!r}",
            expected=f"a file name ending in {', '.join(endings)}",
            option="--out",
        )


def write_and_print(
    result: Any,
    out: Path | None,
    *,
    write: Callable[[Any, Path], None],
    show: Callable[[Any], None],
    as_json: bool,
) -> None:
    """Write the result by `write` if `out` names a file; print it as JSON, or by `show`."""
    if out is not None:
        write(result, out)
    if as_json:
        print_json(result.to_dict())
        return
    show(result)
    if out is not None:
        console.print(f"written: {out}", markup=False, soft_wrap=True)


def write_result(
    result: Any,
    out: Path,
    table: pd.DataFrame,
    documents: Mapping[str, Callable[[Any, Provenance], str]],
) -> None:
    """Write a result with its provenance.

    Args:
        result: has `to_dict` and `provenance`; all of it goes into a file ending in .json.
        table: what a file ending in .csv has.
        documents: ending → the result as text, for any other file; the last one is taken where
            there is none for an ending.

    Raises:
        RunError: there is no room on the disk.
    """
    from capo_core.export_formats import csv_text, with_provenance
    from capo_core.run_folder import disk_errors
    from capo_core.workspace import atomic_file, write_json

    kind, source = out.suffix.lower(), result.provenance.dated()
    if kind == ".json":
        write_json(out, with_provenance(result.to_dict(), source))
        return
    if kind == ".csv":
        text = csv_text(table, source)
    else:
        text = documents.get(kind, list(documents.values())[-1])(result, source)
    with disk_errors(out), atomic_file(out, "w") as file:
        file.write(text)
