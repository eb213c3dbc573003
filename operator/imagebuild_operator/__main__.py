"""`imagebuild-operator run`."""

import asyncio
import logging
import sys

import click

from . import __version__


@click.group()
@click.version_option(__version__, prog_name="imagebuild-operator")
def main() -> None:
    """Builds the images that ImageBuild resources describe."""


@main.command()
def run() -> None:
    """Watch the cluster until SIGTERM. All settings come from the environment (IMAGEBUILD_…)."""
    from .app import run as run_operator
    from .settings import InvalidSetting, Settings

    try:
        settings = Settings.from_environment()
    except InvalidSetting as error:
        raise click.UsageError(str(error)) from None
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    # kopf tells of every event it handles; our own line for each decision is enough.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    try:
        sys.exit(asyncio.run(run_operator(settings)))
    except OSError as error:  # a port that is taken: everything later is answered with another try
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
