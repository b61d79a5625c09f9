"""A study's settings as the commands of `study` take them: options, a file, an experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capo_core.cli_runs_words import changes_of
from capo_core.errors import ConfigError
from capo_core.workspace import Workspace

if TYPE_CHECKING:
    from capo_core.study.config import StudyConfig


def wished_settings(
    workspace: Workspace,
    config: Path | None,
    experiment: str | None,
    source: list[str] | None,
    set_: list[str] | None,
    **given: Any,
) -> dict[str, Any]:
    """The settings that were given: those of the file, of options (None is not given), of --set."""
    wished = _read(config) if config else {}
    wished |= {name: value for name, value in given.items() if value is not None}
    if source or experiment:
        wished["sources"] = {**_of_experiment(workspace, experiment), **_sources(source or [])}
    return wished | (changes_of(set_) if set_ else {})


def _sources(source: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in source:
        name, _, runs = one.partition("=")
        if name in found:
            raise ConfigError(f"the source {name!r} is given twice", where="--source")
        found[name] = runs.split(",") if runs else name
    return found


def _of_experiment(workspace: Workspace, experiment: str | None) -> dict[str, Any]:
    """Method → its generation runs, of all seeds; with people's texts beside them."""
    if experiment is None:
        return {}
    from capo_core.experiment import store

    found: dict[str, Any] = {"human": "human", "other_human": "other_human"}
    for member in store.find(workspace, experiment).members:
        if member.kind == "generate":
            found.setdefault(member.method, []).append(member.run_id)
    return found


def study_config(raw: dict[str, Any]) -> StudyConfig:
    """The design of these settings; `ConfigError` where one is wrong or missing."""
    from capo_core.study.config import StudyConfig

    return StudyConfig.from_dict(raw)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the design cannot be read ({error})", where=str(path)) from None
    if not isinstance(raw, dict):
        raise ConfigError("the design is not a JSON object", where=str(path))
    return raw
