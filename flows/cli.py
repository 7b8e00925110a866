"""
The command line: `maskloop COMMAND`.

Commands are found by entry point (group `maskloop.commands`), so another folder can add one
without this one knowing it. A command module imports only click at its top; what is heavy it
imports when it runs, so that `--help` answers at once.
"""

import importlib.metadata
import signal
import sys
from typing import NoReturn

import click

from engine.errors import ConfigError, MaskloopError

GROUP = "maskloop.commands"


class EntryPointGroup(click.Group):
    """A group whose commands are entry points, loaded when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(importlib.metadata.entry_points(group=GROUP).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in importlib.metadata.entry_points(group=GROUP, name=cmd_name):
            command = entry.load()
            if isinstance(command, click.Command):
                return command
        return None


@click.group(cls=EntryPointGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="maskloop")
@click.option("-v", "--verbose", is_flag=True, help="Show one line per batch on stderr.")
def cli(verbose: bool) -> None:
    """maskloop: an open data engine for promptable concept segmentation."""
    from flows.logs import configure

    configure(verbose=verbose)


def main() -> None:
    """Run the command line and translate errors into exit codes: 1 failed, 2 set up wrongly."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as with Ctrl-C: tidily
    try:
        # What a command raises as Exit comes back as a number when click does not exit itself.
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _say_and_exit("interrupted", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say_and_exit("interrupted", 130)
    except MaskloopError as error:
        _say_and_exit(f"error: {error}", 2 if isinstance(error, ConfigError) else 1)
    except OSError as error:  # such as a full disk: no error of ours, and none of the program's
        _say_and_exit(f"error: {error}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _say_and_exit(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(code)
