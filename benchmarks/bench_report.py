"""The default stability report on VariErr (or, without it, on the shipped demo), from nothing:
all reductions, three representations, k = 1…32, 5 seeds, 1,000 permutations, no cached embedding.
"""

import tempfile
from pathlib import Path

from measuring import peak_memory_gb, report, shared_data, timed

from capo_core.data.catalog import Catalog
from capo_core.data.importing import read_dataset
from capo_core.stability.config import StabilityConfig
from capo_core.stability.report import compute_report
from capo_core.workspace import Workspace


def main() -> None:
    varierr = shared_data() / "varierr" / "varierr.json"
    with tempfile.TemporaryDirectory() as folder:
        if varierr.exists():
            dataset = read_dataset(varierr, name="varierr").dataset
        else:
            dataset = Catalog(Workspace(Path(folder))).load("demo-nli")
        stages: dict[str, float] = {}
        result: dict = {"dataset": dataset.name, "annotations": len(dataset.annotations)}

        def progress(what: str, share: float) -> None:
            stages[what.split(" ")[0]] = round(share, 2)

        with timed(result):
            made, _ = compute_report(
                dataset, StabilityConfig(), cache=Path(folder), progress=progress
            )
        result["rungs"] = len(made.ladder.frame)
        result["peak_memory_gb"] = peak_memory_gb()
    report(result)


if __name__ == "__main__":
    main()
