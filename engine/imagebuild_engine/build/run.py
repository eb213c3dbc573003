"""One build, top to bottom: the table of contents of this package."""

import asyncio
import time
from datetime import UTC, datetime

from .. import __version__
from ..contract import BuildRequest, BuildResult, Bytes, CacheResult, CacheSourceResult, Seconds
from ..core.dockerfile import parse_dockerfile
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.solver import Executed, Hit, Solve
from ..host.registry import DockerCredentials, RegistryClient
from .checks import report_of, warn
from .definition import build_options, context_directories, lower_pinned
from .export import Exported, export
from .failures import failure_of
from .imports import Imported, import_caches, remote_layers_of
from .layers import MAIN_CONTEXT, Result, Tree
from .pins import Pinner
from .progress import BuildDone, Notice, PhaseDone, PhaseStarted, StepDone, StepStarted, View
from .remote import RemoteFiles
from .report import step_results
from .settings import Settings
from .source import fetch_source, open_context, open_named_context, read_dockerfile
from .store import TreeStore
from .surroundings import Surroundings
from .trees import Trees
from .worker import BuildWorker


async def run(request: BuildRequest, settings: Settings, view: View) -> BuildResult:
    """The build's result. Never raises for what can go wrong in a build: that is a failure in the result."""
    build = _Build(request, settings, view)
    try:
        async with asyncio.timeout(request.timeout_seconds):
            return await build.run()
    except BaseException as error:
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        return build.result(error=error)


class _Build:
    """The one-off object that holds a run."""

    def __init__(self, request: BuildRequest, settings: Settings, view: View) -> None:
        self.request = request
        self.settings = settings
        self.view = view
        self.started = time.monotonic()
        self.seconds: dict[str, float] = {}
        self.revision = ""
        self.executor = ""
        self.imported: tuple[Imported, ...] = ()
        self.lowered: Lowered | None = None
        self.solve: Solve[Result] | None = None
        self.worker: BuildWorker | None = None
        self.store: TreeStore | None = None
        self.exported: Exported | None = None

    async def run(self) -> BuildResult:
        with Surroundings(self.settings.state) as surroundings:
            credentials = DockerCredentials(self.settings.docker_config)
            async with RegistryClient(credentials, insecure=self.request.insecure_registries) as client:
                importing = asyncio.create_task(self._import(client))
                try:
                    return await self._run(client, surroundings, importing)
                finally:
                    importing.cancel()
                    self.executor = surroundings.used

    async def _run(
        self,
        client: RegistryClient,
        surroundings: Surroundings,
        importing: "asyncio.Task[tuple[Imported, ...]]",
    ) -> BuildResult:
        request = self.request
        with self._phase("source"):
            source = await fetch_source(request, self.settings, surroundings.directory)
        self.revision = source.revision
        context = await asyncio.to_thread(open_context, request, source)
        name, text = read_dockerfile(request, source)
        dockerfile = parse_dockerfile(text, name=name)

        options = build_options(request)
        remote = RemoteFiles(surroundings.directory / "remote", local_git=self.settings.local_git)
        pinner = Pinner(client, remote)
        lowered = await lower_pinned(dockerfile, options, pinner)
        report = await asyncio.to_thread(report_of, dockerfile, options, pinner.pins, context.ignored, lowered.stages)
        warn(report, dockerfile, self.view)
        self.lowered = lowered

        self.imported = await importing
        for imported in self.imported:
            if imported.reason and imported.outcome not in ("used", "unused"):
                self.view.show(Notice(text=f"cache source {imported.source.ref}: {imported.reason}", warning=True))
        self.store = TreeStore(client=client, surroundings=surroundings)
        epoch = request.source_date_epoch if request.source_date_epoch is not None else source.time
        named = {name: open_named_context(path) for name, path in context_directories(request).items()}
        trees = Trees(self.store, {**named, MAIN_CONTEXT: context}, created=lambda: _timestamp(epoch))
        self.worker = BuildWorker(
            store=self.store,
            surroundings=surroundings,
            trees=trees,
            remote=remote,
            imported=self.imported,
            base_layers={
                (image.digest, asked.platform): remote_layers_of(image) for asked, image in pinner.pins.images.items()
            },
            view=self.view,
            numbers={vertex: number for number, vertex in enumerate(lowered.steps, 1)},
            source=dockerfile.source,
        )
        with self._phase("build"):
            tree = await self._solve(lowered)
        with self._phase("export"):
            self.exported = await export(
                request=request,
                lowered=lowered,
                tree=tree,
                solve=self.solve,
                imported=self.imported,
                store=self.store,
                base_layers=lowered.base_layers,
                created=_timestamp(epoch),
                view=self.view,
            )
        result = self.result()
        self.view.show(
            BuildDone(
                hits=result.cache.hits,
                total=result.cache.total,
                pulled=result.bytes.pulled,
                pushed=result.bytes.pushed,
                reused=result.bytes.reused,
                seconds=result.seconds.total,
            )
        )
        return result

    async def _solve(self, lowered: Lowered) -> Tree:
        assert self.worker is not None
        indexes = [imported.index for imported in self.imported]
        self.solve = Solve[Result](self.worker, indexes, observe=self._observe)
        if lowered.target is None:
            return Tree()
        result = await self.solve.run(lowered.target)
        for vertex in lowered.steps:
            solved = self.solve.solved.get(vertex)
            if solved is not None and isinstance(solved.outcome, Hit):
                source = self.imported[solved.outcome.source]
                source.outcome = "used"
                source.matched += 1
        return await self.worker.trees.layered(result)

    def _observe(self, vertex: Vertex, outcome: Hit | Executed | None) -> None:
        assert self.worker is not None
        number = self.worker.numbers.get(vertex)
        if number is None:
            return
        total, text = len(self.worker.numbers), vertex.description
        match outcome:
            case None:
                self.view.show(StepStarted(number=number, total=total, text=text))
            case Hit(source=source):
                ref = self.imported[source].source.ref
                self.view.show(StepDone(number=number, total=total, text=text, outcome="hit", source=ref))
            case Executed():
                seconds = self.worker.seconds.get(vertex, 0.0)
                self.view.show(StepDone(number=number, total=total, text=text, outcome="miss", seconds=seconds))

    async def _import(self, client: RegistryClient) -> tuple[Imported, ...]:
        started = time.monotonic()
        sources = () if self.request.no_cache else self.request.cache_from
        imported = await import_caches(client, sources, self.request.cache_import_timeout_seconds)
        self.seconds["import"] = time.monotonic() - started
        return imported

    def _phase(self, name: str) -> "_Phase":
        return _Phase(self, name)

    def result(self, error: BaseException | None = None) -> BuildResult:
        """What there is to say, whatever happened."""
        steps = step_results(self.lowered, self.solve, self.worker, self.imported) if self.lowered else ()
        hits = sum(step.outcome == "hit" for step in steps)
        misses = sum(step.outcome == "miss" for step in steps)
        failed = failure_of(error) if error is not None else None
        pulled = sum(self.store.pulled.values()) if self.store else 0
        exported = self.exported
        return BuildResult(
            image=exported.image if exported and failed is None else None,
            failure=failed,
            source_revision=self.revision,
            steps=steps,
            cache=CacheResult(
                total=len(steps),
                hits=hits,
                misses=misses,
                uncacheable=len(steps) - hits - misses,
                sources=tuple(_source_result(imported) for imported in self.imported),
            ),
            bytes=Bytes(
                pulled=pulled,
                pushed=exported.pushed if exported else 0,
                mounted=exported.mounted if exported else 0,
                reused=exported.reused if exported else 0,
            ),
            seconds=Seconds(
                source=self.seconds.get("source", 0.0),
                import_=self.seconds.get("import", 0.0),
                build=self.seconds.get("build", 0.0),
                export=self.seconds.get("export", 0.0),
                total=time.monotonic() - self.started,
            ),
            peak_rss_bytes=_peak_rss(),
            builder_version=__version__,
            executor=self.executor,
        )


class _Phase:
    """Times a part of the build and tells the view."""

    def __init__(self, build: _Build, name: str) -> None:
        self._build = build
        self._name = name

    def __enter__(self) -> None:
        self._started = time.monotonic()
        self._build.view.show(PhaseStarted(name=self._name))

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        seconds = self._build.seconds[self._name] = time.monotonic() - self._started
        if kind is None:
            self._build.view.show(PhaseDone(name=self._name, seconds=seconds))


def _peak_rss() -> int:
    """Of this program: getrusage would count its parent's, whose memory it shared until it was started."""
    with open("/proc/self/status", "rb") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmHWM:")), 0)


def _timestamp(epoch: int | None) -> str:
    moment = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(epoch, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


def _source_result(imported: Imported) -> CacheSourceResult:
    return CacheSourceResult(
        ref=imported.source.ref,
        kind=imported.source.kind,
        outcome=imported.outcome,
        digest=str(imported.digest) if imported.digest else None,
        reason=imported.reason,
        matched=imported.matched,
        seconds=round(imported.seconds, 3),
    )
