"""Does averaging over the orders of the options take a preference for a place out?

    python benchmarks/position_bias.py            the embedded base, by its logits
    python benchmarks/position_bias.py --serve    and behind `transformers serve`, by sampling

Items are those of the shipped demo. Beside the bias stands the distance (TVD) to the crowd of the
mean over all orders and of single orders, the same items in both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measuring import report, timed

from capo_core.data.catalog import Catalog
from capo_core.distributions.estimate import DistributionEstimate, EstimateConfig, estimate
from capo_core.distributions.judgments import CROWD, Judgments
from capo_core.distributions.sources import dataset_judgments
from capo_core.imitation.backends.option_scores import OptionScorer, SampledScorer
from capo_core.stats import distances
from capo_core.stats.intervals import bayesian_weights, central_interval
from capo_core.workspace import Workspace

# Of logits: 1 shows what the model prefers, 20 is the published one and flattens everything.
TEMPERATURES = (1.0, 20.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200, help="0: not by logits")
    parser.add_argument("--serve", action="store_true", help="also behind a real server")
    parser.add_argument("--served-items", type=int, default=20)
    parser.add_argument("--samples", type=int, default=10, help="answers drawn to a question")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judgments = dataset_judgments(Catalog(Workspace(Path(folder))).load("demo-nli"))
    found = [*by_logits(judgments, settings.items)] if settings.items else []
    if settings.serve:
        found += [*behind_a_server(judgments, settings.served_items, settings.samples)]
    report({"dataset": "demo-nli (simulated)", "measured": found})


def by_logits(judgments: Judgments, items: int) -> Iterator[dict]:
    from capo_core.imitation.backends.option_scores import TransformersScorer
    from capo_core.imitation.models.base_model import load_base_model

    scorer = TransformersScorer(load_base_model("embedded"))
    for options in ("letters", "labels"):
        for temperature in TEMPERATURES:
            config = EstimateConfig(options=options, temperature=temperature, items=items)
            yield measured(judgments, scorer, config)[0]


def behind_a_server(judgments: Judgments, items: int, samples: int) -> Iterator[dict]:
    """Sampling, twice with other seeds: what two samples of one order differ by is no bias."""
    from capo_core.imitation.backends.openai import ServerBackend, ServerSettings

    config = EstimateConfig(options="labels", transform="norm", items=items)
    with serving() as (url, model):
        backend = ServerBackend(ServerSettings(model, url, timeout_s=300, concurrency=1))
        first, once = measured(judgments, SampledScorer(backend, samples, seed=0), config)
        again = estimate(judgments, SampledScorer(backend, samples, seed=1), config)
        yield {**first, "model": "embedded, by transformers serve", "samples": samples,
               "notes": list(once.notes), "noise_of_one_order": noise(once, again)}  # fmt: skip


def measured(
    judgments: Judgments, scorer: OptionScorer, config: EstimateConfig
) -> tuple[dict, DistributionEstimate]:
    """The bias of one way of asking, and what averaging does to the distance to the crowd."""
    result: dict = {"model": scorer.name, "by": scorer.kind, "options": config.options,
                    "temperature": config.temperature}  # fmt: skip
    with timed(result):
        made = estimate(judgments, scorer, config)
    return {**result, "left_out": dict(made.left_out), "position_bias": made.bias.to_dict(),
            "distance_to_crowd": to_crowd(judgments, made)}, made  # fmt: skip


def to_crowd(judgments: Judgments, made: DistributionEstimate) -> dict:
    """TVD to the crowd: of the mean over orders, of single orders (mean), and the difference.

    By the triangle inequality the mean is never farther than single orders are on average.
    """
    items, labels = list(made.source.item_ids), list(made.source.labels)
    crowd = judgments.source(CROWD).rows(items)
    wide = made.table.pivot_table(index=["item_id", "order"], columns="label", values="share")
    each = np.mean(
        [
            distances.total_variation(
                crowd, wide.xs(order, level="order").loc[items, labels].to_numpy()
            )
            for order in range(wide.index.get_level_values("order").nunique())
        ],
        axis=0,
    )
    mean = distances.total_variation(crowd, made.source.shares)
    uniform = distances.total_variation(crowd, np.full_like(crowd, 1 / len(labels)))
    return {"single_order": interval(each), "mean_over_orders": interval(mean),
            "difference": interval(mean - each), "n": len(items),
            "uniform": interval(uniform)}  # fmt: skip


def noise(one: DistributionEstimate, other: DistributionEstimate) -> dict:
    """TVD between two draws of the same questions: the floor of `one_order` by sampling."""
    wide = [
        made.table.pivot_table(index=["item_id", "order"], columns="label", values="share")
        for made in (one, other)
    ]
    both = wide[0].index.intersection(wide[1].index)
    apart = np.abs(wide[0].loc[both].to_numpy() - wide[1].loc[both].to_numpy()).sum(axis=1) / 2
    by_item = [apart[both.get_level_values(0) == item].mean() for item in both.levels[0]
               if (both.get_level_values(0) == item).any()]  # fmt: skip
    return {**interval(np.array(by_item)), "n": len(by_item)}


def interval(values: np.ndarray) -> dict:
    """Mean over items with its 95 % interval (Bayesian bootstrap, 2,000 draws)."""
    weights = np.concatenate(list(bayesian_weights(np.random.default_rng(0), 2000, len(values))))
    low, high = central_interval((weights @ values) / weights.sum(axis=1))
    return {"value": float(values.mean()), "low": low, "high": high}


@contextmanager
def serving() -> Iterator[tuple[str, str]]:
    """`transformers serve` with the embedded base, under a template that renders prompts as this
    project does; its address, and its model's folder."""
    from capo_core.imitation.prompting.prompts import PLAIN_END
    from capo_core.shipped import EMBEDDED_BASE

    with tempfile.TemporaryDirectory() as place, socket.socket() as free:
        folder = Path(place) / "base"
        shutil.copytree(EMBEDDED_BASE, folder)
        # A request's temperature alone does not make this server draw: the model's files must.
        said = json.loads((folder / "generation_config.json").read_text())
        (folder / "generation_config.json").write_text(json.dumps({**said, "do_sample": True}))
        template = '{% for message in messages %}{{ message["content"] }}{% endfor %}'
        (folder / "chat_template.jinja").write_text(f"{template}{PLAIN_END}\n")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1",
             "--port", str(port)],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}/v1", str(folder)
        finally:
            process.terminate()
            process.wait(timeout=60)


def wait_for(address: str, process: subprocess.Popen, seconds: int = 300) -> None:
    for _ in range(seconds):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit("the server ended at once") from None
            time.sleep(1)
    raise SystemExit(f"the server did not answer within {seconds} s")


if __name__ == "__main__":
    main()
