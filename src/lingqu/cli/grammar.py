# SPDX-License-Identifier: Apache-2.0
"""How commands are declared: their words come from the catalog, their shared options from here.

A command or group finds its texts by its path: `lingqu party register` has
`cli.party.register.help`, `cli.party.register.example` and, for a parameter,
`cli.party.register.NAME` or `cli.option.NAME`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import click

from lingqu.cli.invocation import Invocation
from lingqu.cli.text import padded, terminal_width, width, wrapped
from lingqu.cli.values import PATH
from lingqu.runtime.i18n import catalog

Function = TypeVar("Function", bound=Callable[..., Any])

SHARED = ("data_dir", "config", "lang", "json", "debug", "help")
_LABELS_MAX = 34


def keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """This will make the callback that puts a shared option into the run."""

    def put(ctx: click.Context, _param: click.Parameter, value: object) -> None:
        if value:
            setattr(ctx.ensure_object(Invocation), name, value)

    return put


def shared_options(*, prints_data: bool) -> list[click.Parameter]:
    """This will give the options every command takes, before or after its name."""
    found: list[click.Parameter] = [
        click.Option(["--data-dir"], type=PATH, expose_value=False, callback=keep("data_dir")),
        click.Option(["--config"], type=PATH, expose_value=False, callback=keep("config")),
        # What it says was read before anything else, so that every word comes out right.
        click.Option(["--lang"], type=click.Choice(["zh", "zh-CN", "en"]), expose_value=False),
    ]
    if prints_data:
        found.append(
            click.Option(["--json"], is_flag=True, expose_value=False, callback=keep("as_json"))
        )
    found.append(
        click.Option(["--debug"], is_flag=True, expose_value=False, callback=keep("debug"))
    )
    return found


class Spoken(click.Command):
    """A command whose help is written in the language of the run."""

    prints_data = True

    def __init__(self, *args: Any, prints_data: bool = True, **kwargs: Any) -> None:
        """Take the shared options; one that prints no data has no `--json`."""
        super().__init__(*args, **kwargs)
        self.prints_data = prints_data
        self.params += shared_options(prints_data=prints_data)
        self.context_settings = {"help_option_names": ["-h", "--help"], **self.context_settings}

    def get_help(self, ctx: click.Context) -> str:
        """This will write the page of help."""
        return "\n".join(_page(self, ctx))

    def get_short_help_str(self, limit: int = 45) -> str:
        """The words come by path, see `short_help`."""
        return ""


class SpokenGroup(click.Group, Spoken):
    """A group of commands that load only when they are run or asked about."""

    command_class = Spoken

    def __init__(
        self,
        *args: Any,
        later: Mapping[str, str] | None = None,
        sections: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        """`later` names the module and attribute of each command: `lingqu.cli.facts:fact`."""
        super().__init__(*args, **kwargs)
        self.later = dict(later or {})
        self.sections = dict(sections or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """This will name the commands in the order they were declared."""
        return [*self.commands, *(name for name in self.later if name not in self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """This will load the module of a command when it is needed."""
        if cmd_name in self.later and cmd_name not in self.commands:
            module, _, attribute = self.later[cmd_name].partition(":")
            loaded: click.Command = getattr(importlib.import_module(module), attribute)
            self.add_command(loaded, cmd_name)
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """This will find the command, and name those that are near where there is none."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            names = self.list_commands(ctx)
            raise click.exceptions.NoSuchCommand(args[0], possibilities=names, ctx=ctx)
        return super().resolve_command(ctx, args)


SpokenGroup.group_class = SpokenGroup


def group(name: str, **settings: Any) -> Callable[[Callable[..., Any]], SpokenGroup]:
    """This will make a function the group `name`."""
    return click.group(name, cls=SpokenGroup, no_args_is_help=True, **settings)


def command(name: str, **settings: Any) -> Callable[[Callable[..., Any]], Spoken]:
    """This will make a function the command `name` of the root."""
    return click.command(name, cls=Spoken, **settings)


def option(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """This will give a command an option; its words stand in the catalog."""
    return click.option(*names, **settings)


def argument(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """This will give a command an argument; its words stand in the catalog."""
    return click.argument(*names, **settings)


def help_codes(program: click.Command, path: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """This will list every text the help needs: its code, and codes that may stand in for it."""
    yield f"cli{path}.help", ()
    for parameter in program.params:
        if parameter.name in SHARED:
            continue
        yield f"cli{path}.{parameter.name}", (f"cli.option.{parameter.name}",)
    if isinstance(program, click.Group):
        context = click.Context(program)
        for name in program.list_commands(context):
            found = program.get_command(context, name)
            assert found is not None, f"{name} is declared"
            yield from help_codes(found, f"{path}.{name}")


def _page(it: Spoken, ctx: click.Context) -> list[str]:
    run = ctx.ensure_object(Invocation)
    columns = terminal_width()
    path = _path(ctx)
    lines = [*wrapped(run.word(f"{path}help"), columns), ""]
    lines += [run.word("help.usage"), f"  {_usage(it, ctx, run)}"]
    if isinstance(it, SpokenGroup):
        lines += _command_lines(it, ctx, run, columns)
    own = [one for one in it.get_params(ctx) if not _is_shared(one)]
    shared = [one for one in it.get_params(ctx) if _is_shared(one)]
    arguments = [one for one in own if isinstance(one, click.Argument)]
    options = [one for one in own if isinstance(one, click.Option) and not one.hidden]
    for head, parameters in (("arguments", arguments), ("options", options), ("shared", shared)):
        if parameters:
            lines += ["", run.word(f"help.{head}")]
            lines += _pairs([_record(one, ctx, run, path) for one in parameters], columns)
    if f"cli.{path}example" in catalog():
        lines += ["", run.word("help.example")]
        lines += [f"  {line}" for line in run.word(f"{path}example").split("\n")]
    return lines


def _usage(it: Spoken, ctx: click.Context, run: Invocation) -> str:
    words = [ctx.command_path]
    words += [one.make_metavar(ctx) for one in it.params if isinstance(one, click.Argument)]
    words.append(run.word("help.options_word"))
    if isinstance(it, click.Group):
        words.append(run.word("help.command_word"))
    return " ".join(words)


def _command_lines(it: SpokenGroup, ctx: click.Context, run: Invocation, columns: int) -> list[str]:
    lines: list[str] = []
    sections = it.sections or {"commands": it.list_commands(ctx)}
    path = _path(ctx)
    longest = max(width(name) for name in it.list_commands(ctx))
    for section, names in sections.items():
        lines += ["", run.word(f"help.{section}")]
        pairs = [(name, _first_sentence(run.word(f"{path}{name}.help"))) for name in names]
        lines += _pairs(pairs, columns, least=longest)
    return lines


def _pairs(pairs: Sequence[tuple[str, str]], columns: int, *, least: int = 0) -> list[str]:
    wide = max([least, *(width(left) for left, _ in pairs if width(left) <= _LABELS_MAX)])
    gap = " " * (wide + 4)
    lines: list[str] = []
    for left, right in pairs:
        first, *rest = wrapped(right, columns - wide - 4)
        if width(left) > wide:
            lines += [f"  {left}", f"{gap}{first}"]
        else:
            lines.append(f"  {padded(left, wide)}  {first}".rstrip())
        lines += [gap + line for line in rest]
    return lines


def _record(
    parameter: click.Parameter, ctx: click.Context, run: Invocation, path: str
) -> tuple[str, str]:
    name = "help" if "--help" in parameter.opts else parameter.name
    own = not _is_shared(parameter) and f"cli.{path}{name}" in catalog()
    text = run.word(f"{path}{name}" if own else f"option.{name}")
    if isinstance(parameter, click.Argument):
        return parameter.make_metavar(ctx), text
    assert isinstance(parameter, click.Option), "a parameter is an argument or an option"
    left = ", ".join([*parameter.opts, *parameter.secondary_opts])
    if not parameter.is_flag and not parameter.count:
        left += f" {parameter.make_metavar(ctx)}"
    if parameter.required:
        text += run.word("help.required")
    elif parameter.show_default:
        text += run.word("help.default", value=str(parameter.default))
    return left, text


def _is_shared(parameter: click.Parameter) -> bool:
    return parameter.name in SHARED or "--help" in parameter.opts


def _path(ctx: click.Context) -> str:
    """The catalog's path of a command: `party.register.` of `lingqu party register`."""
    names: list[str] = []
    here: click.Context | None = ctx
    while here is not None and here.parent is not None:
        names.append(here.info_name or "")
        here = here.parent
    return "".join(f"{name}." for name in reversed(names))


def _first_sentence(text: str) -> str:
    line = text.partition("\n")[0]
    for mark in ("。", ". "):
        head, found, _ = line.partition(mark)
        if found:
            return head
    return line.rstrip(".")
