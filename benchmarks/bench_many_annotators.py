"""Cost against the number of annotators: many of them with two explanations each, and many with a
hundred each, by the quick report; each size in a process of its own.

    python benchmarks/bench_many_annotators.py             # 2,000 x 2; 200 and 400 x 2 attributed
    python benchmarks/bench_many_annotators.py 1000 100    # 1,000 annotators x 100
    python benchmarks/bench_many_annotators.py 400 2 --least 2   # attributed all the same

Texts are nine words drawn from a short list, three annotators an item, embeddings included.
`cpu_s` counts from the start of Python, imports included.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from measuring import peak_memory_gb, report, timed

CASES = ((200, 2, 2), (400, 2, 2), (2000, 2, 10))
WORDS = "the text says that it is not clear whether this holds because nobody mentions a reason"


def dataset(annotators: int, each: int):
    """Return `annotators` who wrote `each` explanations, three of them to an item."""
    import pandas as pd

    from capo_core.dataset import Dataset
    from capo_core.schema import ANNOTATIONS, ITEMS
    from capo_core.task import NLI

    draw, words = random.Random(0), WORDS.split()
    rows, items = [], {}
    for number in range(annotators * each):
        item = f"i{number // 3}"
        items[item] = (item, f"premise {item}", f"hypothesis {item}", "train")
        label, said = draw.choice(NLI.scale.labels), " ".join(draw.choices(words, k=9))
        rows.append((str(number), item, f"w{number % annotators}", label, said, "unknown"))
    return Dataset(
        "many",
        NLI,
        pd.DataFrame(list(items.values()), columns=ITEMS.names),
        pd.DataFrame(rows, columns=ANNOTATIONS.names),
    )


def measure(annotators: int, each: int, least: int) -> dict:
    from dataclasses import replace

    from capo_core.stability.config import QUICK
    from capo_core.stability.report import compute_report

    data = dataset(annotators, each)
    result: dict = {"annotators": annotators, "each": each, "annotations": annotators * each}
    with timed(result):
        made, _ = compute_report(data, replace(QUICK, min_explanations=least))
    result["attributed"] = made.counts["attributed"]
    result["measured"] = made.counts["measured"]
    result["cpu_s"] = round(time.process_time(), 2)
    result["peak_memory_gb"] = peak_memory_gb()
    result["says"] = made.headline
    return result


def main() -> None:
    words = sys.argv[1:]
    least = int(words.pop(words.index("--least") + 1)) if "--least" in words else 10
    numbers = [int(word) for word in words if not word.startswith("--")]
    if "--one" in words:
        print(json.dumps(measure(*numbers, least)))
        return
    cases = [(*numbers, least)] if numbers else CASES
    rows = []
    for annotators, each, at_least in cases:
        command = [sys.executable, str(Path(__file__).resolve()), "--one"]
        command += [str(annotators), str(each), "--least", str(at_least)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout))
        print(done.stdout.strip(), file=sys.stderr, flush=True)
    report({"rows": rows})


if __name__ == "__main__":
    main()
