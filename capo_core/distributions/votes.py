"""Which explanations people preferred, from a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from capo_core.errors import DataError
from capo_core.schema import listed

COLUMNS = ("item_id", "source", "position", "votes")


def read_votes(path: Path | str) -> dict[tuple[str, str, int], float]:
    """(item, source, position) → votes, from a CSV file with these columns.

    Raises:
        DataError: the file cannot be read, a column is missing, or a number is none.
    """
    path = Path(path)
    try:
        frame = pd.read_csv(path, dtype={"item_id": str, "source": str})
    except (OSError, ValueError) as error:
        raise DataError(f"the votes cannot be read ({error})", where=str(path)) from None
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(
            f"the column {missing[0]!r} is missing",
            where=path.name,
            expected=f"the columns {listed(COLUMNS)}",
        )
    numbers = frame[["position", "votes"]].apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().any(axis=1) | (numbers["position"] < 0)
    if bad.any():
        raise DataError(
            "a position or a number of votes is no number",
            where=f"{path.name}, row {int(bad.to_numpy().argmax()) + 1}",
        )
    keys = zip(frame["item_id"], frame["source"], numbers["position"].astype(int), strict=True)
    return dict(zip(keys, numbers["votes"].astype(float), strict=True))
