"""One run of the command line: its options, its console, and the service, each made on first use."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import click

from wmtui.cli.console import Console
from wmtui.cli.next_step import next_command
from wmtui.cli.options import GlobalOptions
from wmtui.config import DEFAULT_PATH, Settings, load
from wmtui.errors import UsageError, WmtuiError
from wmtui.events import Severity
from wmtui.model import Clock, TableName, utc_now
from wmtui.service import Service


class Invocation:
    """What commands work with. given: the global options seen so far, by name; parsing fills it."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    @cached_property
    def options(self) -> GlobalOptions:
        """The global options; complete once a command runs. Raises UsageError when they contradict each other."""
        options = GlobalOptions(**self.given)
        options.refuse_contradictions()
        return options

    @cached_property
    def console(self) -> Console:
        """The streams, as the options want them."""
        options = self.options
        return Console(quiet=options.quiet, debug=options.debug, log_file=options.log_file)

    @cached_property
    def service(self) -> Service:
        """The backend of the profile asked for. Raises ConfigError."""
        settings, clock = self._settings()
        for warning in settings.warnings:
            self.console.tell(warning, Severity.WARNING)
        return Service(settings, clock=clock, read_only=self.options.read_only)

    def table(self, text: str | None) -> TableName:
        """The table named by -t; raises UsageError when it is missing or unknown."""
        if text is None:
            raise UsageError("which table?", "this needs -t", "name one: -t schema.table")
        return self.service.table(text)

    def agreed(self, question: str, *, unattended: bool) -> bool:
        """Whether the user said yes, beforehand or now. unattended: the answer where there is no terminal to ask at.

        Raises ConfirmationNeeded before asking for what --read-only or the profile forbids.
        """
        self.service.workspace.require_write(self.options.reason)
        if self.options.confirmed:
            return True
        return self.console.ask(question) if self.console.interactive else unattended

    def report(self, error: WmtuiError) -> None:
        """Tell an error: what, why, next."""
        labelled = (("why", error.why), ("next", error.next_step))
        lines = [f"wmtui: {error.what}", *(f"  {label}: {text}" for label, text in labelled if text)]
        self.console.tell("\n".join(lines), Severity.ERROR)

    def tell_next(self, command: str, asked: Mapping[str, Any]) -> None:
        """After a success, at a terminal: the command that one would type next."""
        following = next_command(command, asked, self.options)
        if following is not None and not self.options.json and self.console.at_terminal:
            self.console.tell(f"next: {following}")

    def _settings(self) -> tuple[Settings, Clock]:
        options = self.options
        if options.demo:
            from wmtui.demo import open_demo

            return open_demo(options.demo_dir, options.demo_reset, self.console.tell)
        return load(options.config or DEFAULT_PATH, options.profile), utc_now


pass_invocation = click.make_pass_decorator(Invocation)
