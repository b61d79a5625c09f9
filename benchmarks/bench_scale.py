"""Cost against size: 100 simulated annotators, up to 200,000 annotations, each size in a process of
its own so that its peak memory is its own.

    python benchmarks/bench_scale.py [SIZE …]

Words and style features under text reductions, k = 1…32, one seed, 200 permutations. Embedding is
left out: it costs a constant time a text (measured beside, on 2,000 texts).
"""

import json
import subprocess
import sys
from pathlib import Path

from measuring import peak_memory_gb, report, timed

from capo_core.simulation.simulate import SimulationConfig, simulate
from capo_core.stability.config import StabilityConfig
from capo_core.stability.report import compute_report
from capo_core.text.embeddings import Embedder

SIZES = (12_500, 25_000, 50_000, 100_000, 200_000)
PER_ITEM = 4  # annotations an item, of 100 annotators


def measure(size: int) -> dict:
    result: dict = {"annotations": size, "annotators": 100}
    simulation: dict = {}
    with timed(simulation):
        dataset = simulate(
            SimulationConfig(items=size // PER_ITEM, annotators=100, coverage=PER_ITEM / 100)
        ).dataset
    result["annotations"] = len(dataset.annotations)
    result["simulate_s"] = simulation["wall_s"]
    config = StabilityConfig(
        representations=("words", "stylometry"),
        reductions=("none", "mask_input", "style_only"),
        seeds=1,
        permutations=200,
        controls=False,
    )
    with timed(result):
        made, _ = compute_report(dataset, config)
    ladder = made.ladder.frame
    words = ladder[(ladder["representation"] == "words") & (ladder["reduction"] == "none")]
    result["accuracy_words_k1"] = round(float(words["accuracy"].iloc[0]), 3)
    result["us_per_annotation"] = round(1e6 * result["wall_s"] / size)
    result["peak_memory_gb"] = peak_memory_gb()
    return result


def embedding_rate() -> dict:
    texts = simulate(SimulationConfig(items=500)).dataset.annotations["explanation"].tolist()
    embed = Embedder()
    embed(texts[:8])  # loads the model
    result: dict = {"texts": len(set(texts))}
    with timed(result):
        embed(texts)
    result["ms_per_text"] = round(1000 * result["wall_s"] / result["texts"], 2)
    return result


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    rows = []
    for size in [int(arg) for arg in sys.argv[1:]] or SIZES:
        command = [sys.executable, str(Path(__file__).resolve()), "--one", str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    report({"rows": rows, "embedding": embedding_rate()})


if __name__ == "__main__":
    main()
