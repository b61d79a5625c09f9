"""Are the estimates of a study right? Simulated judges with known attentiveness and known accuracy.

    python benchmarks/judge_quality.py --repetitions 200 --out judge_quality.json --table table.md

Tables: (1) attentiveness by EM over judges × comparisons × overlap: rank correlation with the
truth against an oracle that knows μ, the prior of attentiveness and computes posterior means;
coverage of the 95 % intervals; does the likelihood ever fall; (2) μ near one half, or nothing that
identifies; (3) exported preference pairs, filtered in five ways; (4) coverage of the intervals of
shares and differences and (5) of Bradley-Terry strengths, clustered by judge and item; (6) of the
weighted share. Tables 1 to 3 and 6 are in `simulated_quality`, 4 and 5 in `simulated_coverage`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from measuring import report
from simulated_coverage import shares, strengths
from simulated_quality import attentiveness, filters, silence, weighted


def table(rows: list[dict]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = ["" if row[name] is None else str(row[name]) for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


PARTS = {
    "attentiveness": attentiveness,
    "silence": silence,
    "filters": filters,
    "weighted": weighted,
    "shares": shares,
    "strengths": strengths,
}


TIMES = {
    "shares": 10,
    "strengths": 5,
    "weighted": 5,
}  # cheap, so that 93 and 95 % can be told apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, help="JSON with all tables")
    parser.add_argument("--table", type=Path, help="the same as Markdown")
    options = parser.parse_args()
    results: dict = {"repetitions": options.repetitions}
    for name in options.only:
        start = time.process_time()
        results[name] = PARTS[name](options.repetitions * TIMES.get(name, 1))
        results[f"{name}_cpu_s"] = round(time.process_time() - start, 1)
        print(f"{name}\n{table(results[name])}\n", flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if options.table:
        parts = [f"**{name}**\n\n{table(results[name])}" for name in options.only]
        options.table.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    report({name: results[f"{name}_cpu_s"] for name in options.only})


if __name__ == "__main__":
    main()
