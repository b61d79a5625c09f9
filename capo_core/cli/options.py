"""Command-line options made from the fields of settings classes.

    @with_options(SftConfig, without=("lora.target_modules",))
    def sft(dataset: Name, given: dict[str, Any]) -> None: …

`given` contains the options set by the caller, by the field's path ("epochs", "lora.rank");
other fields take the defaults of the settings class.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Annotated, Any

import typer

from capo_core.settings import SettingField, settings_fields

_TYPES = {
    "whole": int, "number": float, "switch": bool, "choice": str, "text": str,
    "wholes": list[int], "numbers": list[float], "choices": list[str], "texts": list[str],
}  # fmt: skip


def option_name(field: SettingField, name: str = "") -> str:
    """Return the option of a setting as it is typed: "--learning-rate"."""
    return "--" + (name or field.name).replace("_", "-")


def option_of(field: SettingField, name: str = "") -> Any:
    """Return the annotation of an option for one setting: its help, choices and default."""
    kind = _TYPES[field.kind] | None
    option = option_name(field, name)
    flags = (f"{option}/--no-{option[2:]}",) if field.kind == "switch" else (option,)
    return Annotated[kind, typer.Option(*flags, help=help_of(field), show_default=False)]


def help_of(field: SettingField) -> str:
    """Return the help of an option: its effect, its choices, and its default."""
    parts = [field.description or field.title]
    if field.choices:
        parts.append(f"One of: {', '.join(filter(None, field.choices))}.")
    parts.append(f"Default: {default_of(field)}.")
    return " ".join(part if part.endswith((".", "?")) else part + "." for part in parts)


def default_of(field: SettingField) -> str:
    """Return a setting's default as text: "0.001", "on", "1 4 8", "none"."""
    value = field.default
    if value is None or value == "":
        return field.empty or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(str(each) for each in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_options(
    cls: type,
    *,
    only: Iterable[str] | None = None,
    without: Iterable[str] = (),
    names: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    into: str = "given",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option for each field of a settings class to a command.

    Args:
        cls: the settings class; fields of nested stages are options too.
        only, without: paths of fields to include, or to exclude.
        names: path → the option's name, where it is not the field's own.
        defaults: path → the default named in the help, where the command starts from other
            settings than those of the class.
        into: the command's parameter that receives the options set by the caller.
    """
    names, defaults = dict(names or {}), dict(defaults or {})
    wanted = None if only is None else set(only)
    chosen = [
        replace(field, default=defaults.get(field.path, field.default))
        for field in settings_fields(cls)
        if (wanted is None or field.path in wanted) and field.path not in set(without)
    ]
    parameter = {
        field.path: names.get(field.path, field.name).replace("-", "_") for field in chosen
    }

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(function, eval_str=True)

        def command(**kwargs: Any) -> Any:
            given = {}
            for field in chosen:
                value = kwargs.pop(parameter[field.path])
                if value is not None:
                    given[field.path] = tuple(value) if isinstance(value, list) else value
            return function(**kwargs, **{into: given})

        added = [
            inspect.Parameter(
                parameter[field.path],
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=option_of(field, names.get(field.path, "")),
            )
            for field in chosen
        ]
        kept = [each for each in own.parameters.values() if each.name != into]
        kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in kept]
        command.__signature__ = own.replace(parameters=[*kept, *added])
        command.__annotations__ = {each.name: each.annotation for each in [*kept, *added]}
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        # For the table of settings in docs/: class, path and option of each.
        command.settings_options = (
            *((cls, field.path, option_name(field, names.get(field.path, ""))) for field in chosen),
            *getattr(function, "settings_options", ()),
        )
        return command

    return decorate


def changed(config: Any, given: Mapping[str, Any]) -> Any:
    """Return `config` with the settings of `given` (path → value) in place of its own."""
    nested: dict[str, dict[str, Any]] = {}
    flat: dict[str, Any] = {}
    for path, value in given.items():
        head, dot, rest = path.partition(".")
        if dot:
            nested.setdefault(head, {})[rest] = value
        else:
            flat[path] = value
    for field in fields(config):
        inner = getattr(config, field.name)
        if field.name in nested and is_dataclass(inner):
            flat[field.name] = changed(inner, nested[field.name])
    return replace(config, **flat)
