"""The help of the command: commands by what they are for, options by group, nothing cut short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import click

from tidemill.planning.doors import DOORS, Door

__all__ = ["GroupedCommand", "GroupedCommands"]

#: Headings of the command's own help, and the commands below each.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Calculate": ("extract", "extract-interval", "backfill", "plan"),
    "Run on a schedule": ("init", "up", "deploy"),
    "Look": ("status", "inspect", "report", "verify", "cluster"),
    "Keep in order": ("clean", "drop-intervals"),
    "Choose features": ("features", "costs", "select"),
    "Set up": ("demo", "warmup"),
}
#: Where a door has many parameters, their headings; other options stand below them.
LAST = "Options"


class GroupedCommand(click.Command):
    """A command whose options stand below the headings of their parameters."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those that few people need last."""
        door = DOORS.get(str(self.name))
        headings = _headings(door) if door else {}
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(context):
            record = option.get_help_record(context)
            if record is not None and record[1]:  # arguments have no help of their own
                heading = headings.get(str(option.name), LAST)
                sections.setdefault(heading, []).append(record)
        for heading, records in _ordered(sections):
            with formatter.section(heading):
                formatter.write_dl(records)


class GroupedCommands(click.Group):
    """A group of commands that are listed by what they are for, with whole summaries."""

    command_class = GroupedCommand

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write every command with its summary, however long that is."""
        listed = [name for names in SECTIONS.values() for name in names]
        others = [name for name in self.list_commands(context) if name not in listed]
        width = max(map(len, self.commands))
        rest = "Other" if len(others) < len(self.commands) else "Commands"
        for heading, names in [*SECTIONS.items(), (rest, others)]:
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(limit=1_000))
                for name in names
                if name in self.commands
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


def _headings(door: Door) -> dict[str, str]:
    """The heading of each parameter; one for all that few people need."""
    return {one.name: one.group.partition(":")[0] for one in door}


def _ordered(
    sections: Mapping[str, Sequence[tuple[str, str]]],
) -> Iterable[tuple[str, Sequence[tuple[str, str]]]]:
    """The sections as they come, the options of the command itself before the rare ones."""
    return sorted(sections.items(), key=lambda one: (one[0].startswith("Rare"), one[0] == LAST))
