"""The provenance of what leaves a run: dataset, base model and seeds, from its configuration."""

from __future__ import annotations

from collections.abc import Sequence

from capo_core.data.catalog import data_kind
from capo_core.errors import CapoError
from capo_core.provenance import BOTH, UNKNOWN, Provenance
from capo_core.run_folder import RunFolder, made_by
from capo_core.workspace import Workspace


def run_provenance(workspace: Workspace, folders: Sequence[RunFolder]) -> Provenance:
    """Return the provenance of what runs made; what cannot be read is left empty."""
    datasets: dict[str, str] = {}
    for folder in folders:
        try:
            about = folder.config["dataset"]
            datasets[str(about["name"])] = str(about["fingerprint"])
        except (CapoError, KeyError, TypeError):
            continue
    kinds = {data_kind(workspace, name, print_) for name, print_ in datasets.items()}
    alone = len(set(datasets.values())) == 1
    return Provenance(
        ", ".join(datasets),
        next(iter(datasets.values())) if alone else "",
        BOTH if len(kinds) > 1 else next(iter(kinds), UNKNOWN),
        n=(("run", len(folders)),),
        **made_by(folders),
    )
