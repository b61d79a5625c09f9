"""What kinds of runs there are: a request's settings (JSON) → the functions that do the work.

The command line's foreground commands and the workers of the queue call the same functions.
Imports of the computations are inside the functions: a page that lists runs needs none of them.

Settings of every kind but "rehearsal":

    dataset       its name in the catalog
    fingerprint   what it must still be; "" takes it as it is

and of each kind:

    train_sft     target, base, config (`SftConfig`)
    train_capo    target, sft (run id), config (`CapoConfig`)
    profile       targets, base or server, config (`profile.ProfileConfig`)
    generate      targets, base or server, config (`GenerateConfig`), adapters (run ids of
                  trainings), profiles (run id of a profile run)
    evaluate      runs (run ids of generations), judges (run ids of judges), config (of a
                  `TableConfig`)
    judge         runs (run ids of generations; may be none), base or server or guess (true),
                  split (where there are no runs), config (`JudgeConfig`)
    retention     run (run id of a training), target, text (a file of general text), config
                  (`RetentionConfig`)
    estimate      judgments (id), base or server, by, samples, config (`EstimateConfig`)
    softlabel     judgments (id), sets (name → id), config (`SoftLabelConfig`)

`precision` and `batch_tokens` may be given for a base that writes.

What kinds of jobs there are, and what each one does.

A kind is a function of its settings (JSON), the workspace and a `Progress`; it returns, in one
sentence, what came of it. It leaves its results in the workspace, where the next page finds them.
Imports of the computations are inside the functions: a page that only looks at a status needs
none of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from capo_core.errors import CapoError, DataError, RunError
from capo_core.progress import Progress, part_of
from capo_core.run_folder import RunFolder
from capo_core.runs.kinds import distributions, evaluation, retention, training
from capo_core.runs.kinds.inputs import Settings
from capo_core.runs.kinds.rehearsal import rehearse
from capo_core.runs.request import Request
from capo_core.workspace import Workspace

Kind = Callable[[Mapping[str, Any], Workspace, Progress], str]


def stability(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Compute and keep the stability report.

    Settings: `dataset` (its name), `fingerprint` (what it must still be) and `config`.
    """
    from capo_core.data.catalog import Catalog
    from capo_core.stability import store
    from capo_core.stability.config import StabilityConfig
    from capo_core.stability.report import compute_report

    progress("reading the dataset", 0.0)
    dataset = Catalog(workspace).load(settings["dataset"])
    if dataset.fingerprint != settings["fingerprint"]:
        raise DataError(
            f"'{dataset.name}' is not the dataset any more that the computation was asked for",
            todo="begin the computation again",
        )
    config = StabilityConfig.from_dict(settings["config"])
    report, evidence = compute_report(
        dataset, config, cache=workspace.cache, progress=part_of(progress, 0.02, 0.98)
    )
    store.save(report, evidence, workspace)
    return f"the stability of {dataset.name} is measured"


def calibration(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Measure simulated data of known truth and keep what came of it. Settings: `config`."""
    from capo_core.stability import store
    from capo_core.stability.calibration import CalibrationConfig, calibrate

    config = CalibrationConfig.from_dict(settings["config"])
    found = calibrate(config, cache=workspace.cache, progress=progress)
    store.save_calibration(found, workspace)
    return "the calibration is measured"


def preflight(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Look at a run before it begins (see `preflight`). Settings: `kind`, `settings` of the run."""
    from capo_core.runs.preflight.dry_run import look
    from capo_core.runs.preflight.report import keep

    progress("one dry step on the model", 0.1)
    found = look(workspace, settings["kind"], settings["settings"])
    keep(found, workspace, settings["settings"])
    return "it can work" if found.possible else "it cannot work as it is"


def rehearsal(settings: Mapping[str, Any], workspace: Workspace, progress: Progress) -> str:
    """Does nothing, in `steps` steps of `step_s` seconds, and fails at the end where `fail` says.

    For tests, and for trying how a job behaves on a machine.
    """
    for step in range(settings["steps"]):
        progress(f"step {step + 1} of {settings['steps']}", step / settings["steps"])
        time.sleep(settings["step_s"])
    if settings.get("fail"):
        raise DataError(settings["fail"])
    return "rehearsed"


KINDS: dict[str, Kind] = {
    "stability": stability,
    "calibration": calibration,
    "preflight": preflight,
    "rehearsal": rehearsal,
}


Work = Callable[[Settings, Workspace, RunFolder, Progress], str]


@dataclass(frozen=True)
class RunKind:
    """One kind of run.

    Attributes:
        label: for a person.
        work: does it, and says in one sentence what came of it.
        settings: the settings it takes, and what each must be.
        check: looks at them without doing anything; raises a `CapoError`.
    """

    label: str
    work: Work
    settings: Mapping[str, type | tuple[type, ...]]
    check: Callable[[Settings], object]


def check(request: Request) -> None:
    """Look at a request before anything is done with it.

    Raises:
        RunError: the kind is not known, or its settings are not what it takes; it says which.
        ConfigError: a value is out of its range.
    """
    kind = kind_of(request)
    with _readable(request.kind):
        strange = sorted(set(request.settings) - set(kind.settings))
        if strange:
            raise RunError(
                f"{request.kind} takes no setting {strange[0]!r}",
                expected=f"some of {', '.join(sorted(kind.settings))}",
            )
        for name, value in request.settings.items():
            if not isinstance(value, kind.settings[name]):
                raise RunError(f"the setting {name} is {value!r}", where=request.kind)
        kind.check(request.settings)


def kind_of(request: Request) -> RunKind:
    kind = RUN_KINDS.get(request.kind)
    if kind is None:
        raise RunError(
            f"there is no run of kind {request.kind!r}", expected=f"one of {sorted(RUN_KINDS)}"
        )
    return kind


def do(request: Request, workspace: Workspace, folder: RunFolder, progress: Progress) -> str:
    """Do what is asked, in this process; what came of it, in one sentence."""
    check(request)
    return kind_of(request).work(request.settings, workspace, folder, progress)


def target_of(settings: Settings) -> str:
    """Who is imitated, for the name of a run: one annotator, several, or "all"."""
    targets = settings.get("targets") or [settings.get("target") or "all"]
    return "+".join(map(str, targets)) if len(targets) < 4 else "all"


def method_of(request: Request) -> str:
    """The method a run belongs to, for tables: "sft", "capo", "zero_shot", …; "" for none."""
    if request.kind == "generate":
        return str(request.settings.get("config", {}).get("method", ""))
    return {"train_sft": "sft", "train_capo": "capo", "profile": "profile"}.get(request.kind, "")


def _rehearsal(settings, workspace, folder, progress) -> str:
    return rehearse(settings, folder, progress)


@contextmanager
def _readable(where: str):
    """What a value of the wrong type raises somewhere, as what it is: settings to be mended."""
    try:
        yield
    except CapoError:
        raise
    except KeyError as error:
        raise RunError(f"the setting {error.args[0]!r} is missing", where=where) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"the settings cannot be used ({error})", where=where, todo="mend them, or ask anew"
        ) from None


_DATA = {"dataset": str, "fingerprint": str}
_MODEL = {"base": str, "server": str, "precision": str, "batch_tokens": int}
RUN_KINDS: dict[str, RunKind] = {
    "train_sft": RunKind(
        "SFT",
        partial(training.train, "train_sft"),
        {**_DATA, "target": str, "base": str, "config": dict},
        partial(training.training_config, "train_sft"),
    ),
    "train_capo": RunKind(
        "CAPO",
        partial(training.train, "train_capo"),
        {**_DATA, "target": str, "sft": str, "config": dict},
        partial(training.training_config, "train_capo"),
    ),
    "profile": RunKind(
        "Profiles",
        training.do_profile,
        {**_DATA, **_MODEL, "targets": list, "config": dict},
        training.profile_config,
    ),
    "generate": RunKind(
        "Answers",
        training.do_generate,
        {**_DATA, **_MODEL, "targets": list, "config": dict, "adapters": list, "profiles": str},
        training.generate_config,
    ),
    "evaluate": RunKind(
        "Evaluation",
        evaluation.do_evaluate,
        {**_DATA, "runs": list, "judges": list, "config": dict},
        evaluation.check_evaluation,
    ),
    "judge": RunKind(
        "Judge",
        evaluation.do_judge,
        {**_DATA, **_MODEL, "runs": list, "guess": bool, "split": str, "config": dict},
        evaluation.check_judge,
    ),
    "retention": RunKind(
        "Retention",
        evaluation.do_retention,
        {
            **{**_DATA, "run": str, "target": str, "text": str, "config": dict},
            **{"precision": str, "batch_tokens": int},
        },
        retention.check,
    ),
    "estimate": RunKind(
        "Estimate",
        distributions.estimate,
        distributions.ESTIMATE_SETTINGS,
        distributions.check_estimate,
    ),
    "softlabel": RunKind(
        "Soft labels",
        distributions.soft_labels,
        distributions.SOFT_LABEL_SETTINGS,
        distributions.check_soft_labels,
    ),
    "rehearsal": RunKind(
        "Rehearsal",
        _rehearsal,
        {
            "dataset": str,
            "steps": int,
            "step_s": (int, float),
            "fail": str,
            "seed": int,
            "full_disk_at": int,
            "hold_at": int,
        },
        lambda settings: settings["steps"],
    ),
}
