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

from collections.abc import Sequence
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
    plan = _Plan(config)
    answers: list[str] = []
    authors: list[str] = []
    for seed in config.seeds:
        profiles = plan.add_profiles(seed) if "profile" in config.methods else ""
        adapters, before = plan.add_trainings(seed)
        if config.likelihood and not authors:
            authors = list(adapters[config.author_method].values())
        answers += [plan.add_answers(method, seed, adapters, profiles) for method in config.methods]
        if config.retention is not None:
            plan.add_retention(seed, adapters, before)
    plan.add_evaluation(answers, authors)
    return list(plan.runs.values())


# Method → learner (a target, or "all" who share an adapter) → the training's run.
_Trainings = dict[str, dict[str, str]]


class _Plan:
    """The runs planned so far, by name, in the order in which they were added."""

    def __init__(self, config: ExperimentConfig) -> None:
        self.config = config
        self.runs: dict[str, PlannedRun] = {}
        self.shared = bool(config.sft.get("shared"))
        self.targets = list(config.targets)

    def add(
        self, kind: str, settings: dict[str, Any], method: str, seed: int | None,
        after: Sequence[str] = (), weight: float = 1.0, after_any: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """Add a run that starts after all of `after` and any end of `after_any`; return its name.

        Methods can need the same run: it goes by the first of them.
        """
        config = self.config
        about = {"dataset": config.dataset, "fingerprint": config.fingerprint, **settings}
        request = RunRequest(
            kind, about, tuple(after), config.experiment_id,
            executor=config.executor, after_any=tuple(after_any),
        )  # fmt: skip
        name = run_name(request)
        self.runs.setdefault(name, PlannedRun(name, request, weight * WEIGHTS[kind], method, seed))
        return name

    def add_profiles(self, seed: int) -> str:
        """Add the run that writes the value profiles of all targets."""
        settings = {
            **_model(self.config, trained=False),
            "targets": self.targets,
            "config": _profile(self.config, seed),
        }
        return self.add("profile", settings, "profile", seed, weight=len(self.targets))

    def add_trainings(self, seed: int) -> tuple[_Trainings, _Trainings]:
        """Add the trainings of all methods; return each method's last ones, and the SFT before."""
        last: _Trainings = {}
        first: _Trainings = {}
        for method in self.config.trained:
            sft_config, capo_config = self.config.trainings(method, seed)
            for target in ("all",) if self.shared else self.targets:
                settings = {
                    "target": target,
                    "base": self.config.base,
                    "config": sft_config.to_dict(),
                }
                kind = method if METHODS[method].stage == "sft" else "sft"
                name = self.add("train_sft", settings, kind, seed)
                first.setdefault(method, {})[target] = name
                if capo_config is not None:
                    settings = {
                        "target": target,
                        "sft": name,
                        "config": replace(capo_config, shared=self.shared).to_dict(),
                    }
                    name = self.add("train_capo", settings, method, seed, [name])
                last.setdefault(method, {})[target] = name
        return last, first

    def add_answers(self, method: str, seed: int, adapters: _Trainings, profiles: str) -> str:
        """Add the generation of a method's answers in the place of all targets."""
        config = self.config.generate_config(method, seed).to_dict()
        settings = {
            **_model(self.config, trained=method in TRAINED),
            **({"batch_tokens": config["batch_tokens"]} if "batch_tokens" in config else {}),
            "targets": self.targets,
            "config": config,
        }
        after: list[str] = []
        if method in TRAINED:
            after = list(adapters[method].values())
            settings["adapters"] = after
        elif method == "profile":
            after = [profiles]
            settings["profiles"] = profiles
        return self.add("generate", settings, method, seed, after, float(len(self.targets)))

    def add_retention(self, seed: int, adapters: _Trainings, before: _Trainings) -> None:
        """Add retention of each target's last training, of CAPO where there is one."""
        method = next((each for each in ("capo", *self.config.trained) if each in adapters), "")
        for target in self.targets if method else ():
            learner = "all" if self.shared else target
            run = adapters[method][learner]
            settings = {"target": target, "run": run, **_retention(self.config)}
            self.add("retention", settings, method, seed, [before[method][learner], run])

    def add_evaluation(self, answers: list[str], authors: list[str]) -> None:
        """Add the evaluation of all seeds, after the LLM judge where there is one.

        Args:
            authors: trainings whose adapters say how likely a text is; empty without them.
        """
        config, many = self.config, len(self.targets)
        waits = list(answers)
        settings = {"runs": answers, "config": dict(config.evaluate)}
        if config.judge is not None:
            judge = self.add(
                "judge", _judge(config, answers), "", None, weight=many, after_any=answers
            )
            settings["judges"], waits = [judge], [*answers, judge]
        if authors:
            settings["authors"], waits = authors, [*waits, *authors]
        self.add("evaluate", settings, "", None, weight=many, after_any=waits)


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
