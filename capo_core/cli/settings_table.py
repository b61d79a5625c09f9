"""The table of all settings, docs/settings.md: made from the classes, and from the commands.

    python -m capo_core.cli.settings_table docs/settings.md

A test holds the file equal to what this writes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from capo_core.atlas.explanation_map import MapConfig
from capo_core.cli import COMMANDS, load_command
from capo_core.cli.options import default_of
from capo_core.distributions.compare import CompareConfig
from capo_core.distributions.estimate import EstimateConfig
from capo_core.distributions.explanations import ExplainConfig
from capo_core.distributions.soft_label_data import SoftLabelConfig
from capo_core.distributions.variation import VariationConfig
from capo_core.evaluation.authors.result import AuthorsConfig
from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig
from capo_core.evaluation.retention import RetentionConfig
from capo_core.evaluation.table import TableConfig
from capo_core.formatting import capitalised
from capo_core.imitation.backends.base import Decoding
from capo_core.imitation.backends.openai import ServerSettings
from capo_core.imitation.embedded_base.config import EmbeddedBaseConfig
from capo_core.imitation.generation.requests import GenerateConfig
from capo_core.imitation.pairs.build import PairsConfig
from capo_core.imitation.prompting.value_profiles import ProfileConfig
from capo_core.imitation.training.config import CapoConfig, SftConfig
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.settings import SettingField, settings_fields
from capo_core.simulation.simulate import SimulationConfig
from capo_core.stability.calibration import CalibrationConfig
from capo_core.stability.config import StabilityConfig
from capo_core.study.analysis.analysis import AnalysisSettings
from capo_core.study.analysis.judge_quality import Prior
from capo_core.study.analysis.preference_pairs import PairFilter
from capo_core.study.config import StudyConfig
from capo_core.study.design.planner import PlanInputs
from capo_core.study.judging.judge import Terms
from capo_core.study.simulated_judges import SimulatedJudgesConfig
from capo_core.workspace import atomic_file

# In the order of the work. Stages inside others are listed there, by their path.
STAGES = (
    SimulationConfig, StabilityConfig, CalibrationConfig, AuthorsConfig, PairsConfig, ProfileConfig,
    SftConfig, CapoConfig, GenerateConfig, Decoding, ServerSettings, EmbeddedBaseConfig,
    TableConfig, LlmJudgeConfig, RetentionConfig, ExperimentConfig, CompareConfig, VariationConfig,
    EstimateConfig, ExplainConfig, SoftLabelConfig, StudyConfig, PlanInputs, Terms,
    SimulatedJudgesConfig, AnalysisSettings, Prior, PairFilter, MapConfig,
)  # fmt: skip
HEAD = (
    "# Settings\n\nEach stage has one class of settings. `make docs` writes this page from the "
    "classes, and a test holds it equal. A setting's path is its name in JSON and in `--set`; one "
    "that is left out has its default. An option that only some of a table's commands have names "
    "them.\n\n"
)


def settings_page() -> str:
    """Return the whole page as Markdown."""
    options = list(_options())
    return HEAD + "\n".join(_section(stage, options) for stage in STAGES)


def _options() -> Iterator[tuple[str, type, str, str]]:
    """Yield command ("train sft"), class, path of the setting and option for all of them."""
    for words, command in _commands():
        for cls, path, option in getattr(command.callback, "settings_options", ()):
            yield words, cls, path, option


def _commands() -> Iterator[tuple[str, Any]]:
    waiting = [(name, load_command(name)) for name in COMMANDS]
    for name, command in waiting:
        if hasattr(command, "commands"):
            waiting += [(f"{name} {word}", each) for word, each in command.commands.items()]
        else:
            yield name, command


def _section(stage: type, options: list[tuple[str, type, str, str]]) -> str:
    own = [(words, path, option) for words, cls, path, option in options if cls is stage]
    commands = list(dict.fromkeys(words for words, _, _ in own))
    title = capitalised(stage.settings_title)
    about = (inspect.getdoc(stage) or "").split("\n\n")[0].replace("\n", " ")
    places = f" Options of {_listed(commands)}." if commands else ""
    lines = [
        f"## {title}", "", f"`{stage.__module__}.{stage.__name__}`: {about}{places}", "",
        "| setting | title | description | values | default | option |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for field in settings_fields(stage):
        found: dict[str, list[str]] = {}
        for words, path, option in own:
            if path == field.path:
                found.setdefault(option, []).append(words)
        shown = [
            f"`{option}`" + (f" ({_listed(by)})" if by != commands else "")
            for option, by in found.items()
        ]
        cells = (
            f"`{field.path}`", field.title, field.description, field.expected, _default(field),
            ", ".join(shown),
        )  # fmt: skip
        lines.append("| " + " | ".join(_cell(text) for text in cells) + " |")
    return "\n".join(lines) + "\n"


def _default(field: SettingField) -> str:
    if field.required:
        return "required"
    if field.kind in ("object", "objects"):
        return "; ".join(_parts(each) for each in field.default or ()) or field.empty or "none"
    return default_of(field)


def _parts(value: Any) -> str:
    """A small record, such as a view, by its values."""
    if not is_dataclass(value):
        return str(value)
    return ", ".join(str(getattr(value, each.name)) for each in fields(value))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> None:
    """Write the page to the file named on the command line, or print it."""
    if len(sys.argv) < 2:
        print(settings_page(), end="")
        return
    with atomic_file(Path(sys.argv[1]), "w") as file:
        file.write(settings_page())


if __name__ == "__main__":
    main()
