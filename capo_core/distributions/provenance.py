"""The provenance of label distributions: a dataset of the workspace, or files."""

from __future__ import annotations

from collections.abc import Iterable

from capo_core.dataset import Dataset
from capo_core.distributions.judgments import Judgments
from capo_core.provenance import Provenance, kind_of, together
from capo_core.run_folder import RunFolder, made_by


def judgments_provenance(
    judgments: Judgments,
    dataset: Dataset | None = None,
    *,
    runs: Iterable[RunFolder] = (),
    files: Iterable[str] = (),
    seed: int | None = None,
) -> Provenance:
    """Return the provenance of what was computed from `judgments`.

    Args:
        dataset: whose items they are; None for files alone.
        runs: estimates and generations among the sources.
        files: names of the files among them.
        seed: of the computation.
    """
    made = made_by(runs)
    listed = ", ".join(files)
    about = {
        "models": made["models"],
        "seeds": tuple(sorted({*made["seeds"], *(() if seed is None else (seed,))})),
        "n": (("item", len(judgments.items)), ("source", len(judgments.sources))),
        "details": (*((("files", listed),) if listed else ()), *made["details"]),
    }
    if dataset is not None:
        whose = together((kind_of(dataset.simulated), judgments.data))
        return Provenance.of(dataset, **about).but(data=whose)
    return Provenance(judgments.name, judgments.fingerprint, judgments.data, **about)
