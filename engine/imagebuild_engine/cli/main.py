"""The command group and its last line of defence: no traceback ever reaches a person."""

import sys

import click

from .. import __version__
from .build import build
from .cache import cache
from .doctor import doctor
from .explain import explain
from .plan import plan


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "IMAGEBUILD"})
@click.version_option(__version__, prog_name="imagebuild")
def cli() -> None:
    """Build container images whose cache travels inside them."""


cli.add_command(build)
cli.add_command(cache)
cli.add_command(doctor)
cli.add_command(plan)
cli.add_command(explain)


def main() -> None:
    """The entry point. Exit codes: engine document, section 1."""
    try:
        # Outside standalone mode click hands an Exit's code back instead of leaving.
        sys.exit(cli(standalone_mode=False) or 0)
    except click.Abort:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        print(f"imagebuild: internal error, please report it: {type(error).__name__}: {error}", file=sys.stderr)
        print("run again with IMAGEBUILD_DEBUG=1 for details", file=sys.stderr)
        _trace_if_wanted()
        sys.exit(1)


def _trace_if_wanted() -> None:
    import os
    import traceback

    if os.environ.get("IMAGEBUILD_DEBUG") == "1":
        traceback.print_exc()
