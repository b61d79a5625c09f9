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
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from capo_core.errors import CapoError, RunError
from capo_core.imitation.run_folder import RunFolder
from capo_core.jobs import distribution_runs, imitation_runs, measuring_runs, retention_run
from capo_core.jobs.rehearsal import rehearse
from capo_core.jobs.request import Request
from capo_core.jobs.run_inputs import Settings
from capo_core.progress import Progress
from capo_core.workspace import Workspace

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
        imitation_runs.do_sft,
        {**_DATA, "target": str, "base": str, "config": dict},
        imitation_runs.sft_config,
    ),
    "train_capo": RunKind(
        "CAPO",
        imitation_runs.do_capo,
        {**_DATA, "target": str, "sft": str, "config": dict},
        imitation_runs.capo_config,
    ),
    "profile": RunKind(
        "Profiles",
        imitation_runs.do_profile,
        {**_DATA, **_MODEL, "targets": list, "config": dict},
        imitation_runs.profile_config,
    ),
    "generate": RunKind(
        "Answers",
        imitation_runs.do_generate,
        {**_DATA, **_MODEL, "targets": list, "config": dict, "adapters": list, "profiles": str},
        imitation_runs.generate_config,
    ),
    "evaluate": RunKind(
        "Evaluation",
        measuring_runs.do_evaluate,
        {**_DATA, "runs": list, "judges": list, "config": dict},
        measuring_runs.check_evaluation,
    ),
    "judge": RunKind(
        "Judge",
        measuring_runs.do_judge,
        {**_DATA, **_MODEL, "runs": list, "guess": bool, "split": str, "config": dict},
        measuring_runs.check_judge,
    ),
    "retention": RunKind(
        "Retention",
        measuring_runs.do_retention,
        {
            **{**_DATA, "run": str, "target": str, "text": str, "config": dict},
            **{"precision": str, "batch_tokens": int},
        },
        retention_run.check,
    ),
    "estimate": RunKind(
        "Estimate",
        distribution_runs.estimate,
        distribution_runs.ESTIMATE_SETTINGS,
        distribution_runs.check_estimate,
    ),
    "softlabel": RunKind(
        "Soft labels",
        distribution_runs.soft_labels,
        distribution_runs.SOFT_LABEL_SETTINGS,
        distribution_runs.check_soft_labels,
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
