"""The file of a result: JSON, a CSV table, or a document, by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from capo_core.provenance import Provenance


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
