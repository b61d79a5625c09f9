"""The real `transformers serve` with the embedded base: it gives text, and no log-probabilities."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.distribution_sources import judgments, source

from capo_core.distributions.estimate import EstimateConfig, estimate
from capo_core.errors import BackendUnavailable
from capo_core.imitation.backends.openai import ServerBackend, ServerSettings
from capo_core.imitation.backends.option_scores import SampledScorer, ServerScorer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(find_spec, ("fastapi", "uvicorn", "transformers"))),
        reason="transformers serve needs fastapi and uvicorn",
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of the server, and the folder of its model: the embedded base with a template
    that renders a prompt as we do, which the server cannot do without."""
    from capo_core.imitation.prompting.prompts import PLAIN_END
    from capo_core.shipped import EMBEDDED_BASE

    folder = tmp_path_factory.mktemp("served") / "base"
    shutil.copytree(EMBEDDED_BASE, folder)
    template = '{% for message in messages %}{{ message["content"] }}{% endfor %}'
    # A template's last line break is not rendered.
    (folder / "chat_template.jinja").write_text(f"{template}{PLAIN_END}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = Path(sys.executable).with_name("transformers")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}
    process = subprocess.Popen(
        [str(command), "serve", "--host", "127.0.0.1", "--port", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except OSError:
                assert process.poll() is None, "the server ended at once"
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_sampling_from_a_real_server(served):
    url, model = served
    backend = ServerBackend(ServerSettings(model, url, timeout_s=300, concurrency=1))
    made = judgments(source("crowd", [[0.2, 0.5, 0.3]]))
    config = EstimateConfig(options="labels", orders="one", transform="norm")
    found = estimate(made, SampledScorer(backend, 6), config)
    assert found.score_kind == "frequency"
    counts = found.table["score"]
    assert 1 <= counts.sum() <= 6
    np.testing.assert_allclose(found.source.shares[0], counts / counts.sum())


def test_a_server_that_does_not_draw_is_noticed(served):
    # The embedded base's own settings do not say do_sample: temperature 1 gives the likeliest.
    url, model = served
    backend = ServerBackend(ServerSettings(model, url, timeout_s=300, concurrency=1))
    made = judgments(source("crowd", [[0.2, 0.5, 0.3]] * 2))
    config = EstimateConfig(options="labels", transform="norm")
    found = estimate(made, SampledScorer(backend, 2), config)
    assert found.questions == 12 and "do_sample" in found.notes[0]


def test_a_server_without_log_probabilities_says_what_to_do(served):
    url, model = served
    made = judgments(source("crowd", [[0.2, 0.5, 0.3]]))
    with pytest.raises(BackendUnavailable, match="--by sampling"):
        estimate(made, ServerScorer(ServerSettings(model, url, timeout_s=300)), EstimateConfig())
