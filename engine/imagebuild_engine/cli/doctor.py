"""`imagebuild doctor`: what this machine or pod allows, and what the build makes of it."""

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--state", type=click.Path(file_okay=False), default=None, help="The directory that builds would use.")
def doctor(form: str, state: str | None) -> None:
    """Say what the surroundings allow and which executor results."""
    import tempfile

    from ..host.executor import choose, probe

    with tempfile.TemporaryDirectory(prefix="imagebuild-doctor-", dir=state) as directory:
        capabilities = probe(Path(directory))
    choice = choose(capabilities)
    if form == "json":
        print(json.dumps({"capabilities": asdict(capabilities), "choice": asdict(choice)}, indent=2, default=str))
        return
    for name, value in asdict(capabilities).items():
        label = name.replace("_", " ")
        match value:
            case bool():
                print(f"{'yes' if value else 'no':>4}  {label}")
            case _:
                print(f"      {label}: {value if value not in (None, '') else 'none'}")
    print(f"\nexecutor: {choice.executor}, snapshots: {choice.snapshotter}\nwhy: {choice.why}")
