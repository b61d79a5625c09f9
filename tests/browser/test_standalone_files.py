"""Reports and figures as files: opened without a server, they ask for nothing and name their
tables."""

import zipfile

import numpy as np
import pytest
from helpers.distribution_sources import judgments, source

from capo_core.dashboard.ui.charts import blank
from capo_core.dashboard.ui.exports import figure_page
from capo_core.demo_results import FILE
from capo_core.distributions.compare import CompareConfig
from capo_core.distributions.provenance import judgments_provenance
from capo_core.distributions.ranking import rank
from capo_core.distributions.report import DistributionReport, to_html
from capo_core.evaluation import export
from capo_core.evaluation import report as evaluations
from capo_core.provenance import SIMULATED, Provenance


def comparison(folder):
    """The report of the demo's experiment."""
    with zipfile.ZipFile(FILE) as archive:
        (name,) = (each for each in archive.namelist() if "evaluate" in each and "report" in each)
        (folder / "report.json").write_bytes(archive.read(name))
    return export.to_html(evaluations.load(folder / "report.json"))


def distributions(folder):
    made = judgments(
        source("crowd", np.full((12, 3), 1 / 3)), source("a", np.eye(3)[np.arange(12) % 3]),
        source("b", np.eye(3)[np.arange(12) // 4]),
    )  # fmt: skip
    report = DistributionReport(made, rank(made, CompareConfig(draws=100)), "JSD")
    return to_html(report, judgments_provenance(made))


def figure(folder):
    drawn = blank(300)
    drawn.add_scatter(x=[1, 2], y=[1, 2])
    return figure_page(drawn, "figure", Provenance("made", "ab" * 32, SIMULATED))


@pytest.mark.parametrize("make", [comparison, distributions, figure])
def test_a_file_opens_asks_for_nothing_and_its_tables_have_names(make, page, tmp_path):
    path = tmp_path / "file.html"
    path.write_text(make(tmp_path), encoding="utf-8")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.locator("h1, .js-plotly-plot .scatterlayer").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert asked == [path.as_uri()]
    tables = page.get_by_role("table").all()
    assert all(each.get_attribute("aria-label") for each in tables)
    assert bool(tables) == (make is not figure)
