"""Every kind of figure, drawn from the shipped demo by the pages' own export: the guide's pictures.

    python -m capo_core.dashboard.guide.gallery WORKSPACE [DOCS [PRINT]]

opens the pages on a workspace (the demo's results come into it; what they lack is computed once,
in some minutes), takes the first figure of each kind, and writes `guide/figures.md` and its
pictures into the folder DOCS, by default that of the project. Into the folder PRINT it also writes
each figure as PDF, SVG, PNG and caption, one column wide.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

import plotly.graph_objects as go

from capo_core import demo_results
from capo_core.dashboard.ui import print_figure
from capo_core.dashboard.ui.figure_kinds import FigureKind, all_kinds, kind_of
from capo_core.provenance import Provenance
from capo_core.shipped import DOCS
from capo_core.workspace import Workspace, atomic_file, make_folder

DOCUMENT = "guide/figures.md"
REASONING = "demo-reasoning"  # a study for the ratings, which the demo's study does not ask for
_NLI, _PARAPHRASE = "demo-nli", "demo-paraphrase"
_ITEMS, _PASSAGES = 30, 32  # of retention and model explanations, so that they take minutes
_TRAININGS = ("demo_nli-sft", "demo_nli-capo")  # how the names of the demo's trainings begin
_TRIES = 60  # times that a page is drawn again until what it computes is there
_PAGES = {
    "stability": "Stability",
    "annotators": "Annotators",
    "distributions": "Distributions",
    "compare": "Compare",
    "finetune": "Fine-tune",
    "studies": "Studies",
}
_HEAD = """# Figures

One figure of each kind, of the simulated datasets that ship with the project. *Export* below \
every chart writes it as PDF, SVG or PNG, one column (7.7 cm) or two (16 cm) wide, with its data \
as CSV; here are the PNGs of one column, at half their resolution. Under each stands the caption \
that comes with it.

`python -m capo_core.dashboard.guide.gallery WORKSPACE docs FOLDER` makes this page, and writes \
the figures into FOLDER as PDF, SVG and PNG with their captions. For a report of your own, \
`python -m capo_core figures REPORT.json` does the same (`--kind pdf|svg|png`, `--width`, `--bare`).
"""


@dataclass(frozen=True)
class Shot:
    """A figure as a page exports it."""

    figure: go.Figure
    title: str
    caption: str
    provenance: Provenance

    @property
    def kind(self) -> FigureKind:
        return kind_of(self.figure)

    def file(self, form: str, *, bare: bool = False) -> bytes:
        """Return the figure as "pdf", "svg" or "png", one column wide."""
        return print_figure.printed(
            self.figure, form, "one column", title=self.title, caption=self.caption,
            provenance=self.provenance, bare=bare,
        )  # fmt: skip


def views(explanations: str, trainings: tuple[str, ...]) -> dict[str, str]:
    """Return the addresses that are opened → the kind that each is opened for.

    Args:
        explanations: id of an opened file of model explanations. trainings: finished ones.
    """
    nli, sft = f"dataset={_NLI}", trainings[0]
    alike = f"{nli}&files={explanations}&part=explanations&like=words&swapped=1"
    results = f"{nli}&view=study&study={demo_results.STUDY_NAME}&part=results"
    return {
        f"stability?{nli}": "ladder",
        f"stability?{nli}&part=variance": "variance",
        f"stability?{nli}&part=reliability": "reliability",
        f"stability?{nli}&part=information": "separation",
        f"stability?{nli}&part=authors": "likeliest-author",
        f"annotators?{nli}": "label-use",
        f"annotators?{nli}&view=two": "agreement",
        f"annotators?{nli}&view=all": "annotators",
        f"annotators?{nli}&view=map&rep=words": "map",
        f"distributions?{nli}": "places",
        f"distributions?{nli}&look=together": "shares",
        f"distributions?dataset={_PARAPHRASE}&look=together": "cumulated",
        f"distributions?{alike}": "replaced",
        f"distributions?{nli}&part=transfer": "transfer",
        f"compare?{nli}": "imitation",
        f"compare?{nli}&part=habits": "style-features",
        f"compare?{nli}&part=confusion": "attribution-confusion",
        f"compare?{nli}&part=retention&target={demo_results.TARGET}": "retention-plane",
        f"finetune?{nli}&view=run&run={sft}": "training-curve",
        f"finetune?{nli}&view=runs&pick={'~'.join(trainings)}": "training-overlay",
        f"studies?{results}&behind=quality": "study-attentiveness",
        f"studies?{nli}&view=study&study={REASONING}&part=results": "study-reasoning",
        f"studies?{nli}&view=new": "study-plan",
    }


def prepare(workspace: Workspace) -> dict[str, str]:
    """Compute what the pages need beyond the demo's results, once; return the addresses to open."""
    from capo_core.atlas.explanation_map import MapConfig, made_map
    from capo_core.dashboard.distributions.data import take_in
    from capo_core.data.catalog import Catalog
    from capo_core.run_folder import list_runs

    workspace.become_default()
    data = Catalog(workspace).load(_NLI)
    demo_results.install(workspace)
    demo_results.install_study(workspace)
    runs = list_runs(workspace)
    trainings = tuple(
        sorted(
            (each.path.name for each in runs if each.path.name.startswith(_TRAININGS)),
            reverse=True,
        )
    )
    for name in trainings:
        _command("retention", "--dataset", _NLI, "--run", name, "--items", _ITEMS,
                 "--passages", _PASSAGES)  # fmt: skip
    texts = workspace.root / "explained.jsonl"
    if not texts.exists():
        _command("distributions", "explain", "--dataset", _NLI, "--base", "embedded", "--items",
                 _ITEMS, "--guided-by", "annotators", "--out", texts)  # fmt: skip
    methods = _generations(workspace)
    made_map(data, MapConfig(representation="words", reduction="mask_input"), workspace, methods)
    _study(workspace, data)
    return views(take_in(workspace, texts, None, data.task.scale.labels), trainings)


def _generations(workspace: Workspace) -> tuple[str, ...]:
    """Return the generations whose answers the map of the page has."""
    from capo_core.data.catalog import Catalog
    from capo_core.runs import comparisons

    (entry,) = (each for each in Catalog(workspace).entries() if each.name == _NLI)
    finished = comparisons.finished_generations(workspace, entry)
    known = comparisons.all_comparisons(workspace, entry, finished)
    return next(one.runs for one in known if one.report_path is not None)


def _study(workspace: Workspace, data) -> None:
    """Have simulated judges rate reasoning in a study of its own, unless it is there."""
    from capo_core.study.design import draft, freeze
    from capo_core.study.owner.simulated_session import hold
    from capo_core.study.simulated_judges import SimulatedJudgesConfig
    from capo_core.study.store import open_store
    from capo_core.study.tables import REASONING as RATED

    if REASONING in draft.names(workspace):
        return
    config = replace(
        draft.load(workspace, demo_results.STUDY_NAME).config, name=REASONING, kinds=(RATED,)
    )
    draft.create(workspace, draft.draw_from(workspace, data, config))
    freeze.freeze(workspace, REASONING, accept_leaks=True)
    engine = open_store(workspace)
    hold(workspace, engine, REASONING, SimulatedJudgesConfig(**demo_results.JUDGES))
    engine.dispose()


def _command(*words: object) -> None:
    """Run a command of the product in this process.

    Raises:
        RuntimeError: it failed.
    """
    from typer.testing import CliRunner

    from capo_core.cli import app

    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exit_code:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.output}")


def page_shots(wanted: Mapping[str, str]) -> dict[str, Shot]:
    """Open addresses of pages; return the first figure of each kind that they show.

    Args:
        wanted: address → a kind of figure; the page is drawn again until it shows it.

    Raises:
        RuntimeError: a page does not show the figure that it is opened for.
    """
    from streamlit import config as streamlit_config
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from capo_core.cli.start import SCRIPT
    from capo_core.dashboard.ui import components, exports

    streamlit_config._main_script_path = str(SCRIPT)
    streamlit_config.get_config_options(force_reparse=True)
    found: dict[str, Shot] = {}
    real = components.export_figure

    def noted(figure: go.Figure, *, key: str, file_name: str, title: str, caption: str) -> None:
        found.setdefault(kind_of(figure).name, Shot(figure, title, caption, exports.current()))
        real(figure, key=key, file_name=file_name, title=title, caption=caption)

    components.export_figure = noted
    try:
        for address, kind in wanted.items():
            page, _, query = address.partition("?")
            app = AppTest.from_file(str(SCRIPT), default_timeout=600)
            for key, value in parse_qsl(query):
                app.query_params[key] = value
            app._page_hash = calc_hash(page)
            app.run()
            for _ in range(_TRIES):
                if kind in found or app.exception:
                    break
                time.sleep(1)
                app.run()
            if kind not in found:
                said = [each.value for each in (*app.exception, *app.error)]
                raise RuntimeError(f"{address} shows no {kind!r}: {said}")
    finally:
        components.export_figure = real
    return found


def other_shots() -> Iterator[Shot]:
    """Yield figures that no page shows of the demo: of a calibration and of a board.

    The board is of the demo's own items by two systems that read nothing, beside no published row:
    those are scores on other data.
    """
    from capo_core.dashboard.distributions.benchmark import chart
    from capo_core.dashboard.stability import charts
    from capo_core.leaderboards.boards import BOARDS, CONTENT, SOFT
    from capo_core.leaderboards.compute import compute
    from capo_core.provenance import SIMULATED
    from capo_core.stability.calibration import CalibrationConfig, calibrate

    shared = {"representations": ("words",), "reductions": ("none",)}
    simulated = Provenance("", "", SIMULATED)
    for draw, title, config in (
        (charts.planted, "Attribution accuracy by planted style strength",
         CalibrationConfig(items=100, permutations=50, **shared)),
        (charts.null_p_values, "Distribution of p-values on null data",
         CalibrationConfig(items=60, strengths=(0.0,), datasets=40, pool=(1,), permutations=99,
                           **shared)),
    ):  # fmt: skip
        made = calibrate(config)
        rows = made.summary if draw is charts.planted else made.points
        sets = len(config.strengths) * config.datasets
        yield Shot(draw(rows), title, "", simulated.but(n=(("simulated dataset", sets),)))
    board = compute(
        Workspace.default(), BOARDS["varierr"], CONTENT, data=_NLI,
        systems=("nothing", "frequent"), with_runs=False,
    )  # fmt: skip
    ours = replace(board, rows=tuple(board.ours))
    yield Shot(
        chart(ours, SOFT), "Score of each row on the demo's items",
        "Ours with 95 % intervals over test items; a board of LeWiDi-2025 has published rows "
        "below a line, as diamonds", board.provenance,
    )  # fmt: skip


def all_shots(workspace: Workspace) -> dict[str, Shot]:
    """Return one figure of each registered kind, in the order of the guide.

    Raises:
        RuntimeError: a kind is shown nowhere.
    """
    found = page_shots(prepare(workspace))
    found |= {shot.kind.name: shot for shot in other_shots()}
    kinds = all_kinds()
    if missing := kinds.keys() - found.keys():
        raise RuntimeError(f"no page of the gallery shows {sorted(missing)}")
    pages = list(_PAGES)
    order = sorted(kinds.values(), key=lambda kind: (pages.index(kind.page), kind.name))
    return {kind.name: found[kind.name] for kind in order}


def markdown(shots: Mapping[str, Shot]) -> str:
    """Return the document with all figures and their captions."""
    lines, page = [_HEAD], ""
    for name, shot in shots.items():
        if shot.kind.page != page:
            page = shot.kind.page
            lines.append(f"## {_PAGES[page]}\n")
        caption = print_figure.caption_of(shot.title, shot.caption, shot.provenance)
        lines.append(f"### {shot.kind.title}\n")
        lines.append(f"![{shot.kind.title}](figure-{name}.png)\n")
        lines.append(f"{caption}\n")
    return "\n".join(lines)


def write(shots: Mapping[str, Shot], docs: Path) -> None:
    """Write the document and its pictures, small, with the metadata of the export."""
    files = {DOCUMENT: markdown(shots).encode()}
    for name, shot in shots.items():
        files[f"guide/figure-{name}.png"] = _small(shot.file("png"))
    for name, content in files.items():
        with atomic_file(docs / name) as file:
            file.write(content)


def _small(png: bytes) -> bytes:
    """Return a picture of half the size with 128 colours, rare ones too, and its metadata."""
    import io

    from PIL import Image, PngImagePlugin

    picture = Image.open(io.BytesIO(png))
    about = PngImagePlugin.PngInfo()
    for key, text in picture.text.items():
        about.add_text(key, text)
    out = io.BytesIO()
    half = picture.convert("RGB").resize((picture.width // 2, picture.height // 2))
    few = half.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(out, "png", optimize=True, pnginfo=about, dpi=(150, 150))
    return out.getvalue()


def write_for_print(shots: Mapping[str, Shot], folder: Path) -> None:
    """Write each figure as PDF, SVG, PNG and caption, and as PDF without words around it."""
    make_folder(folder)
    for name, shot in shots.items():
        for form in ("pdf", "svg", "png"):
            (folder / f"{name}.{form}").write_bytes(shot.file(form))
        (folder / f"{name}-bare.pdf").write_bytes(shot.file("pdf", bare=True))
        text = print_figure.caption_file(shot.title, shot.caption, shot.provenance)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def main(words: list[str]) -> None:
    """Run from the command line: WORKSPACE [DOCS [PRINT]].

    Raises:
        SystemExit: there is no WORKSPACE: the folder one happens to be in must not become one.
    """
    if not 1 <= len(words) <= 3:
        raise SystemExit(
            "usage: python -m capo_core.dashboard.guide.gallery WORKSPACE [DOCS [PRINT]]"
        )
    workspace, docs, for_print = [*words, *("", str(DOCS), "")[len(words) :]]
    shots = all_shots(Workspace(Path(workspace).resolve()))
    write(shots, Path(docs))
    if for_print:
        write_for_print(shots, Path(for_print))
    print(f"{len(shots)} figures in {Path(docs) / 'guide'}")


if __name__ == "__main__":
    main(sys.argv[1:])
