"""`python3 -m tests.cluster up|down|status|env`, from the checkout's root."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.cluster import access, lifecycle, ready
from tests.cluster.daemons import ClusterError
from tests.cluster.debian import PackagesMissing
from tests.cluster.plan import default_state, read_plan
from tests.cluster.tools import ToolError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.cluster", description="a disposable Kubernetes cluster")
    parser.add_argument("--state", type=Path, help="state folder (one of this checkout's own by default)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring it up, or repair it; prints shell exports")
    up.add_argument("--nodes", type=int, default=1)
    commands.add_parser("down", help="end it and remove everything of it")
    status = commands.add_parser("status", help="what runs, and where the logs are")
    status.add_argument("--json", action="store_true")
    commands.add_parser("env", help='print shell exports: eval "$(python3 -m tests.cluster env)"')
    chosen = parser.parse_args()
    state: Path = chosen.state or default_state()
    try:
        return run(chosen, state)
    except (ClusterError, PackagesMissing, ToolError) as error:
        print(f"cluster: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"cluster: {error}\n{error.stderr or ''}", file=sys.stderr)
    return 1


def run(chosen: argparse.Namespace, state: Path) -> int:
    match chosen.command:
        case "up":
            print(ready(chosen.state, nodes=chosen.nodes).exports())
            return 0
        case "down":
            lifecycle.down(state)
            return 0
        case "env" if access.wants_foreign(os.environ):
            print(access.to_foreign(os.environ).exports())
            return 0
    plan = read_plan(state)
    if plan is None:
        print(f"cluster: none in {state}", file=sys.stderr)
        return 1
    match chosen.command:
        case "status":
            print(lifecycle.plan_json(plan) if chosen.json else lifecycle.describe(plan))
        case "env":
            print(access.to_disposable(plan).exports())
    return 0


if __name__ == "__main__":
    sys.exit(main())
