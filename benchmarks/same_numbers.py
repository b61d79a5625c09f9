"""Record the numbers that the command line gives, and compare two such records to the last digit.

    python benchmarks/same_numbers.py record FOLDER [--only PART ...]
    python benchmarks/same_numbers.py compare BEFORE AFTER [--only PART ...]

For a change that moves and renames code and must leave every number alone. `record` measures the
`capo_core` of the current directory, as `python -m capo_core … --json` in new workspaces, so that
it runs on any build whose commands are the same, wherever its modules lie. Each part is kept as
FOLDER/PART.json; a part whose data are not here (`CAPO_SHARED`) says so and is skipped.

`compare` walks both records. Numbers, truth values, what is undefined, the keys of `EXACT_TEXT` and
the shape must be equal, else it ends with exit code 1. Other text may differ: it is listed apart,
with how often the figures inside a text differ as well.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import machine, report, shared_data

# A key of the record of before → the same key's name now.
RENAMED: dict[str, str] = {}
# Keys that an entry may have now and had not before: the parts that a statement is made from.
ADDED = frozenset({"template", "values", "statements"})
# Keys whose numbers are this machine's pace, not a result. Exact names: `seconds_median` of a
# study's judges is a result.
WALL_CLOCK = frozenset({"seconds", "wall_s", "cpu_s", "load_before", "peak_memory_gb"})
# Keys whose text is data or a hash of data, and must not change either.
EXACT_TEXT = frozenset(
    {
        "annotator_a", "annotator_b", "annotator_id", "atypical", "explanation", "item_id",
        "label", "phrase", "raw_text", "tensor_sha256", "typical",
    }
)  # fmt: skip

THREADS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "TOKENIZERS_PARALLELISM": "false",
    "CUDA_VISIBLE_DEVICES": "",
}
TIMEOUT_S = 1800
MAX_LISTED = 200  # differences that are printed one by one
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")

# Small settings that together reach every part of a stability report.
LADDER = ("--pool", "1", "4", "16", "--folds", "3", "--permutations", "20")
STABILITY = {
    "demo-nli": (*LADDER, "--seeds", "1", "--representation", "embedding", "words", "stylometry"),
    "demo-paraphrase": (
        *LADDER, "--seeds", "2", "--representation", "words", "characters",
        "--reduction", "none", "mask_input", "subspace",
    ),
    "varierr": (
        *LADDER, "--seeds", "1", "--representation", "embedding", "words",
        "--reduction", "none", "mask_input", "residual", "style_only",
    ),
}  # fmt: skip
STEPS = ("--epochs", "1", "--items-per-step", "32", "--sample-every", "0", "--patience", "0")


class CommandLine:
    """The command line of the build in the current directory, with a workspace of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, **THREADS, "CAPO_WORKSPACE": str(folder / "workspace")}

    def run(self, *arguments: str | Path) -> str:
        """Return what a command prints; `RuntimeError` with its last words where it fails."""
        command = [sys.executable, "-m", "capo_core", *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip()[-1500:]
            raise RuntimeError(f"{' '.join(command[2:])} ended with {done.returncode}: {last}")
        return done.stdout

    def json(self, *arguments: str | Path) -> Any:
        """Return what a command prints with --json."""
        return json.loads(self.run(*arguments, "--json"))


def skip_note(path: Path) -> dict:
    """Return the entry of data that are not here."""
    return {"skipped": f"{path.name} is not in {path.parent.name} of CAPO_SHARED/data"}


def stability(cli: CommandLine) -> dict:
    """Whole stability reports, and what the datasets hold."""
    varierr = shared_data() / "varierr" / "varierr.json"
    result: dict[str, Any] = {}
    for name, settings in STABILITY.items():
        if name == "varierr":
            if not varierr.exists():
                result[name] = skip_note(varierr)
                continue
            result["varierr import"] = cli.json("data", "import", varierr, "--name", name)
        result[f"{name} data"] = cli.json("data", "show", name)
        result[name] = cli.json("stability", name, *settings)
    return result


def evaluate(cli: CommandLine) -> dict:
    """Whole evaluations of made outputs, with a nominal and with an ordinal scale."""
    result = {}
    for name in ("demo-nli", "demo-paraphrase"):
        outputs = cli.folder / f"outputs-{name}.csv"
        write_outputs(exported(cli, name), outputs)
        result[name] = cli.json(
            "evaluate", "--dataset", name, "--outputs", outputs, "--pool", "1", "4",
            "--measures", "labels", "soft", "explanations", "style", "attribution", "diversity",
        )  # fmt: skip
    return result


def exported(cli: CommandLine, dataset: str) -> list[dict[str, str]]:
    """Return the rows of a dataset's export."""
    path = cli.folder / f"{dataset}.csv"
    cli.run("data", "export", dataset, "--out", path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_outputs(rows: list[dict[str, str]], path: Path) -> None:
    """Write outputs of three methods, made from what the other annotators wrote on test items.

    `neighbour` answers as the next annotator does, `mixture` twice as everybody in turn with every
    seventh answer unreadable, `relabelled` with the target's label and another's explanation.
    """
    people = sorted({row["annotator_id"] for row in rows})
    answers_of: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        if row["split"] == "test":
            answers_of.setdefault(row["item_id"], {}).setdefault(row["annotator_id"], row)
    items = [item for item in sorted(answers_of) if len(answers_of[item]) == len(people)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ("target_annotator_id", "item_id", "sample", "method", "label", "explanation")
        )
        for t, target in enumerate(people):
            for i, item in enumerate(items):
                answers = [answers_of[item][name] for name in people[t:] + people[:t]]
                responses = [(row["label"], row["explanation"]) for row in answers]
                writer.writerow((target, item, "0", "neighbour", *responses[1]))
                writer.writerow((target, item, "0", "relabelled", responses[0][0], responses[2][1]))
                for sample in (0, 1):
                    answer = responses[(i + sample) % len(people)] if (i + t) % 7 else ("", "")
                    writer.writerow((target, item, sample, "mixture", *answer))


def distributions(cli: CommandLine) -> dict:
    """Distances to the crowd, of the shipped data and of a published file, and variation."""
    published = shared_data() / "hjd" / "NLI_explanations.json"
    result = {"demo-nli": cli.json("distributions", "compare", "--dataset", "demo-nli")}
    if not published.exists():
        return {**result, "published": skip_note(published)}
    result["published"] = cli.json("distributions", "compare", "--file", published)
    result["variation"] = cli.json("distributions", "variation", "--file", published,
                                  "--items", "120")  # fmt: skip
    return result


def study(cli: CommandLine) -> dict:
    """A study from its plan to its results, with simulated judges of a fixed seed."""
    answers = cli.folder / "judgments.csv"
    result = {
        "create": cli.json(
            "study", "create", "same", "--dataset", "demo-nli", "--kind", "attribution",
            "comparison", "reasoning", "--source", "human", "other_human", "--judges", "6",
            "--trials-per-judge", "24", "--judgments-per-trial", "3", "--seed", "3",
        ),
        "plan": cli.json("study", "plan", "same", "--simulations", "200"),
        "leaks": cli.json("study", "leaks", "same"),
        "freeze": cli.json("study", "freeze", "same", "--accept-leaks"),
    }  # fmt: skip
    cli.run("study", "invite", "same", "--judges", "6")
    cli.run(
        "study", "simulate-judges", "same", answers, "--seed", "5", "--careless", "0.2",
        "--strength", "human=0.8", "--likeness", "other_human=0.5",
    )  # fmt: skip
    cli.run("study", "close", "same", "--yes")
    cli.run("study", "unblind", "same", "--yes")
    with answers.open(encoding="utf-8", newline="") as file:
        result["judgments"] = [
            {name: number_or_text(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]
    result["results"] = cli.json("study", "analyse", "same", "--answers", answers)
    result["results with a belief"] = cli.json(
        "study", "analyse", "same", "--answers", answers, "--mu", "human:other_human=0.7/40"
    )
    return result


def number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def adapters(cli: CommandLine) -> dict:
    """Every tensor of an SFT and a CAPO adapter of the embedded base, and what they then answer."""
    target_options = ("--dataset", "demo-nli", "--annotator", "A")
    result: dict[str, Any] = {"pairs": cli.json("pairs", "show", *target_options)}
    (sft,) = cli.json("train", "sft", *target_options, *STEPS)
    (capo,) = cli.json(
        "train", "capo", *target_options, *STEPS, "--sft", sft["run_id"], "--max-rejected", "2"
    )
    for name, trained in (("sft", sft), ("capo", capo)):
        result[name] = {"result": trained, "tensors": tensors(Path(trained["folder"]))}
    for method in ("zero_shot", "icl", "sft", "capo"):
        ended = cli.json("generate", *target_options, "--method", method, "--items", "8")
        (path,) = Path(ended["folder"]).rglob("outputs.jsonl")
        lines = path.read_text(encoding="utf-8").splitlines()
        result[f"answers, {method}"] = {"result": ended, "rows": [json.loads(x) for x in lines]}
    return result


def tensors(folder: Path) -> dict[str, dict]:
    """Name → shape, type and SHA-256 of the bytes of each tensor kept below a run's folder."""
    result: dict[str, dict] = {}
    for path in sorted(folder.rglob("*.safetensors")):
        raw = path.read_bytes()
        start = 8 + int.from_bytes(raw[:8], "little")
        for name, about in sorted(json.loads(raw[8:start]).items()):
            if name != "__metadata__":
                first, end = about["data_offsets"]
                result[f"{path.name}: {name}"] = {
                    "shape": about["shape"],
                    "dtype": about["dtype"],
                    "tensor_sha256": hashlib.sha256(raw[start + first : start + end]).hexdigest(),
                }
    if not result:
        raise RuntimeError(f"no adapter was kept below {folder}")
    return result


PARTS: dict[str, Callable[[CommandLine], dict]] = {
    "stability": stability,
    "evaluate": evaluate,
    "distributions": distributions,
    "study": study,
    "adapters": adapters,
}


def record(folder: Path, names: list[str]) -> tuple[dict, bool]:
    """Measure the parts and keep each as folder/PART.json; return times, and whether all went."""
    folder.mkdir(parents=True, exist_ok=True)
    summary: dict[str, Any] = {"commit": commit(), "parts": {}}
    complete = True
    for name in names:
        path = folder / f"{name}.json"
        path.unlink(missing_ok=True)  # a part that fails leaves nothing of an earlier record
        wall, cpu = time.perf_counter(), children_s()
        line: dict[str, Any] = {}
        # A workspace for each part: the last digits of an embedding depend on which texts were
        # embedded together, and so on the parts that filled the cache before.
        with tempfile.TemporaryDirectory() as temporary:
            try:
                result = PARTS[name](CommandLine(Path(temporary)))
                path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
                line["bytes"] = path.stat().st_size
            except (RuntimeError, ValueError, LookupError, subprocess.TimeoutExpired) as error:
                line["failed"] = f"{type(error).__name__}: {error}"
                complete = False
        line["wall_s"] = round(time.perf_counter() - wall, 1)
        line["cpu_s"] = round(children_s() - cpu, 1)
        summary["parts"][name] = line
    for key in ("wall_s", "cpu_s"):
        summary[key] = round(sum(line[key] for line in summary["parts"].values()), 1)
    (folder / "recorded.json").write_text(
        json.dumps({"machine": machine(), **summary}, indent=1) + "\n", encoding="utf-8"
    )
    return summary, complete


def children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def commit() -> str:
    """The build in the current directory, with "+" where files differ from it; "" without git."""
    try:
        head = subprocess.run(["git", "describe", "--always", "--dirty=+", "--abbrev=10"],
                              capture_output=True, text=True)  # fmt: skip
    except OSError:
        return ""
    return head.stdout.strip()


class Comparison:
    """Counts of what is equal in two records of one part, and all that differs."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.different: list[dict] = []
        self.texts: dict[str, dict] = {}

    def walk(self, before: Any, after: Any, path: str, key: str = "") -> None:
        """Compare two values that lie at the same place; `key` is the last key above them."""
        if key in WALL_CLOCK:
            self.counts["ignored"] += 1
        elif isinstance(before, dict) and isinstance(after, dict):
            before = {RENAMED.get(name, name): value for name, value in before.items()}
            for name in before.keys() - after.keys():
                self.differ(f"{path}.{name}", "a key", "no such key")
            for name in after.keys() - before.keys() - ADDED:
                self.differ(f"{path}.{name}", "no such key", "a key")
            for name, value in before.items():
                if name in after:
                    self.walk(value, after[name], f"{path}.{name}", name)
        elif isinstance(before, list) and isinstance(after, list):
            if len(before) != len(after):
                self.differ(path, f"{len(before)} entries", f"{len(after)} entries")
            for place, (one, other) in enumerate(zip(before, after, strict=False)):
                self.walk(one, other, f"{path}[{place}]", key)
        elif isinstance(before, str) and isinstance(after, str) and key not in EXACT_TEXT:
            self.counts["texts"] += 1
            if before != after:
                self.text_changed(before, after, path)
        else:
            self.counts["numbers" if is_number(before) else "exact"] += 1
            if not same(before, after):
                self.differ(path, before, after)

    def differ(self, path: str, before: Any, after: Any) -> None:
        self.counts["different"] += 1
        self.different.append({"path": path, "before": before, "after": after})

    def text_changed(self, before: str, after: str, path: str) -> None:
        """Count a changed text under its path without places, with the first as an example."""
        self.counts["texts_changed"] += 1
        where = re.sub(r"\[\d+\]", "[]", path)
        line = self.texts.setdefault(
            where, {"where": where, "count": 0, "figures_too": 0, "before": before, "after": after}
        )
        line["count"] += 1
        line["figures_too"] += sorted(FIGURE.findall(before)) != sorted(FIGURE.findall(after))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(before: Any, after: Any) -> bool:
    """Return whether two are equal: numbers exactly, NaN to NaN, all else also in its type."""
    if is_number(before) and is_number(after):
        return before == after or (math.isnan(before) and math.isnan(after))
    return type(before) is type(after) and before == after


def compare(before: Path, after: Path, names: list[str]) -> tuple[dict, bool]:
    """Compare two records part by part; return the findings, and whether every number is equal."""
    parts: dict[str, dict] = {}
    different: list[dict] = []
    texts: list[dict] = []
    for name in names:
        comparison = Comparison()
        one, other = (read(folder / f"{name}.json") for folder in (before, after))
        if one is None or other is None:
            recorded = ["not recorded" if value is None else "recorded" for value in (one, other)]
            comparison.differ(name, *recorded)
        else:
            comparison.walk(one, other, name)
        keys = ("numbers", "exact", "texts", "ignored", "texts_changed", "different")
        parts[name] = {key: comparison.counts[key] for key in keys}
        missing = skips(one)
        if missing:
            parts[name]["skipped"] = missing
        different += comparison.different
        texts += comparison.texts.values()
    equal = not different
    return {
        "equal": equal,
        "parts": parts,
        "different": different[:MAX_LISTED],
        "more_different": max(len(different) - MAX_LISTED, 0),
        "text_changed": texts,
    }, equal


def skips(part: Any) -> list[str]:
    """Return the names of what a part could not measure."""
    if not isinstance(part, dict):
        return []
    return [name for name, value in part.items() if isinstance(value, dict) and "skipped" in value]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="measure the build in the current directory")
    recording.add_argument("folder", type=Path)
    comparing = commands.add_parser("compare", help="compare two records")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    for command in (recording, comparing):
        command.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    arguments = parser.parse_args()
    if arguments.command == "record":
        result, good = record(arguments.folder, arguments.only)
    else:
        result, good = compare(arguments.before, arguments.after, arguments.only)
    report(result)
    if not good:
        sys.exit(1)


if __name__ == "__main__":
    main()
