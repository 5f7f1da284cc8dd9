"""Options that every command takes, before or after its name, merged into one value."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from wmtui.config import DEFAULT_PATH, Duration
from wmtui.errors import UnknownName, UsageError
from wmtui.texts import nearest


class GlobalOptions(Struct, frozen=True):
    """The global options as given anywhere on the command line; of one given twice the later counts."""

    config: Path | None = None
    profile: str | None = None
    read_only: bool = False
    force: bool = False
    yes: bool = False
    reason: str | None = None
    json: bool = False
    quiet: bool = False
    debug: bool = False
    log_file: Path | None = None
    demo: bool = False
    demo_dir: Path | None = None
    demo_reset: bool = False

    @property
    def confirmed(self) -> bool:
        """The user said yes beforehand."""
        return self.force or self.yes

    def refuse_contradictions(self) -> None:
        """Raises UsageError for options that cannot mean anything together."""
        if self.demo and (self.config or self.profile):
            given = "--config" if self.config else "--profile"
            raise UsageError(
                f"--demo and {given} exclude each other",
                "the demo brings its own configuration",
                "leave one of them out",
            )
        if not self.demo and (self.demo_dir or self.demo_reset):
            given = "--demo-dir" if self.demo_dir else "--demo-reset"
            raise UsageError(f"{given} goes with --demo", "it says where or how the demo starts", "add --demo")


class GlobalOption(click.Option):
    """An option whose value goes to the invocation, wherever on the line it stands."""

    def __init__(self, *declarations: str, **attributes: Any) -> None:
        super().__init__(declarations, expose_value=False, callback=_remember, **attributes)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        context.obj.given[parameter.name] = value


def _global_options() -> list[click.Parameter]:
    file = click.Path(path_type=Path)
    return [
        GlobalOption("--config", type=file, metavar="FILE", help=f"Configuration file (default: {DEFAULT_PATH})."),
        GlobalOption("--profile", metavar="NAME", help="Profile of the configuration file."),
        GlobalOption("--read-only", is_flag=True, help="Refuse every change."),
        GlobalOption("--force", is_flag=True, help="Accept future points, doubled rows, and every question."),
        GlobalOption("--yes", is_flag=True, help="Answer every question with yes."),
        GlobalOption("--reason", metavar="TEXT", help="Why, for the journal; a protected profile needs it."),
        GlobalOption("--json", is_flag=True, help="Print data as JSON."),
        GlobalOption("--quiet", is_flag=True, help="Tell errors only."),
        GlobalOption("--debug", is_flag=True, help="Tell everything, with tracebacks."),
        GlobalOption("--log-file", type=file, metavar="FILE", help="Append every message to a file, with UTC times."),
        GlobalOption("--demo", is_flag=True, help="Work on an embedded sandbox."),
        GlobalOption("--demo-dir", type=file, metavar="DIR", help="Where the sandbox is (default: the user's cache)."),
        GlobalOption("--demo-reset", is_flag=True, help="Make the sandbox again, from the start."),
    ]


class _Documented(click.Command):
    """Adds the global options, and to the help a section for them and one of examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.params.extend(_global_options())
        # \b keeps click from joining the lines below it.
        self.epilog = "\n  ".join(("\b\nExamples:", *examples))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "Global options, anywhere on the line": []}
        own, everywhere = sections.values()
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                (everywhere if isinstance(parameter, GlobalOption) else own).append(record)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class Command(_Documented):
    """A command with the global options. examples: command lines for its help."""

    def invoke(self, ctx: click.Context) -> Any:
        """Do it; at a terminal a success ends with what one would type next."""
        code = super().invoke(ctx)
        if not code:
            ctx.obj.tell_next(ctx.command_path, ctx.params)
        return code


class Group(_Documented, click.Group):
    """A group of commands with the global options."""

    command_class = Command
    group_class = type

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named. Raises UnknownName with the nearest."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise self._unknown(ctx, args[0])
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, name: str) -> UnknownName:
        """A word that is no command here; also one of another group is found."""
        path, own = ctx.command_path, self.list_commands(ctx)
        groups = {group: self.get_command(ctx, group) for group in own}
        deeper = {
            f"{group} {each}": each
            for group, found in groups.items()
            if isinstance(found, click.Group)
            for each in found.list_commands(ctx)
        }
        near = nearest(name, own) or [words for words, each in deeper.items() if nearest(name, [each])]
        hint = f"did you mean `{path} {near[0]}`?" if near else f"see `{path} --help`"
        return UnknownName(f"no command `{path} {name}`", f"there are {', '.join(own)}", hint)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _only_one(_: click.Context, __: click.Parameter, tables: tuple[str, ...]) -> str | None:
    """Of two tables the first would be passed over in silence."""
    if len(set(tables)) > 1:
        raise UsageError(f"-t names {' and '.join(tables)}", "this command is about one table", "type it once for each")
    return tables[0] if tables else None


def parse_duration(_: click.Context, __: click.Parameter, text: str | None) -> Duration | None:
    """A length of time as people type it."""
    try:
        return None if text is None else Duration.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


table_option: Decorator = click.option(
    "-t", "--table", metavar="SCHEMA.TABLE", multiple=True, callback=_only_one, help="The table."
)
tables_option: Decorator = click.option(
    "-t", "--table", "tables", metavar="SCHEMA.TABLE", multiple=True, help="A table; may be repeated."
)
