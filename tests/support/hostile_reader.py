"""Reads layouts as cache sources, in a process that may not grow: python -m tests.support.hostile_reader DIRECTORY…

Prints a line of JSON for each, and at the end how large it has been.
"""

import asyncio
import json
import resource
import sys

from imagebuild_engine.build.imports import ImportPolicy, import_caches
from imagebuild_engine.build.supplier import Patience
from imagebuild_engine.contract import CacheSource
from imagebuild_engine.host.registry import RegistryClient

ADDRESS_SPACE = 2 << 30
CPU_SECONDS = 240


async def main(directories: list[str]) -> None:
    policy = ImportPolicy(patience=Patience(600.0))
    async with RegistryClient() as client:
        for directory in directories:
            (found,) = await import_caches(client, [CacheSource(ref=directory, type="local")], policy)
            print(json.dumps([found.outcome, found.reason, len(found.index)]), flush=True)
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    asyncio.run(main(sys.argv[1:]))
