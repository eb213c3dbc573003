"""What a build and a plan have in common: everything up to the solve."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ..contract import BuildRequest
from ..core.cache import RecordId
from ..core.dockerfile import parse_dockerfile
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.solver import Executed, Hit, Solve, Solved, Worker
from ..host.registry import DockerCredentials, RegistryClient
from .checks import report_of, warn
from .definition import build_options, context_directories, lower_pinned
from .explained import Explainer
from .imports import Imported, ImportPolicy, import_caches, remote_layers_of
from .layers import MAIN_CONTEXT, Result
from .losses import check_sources
from .phases import Phases
from .pins import Pinner
from .progress import Notice, View
from .remote import RemoteFiles
from .secrets import SecretStore
from .settings import Settings
from .source import fetch_source, open_context, open_named_context, read_dockerfile
from .ssh_agents import SshAgents
from .step_caches import StepCaches
from .store import TreeStore
from .surroundings import Surroundings
from .trees import Trees
from .worker import BuildWorker

Observe = Callable[[Vertex, Hit | Executed | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """All that solving needs. `epoch` dates what is made, in seconds; None is the moment at which it is made."""

    lowered: Lowered
    imported: tuple[Imported, ...]
    worker: BuildWorker
    explainer: Explainer
    epoch: int | None
    steps: StepCaches

    @property
    def store(self) -> TreeStore:
        return self.worker.store

    def created(self) -> str:
        """The time that something made now carries."""
        return _timestamp(self.epoch)

    def solve(self, worker: Worker[Result], observe: Observe, *, hope: bool = False) -> Solve[Result]:
        """A solve of the graph with all cache sources, not begun."""

        async def discover(solved: Solved[Result]) -> Mapping[int, frozenset[RecordId]]:
            return await self.steps.discover(solved, solve.solved)

        indexes = [imported.index for imported in self.imported]
        solve = Solve[Result](worker, indexes, observe=observe, discover=discover, hope=hope)
        return solve

    def credit(self, solve: Solve[Result], steps: Iterable[Vertex]) -> None:
        """The sources get to know which of the steps they had."""
        for imported in self.imported:
            imported.matched = 0
        for vertex in steps:
            solved = solve.solved.get(vertex)
            if solved is not None and isinstance(solved.outcome, Hit):
                self.imported[solved.outcome.source].matched += 1


class Preparation:
    """The one-off object that makes a request ready. What it has found out so far is told of a failure, too."""

    def __init__(self, request: BuildRequest, settings: Settings, view: View) -> None:
        self.request = request
        self.settings = settings
        self.view = view
        self.phases = Phases(view)
        self.policy = ImportPolicy.of(request, datetime.now(UTC))
        self.revision = ""
        self.executor = ""
        self.imported: tuple[Imported, ...] = ()
        self.ready: Ready | None = None

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[Ready]:
        """Ready to be solved, as long as the context is open."""
        with Surroundings(self.settings.state) as surroundings:
            credentials = DockerCredentials(self.settings.docker_config)
            async with RegistryClient(credentials, insecure=self.request.insecure_registries) as client:
                importing = asyncio.create_task(self._import(client))
                try:
                    async with SshAgents(self.request.ssh, surroundings.directory) as ssh:
                        self.ready = await self._prepare(client, surroundings, ssh, importing)
                        yield self.ready
                finally:
                    importing.cancel()
                    self.executor = surroundings.used

    async def _prepare(
        self,
        client: RegistryClient,
        surroundings: Surroundings,
        ssh: SshAgents,
        importing: "asyncio.Task[tuple[Imported, ...]]",
    ) -> Ready:
        request = self.request
        with self.phases.phase("source"):
            source = await fetch_source(request, self.settings, surroundings.directory)
        self.revision = source.revision
        context = await asyncio.to_thread(open_context, request, source)
        name, text = read_dockerfile(request, source)
        dockerfile = parse_dockerfile(text, name=name)

        options = build_options(request)
        secrets = SecretStore(request.secrets)
        secrets.check()
        ssh.check()
        remote = RemoteFiles(surroundings.directory / "remote", local_git=self.settings.local_git)
        pinner = Pinner(client, remote)
        lowered = await lower_pinned(dockerfile, options, pinner)
        report = await asyncio.to_thread(report_of, dockerfile, options, pinner.pins, context.ignored, lowered.stages)
        warn(report, dockerfile, self.view)

        waiting = time.monotonic()
        self.imported = await importing
        self.policy.patience.waste(time.monotonic(), time.monotonic() - waiting)
        for imported in self.imported:
            if imported.reason and imported.outcome not in ("used", "unused"):
                self.view.show(Notice(text=f"cache source {imported.source.ref}: {imported.reason}", warning=True))
        if request.fail_on_import_error:
            check_sources(self.imported)
        store = TreeStore(client=client, surroundings=surroundings)
        epoch = request.source_date_epoch if request.source_date_epoch is not None else source.time
        named = {name: open_named_context(path) for name, path in context_directories(request).items()}
        worker = BuildWorker(
            store=store,
            surroundings=surroundings,
            trees=Trees(store, {**named, MAIN_CONTEXT: context}, created=lambda: _timestamp(epoch)),
            remote=remote,
            imported=self.imported,
            platform=options.build_platform,
            base_layers={
                (image.digest, asked.platform): remote_layers_of(image) for asked, image in pinner.pins.images.items()
            },
            view=self.view,
            numbers={vertex: number for number, vertex in enumerate(lowered.steps, 1)},
            source=dockerfile.source,
            secrets=secrets,
            ssh=ssh,
            allow_insecure=options.allow_insecure,
        )
        steps = await StepCaches.opened(
            client,
            self.imported,
            lowered.target,
            worker,
            self.view,
            self.policy,
        )
        return Ready(
            lowered=lowered,
            imported=self.imported,
            worker=worker,
            explainer=Explainer(lowered, worker, self.imported),
            epoch=epoch,
            steps=steps,
        )

    async def _import(self, client: RegistryClient) -> tuple[Imported, ...]:
        started = time.monotonic()
        sources = () if self.request.no_cache else self.request.cache_from
        imported = await import_caches(client, sources, self.policy)
        self.phases.seconds["import"] = time.monotonic() - started
        return imported


def _timestamp(epoch: int | None) -> str:
    moment = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(epoch, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"
