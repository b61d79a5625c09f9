"""The runs of an experiment and their dependencies.

    profile ───────────────► generate (profile)  ─┐
    SFT of a target ──┬────► generate (sft)      ─┤
                      └► CAPO ► generate (capo)  ─┼► evaluation
    (nothing) ─────────────► generate (zero_shot, icl) ┘

for each seed; one evaluation at the end covers all seeds. An LLM judge, where there is one, comes
between generations and evaluation, and retention after a target's last training. Judge and
evaluation start when all runs before them have ended, and use those that succeeded; all others
need every run they depend on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from capo_core.imitation.prompting.prompts import METHODS, TRAINED
from capo_core.runs.experiments.config import ExperimentConfig
from capo_core.runs.request import RunRequest
from capo_core.runs.submit import run_name

# The likely duration of a run relative to the others of its experiment, for the progress shown
# before anything is measured: a training of one target is 1.
WEIGHTS = {"train_sft": 1.0, "train_capo": 1.6, "profile": 0.3, "generate": 0.5, "evaluate": 0.4,
           "retention": 0.8, "judge": 0.5}  # fmt: skip


@dataclass(frozen=True)
class PlannedRun:
    """A planned run of an experiment.

    Attributes:
        run_id: the name it will have.
        weight: its share of the whole, relative to others.
        seed: of its repetition; None for the evaluation of all seeds.
    """

    run_id: str
    request: RunRequest
    weight: float
    method: str
    seed: int | None


def plan_runs(config: ExperimentConfig) -> list[PlannedRun]:
    """Return the runs of an experiment, each after those it depends on."""
    found: dict[str, PlannedRun] = {}

    def add(kind, settings, method, seed, after=(), weight=1.0, after_any=()) -> str:
        about = {"dataset": config.dataset, "fingerprint": config.fingerprint, **settings}
        request = RunRequest(
            kind, about, tuple(after), config.experiment_id,
            executor=config.executor, after_any=tuple(after_any),
        )  # fmt: skip
        name = run_name(request)
        # Methods can need the same run: it goes by the first of them.
        found.setdefault(name, PlannedRun(name, request, weight * WEIGHTS[kind], method, seed))
        return name

    shared = bool(config.sft.get("shared"))
    learners = ("all",) if shared else config.targets
    answers: list[str] = []
    authors: list[str] = []
    for seed in config.seeds:
        model = _model(config, trained=False)
        if "profile" in config.methods:
            settings = {**model, "targets": list(config.targets), "config": _profile(config, seed)}
            many = len(config.targets)
            profiles = add("profile", settings, "profile", seed, weight=many)
        adapters: dict[str, dict[str, str]] = {}  # method → learner → run
        before: dict[str, dict[str, str]] = {}  # the same of the SFT run before it
        for method in config.trained:
            sft_config, capo_config = config.trainings(method, seed)
            for target in learners:
                settings = {
                    "target": target,
                    "base": config.base,
                    "config": sft_config.to_dict(),
                }
                kind = method if METHODS[method].stage == "sft" else "sft"
                name = add("train_sft", settings, kind, seed)
                before.setdefault(method, {})[target] = name
                if capo_config is not None:
                    settings = {
                        "target": target,
                        "sft": name,
                        "config": replace(capo_config, shared=shared).to_dict(),
                    }
                    name = add("train_capo", settings, method, seed, [name])
                adapters.setdefault(method, {})[target] = name
        if config.likelihood and not authors:
            authors = list(adapters[config.author_method].values())
        for method in config.methods:
            settings = {
                **_model(config, trained=method in TRAINED),
                "targets": list(config.targets),
                "config": config.generate_config(method, seed).to_dict(),
            }
            after: list[str] = []
            if method in TRAINED:
                after = list(adapters[method].values())
                settings["adapters"] = after
            elif method == "profile":
                after = [profiles]
                settings["profiles"] = profiles
            weight = float(len(config.targets))
            answers.append(add("generate", settings, method, seed, after, weight))
        if config.retention is not None:
            method = next((each for each in ("capo", *config.trained) if each in adapters), "")
            for target in config.targets if method else ():
                learner = "all" if shared else target
                run = adapters[method][learner]
                settings = {"target": target, "run": run, **_retention(config)}
                add("retention", settings, method, seed, [before[method][learner], run])
    waits = list(answers)
    settings = {"runs": answers, "config": dict(config.evaluate)}
    if config.judge is not None:
        many = len(config.targets)
        judge = add("judge", _judge(config, answers), "", None, weight=many, after_any=answers)
        settings["judges"], waits = [judge], [*answers, judge]
    if authors:
        settings["authors"], waits = authors, [*waits, *authors]
    add("evaluate", settings, "", None, weight=len(config.targets), after_any=waits)
    return list(found.values())


def _model(config: ExperimentConfig, *, trained: bool) -> dict[str, Any]:
    if config.server and not trained:
        return {"server": config.server}
    return {"base": config.base}


def _profile(config: ExperimentConfig, seed: int) -> dict[str, Any]:
    from capo_core.imitation.prompting.value_profiles import ProfileConfig

    return asdict(ProfileConfig(**{"seed": seed, **config.profile}))


def _retention(config: ExperimentConfig) -> dict[str, Any]:
    from capo_core.evaluation.retention import RetentionConfig

    raw = dict(config.retention or {})
    text = raw.pop("text", "")
    return {
        **({"text": text} if text else {}),
        "config": RetentionConfig(**raw).to_dict(),
    }


def _judge(config: ExperimentConfig, answers: list[str]) -> dict[str, Any]:
    from capo_core.evaluation.llm_judge.trials import LlmJudgeConfig

    raw = dict(config.judge or {})
    who = {name: raw.pop(name) for name in ("server", "base") if name in raw}
    return {"runs": list(answers), **who, "config": LlmJudgeConfig(**raw).to_dict()}
