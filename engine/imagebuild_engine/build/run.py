"""One build, top to bottom: the table of contents of this package."""

import asyncio
from functools import partial

from .. import __version__
from ..contract import BuildRequest, BuildResult, Bytes, CacheResult, ImageResult, MissReason, Seconds, miss_text
from ..core.explain import Components
from ..core.graph import Vertex
from ..core.solver import Executed, Hit, Solve
from .early_uploads import EarlyUploads, destinations
from .export import Exported, Story, export
from .failures import failure_of
from .layers import Result, Tree
from .losses import check_sources, until_nothing_is_lost
from .prepare import Preparation, Ready
from .progress import BuildDone, StepDone, StepStarted, View
from .push import Uploads
from .report import counts_by_reason, step_result, step_results
from .settings import Settings


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
        self.view = view
        self.preparation = Preparation(request, settings, view)
        self.solve: Solve[Result] | None = None
        self.early: EarlyUploads | None = None
        self.exported: Exported | None = None

    async def run(self) -> BuildResult:
        async with self.preparation.prepared() as ready:
            self.solve = ready.solve(ready.worker, self._observe)
            uploads = Uploads(ready.store)
            async with EarlyUploads(uploads, destinations(self.request)) as self.early:
                self.exported = await until_nothing_is_lost(
                    ready.imported, partial(self._solve_and_export, ready, self.solve, uploads)
                )
        result = self.result()
        self.view.show(BuildDone(result=result))
        return result

    async def _solve_and_export(self, ready: Ready, solve: Solve[Result], uploads: Uploads) -> Exported:
        with self.preparation.phases.phase("build"):
            tree = await self._solve(ready, solve)
        if self.request.fail_on_import_error:
            check_sources(ready.imported)
        if self.early is not None:
            self.early.last_call()
        with self.preparation.phases.phase("export"):
            return await export(
                request=self.request,
                lowered=ready.lowered,
                tree=tree,
                solve=solve,
                imported=ready.imported,
                uploads=uploads,
                base_layers=ready.lowered.base_layers,
                created=ready.created(),
                steps=ready.steps,
                seconds=ready.explainer.seconds(solve),
                story=Story(components=self._components, result=lambda image: self.result(image=image)),
                view=self.view,
            )

    async def _solve(self, ready: Ready, solve: Solve[Result]) -> Tree:
        if ready.lowered.target is None:
            return Tree()
        return await ready.worker.trees.layered(await solve.run(ready.lowered.target))

    def _observe(self, vertex: Vertex, outcome: Hit | Executed | None) -> None:
        ready, solve = self.preparation.ready, self.solve
        assert ready is not None
        assert solve is not None
        if vertex not in ready.worker.numbers:
            return
        total, text = len(ready.worker.numbers), vertex.description
        step = step_result(vertex, solve, ready.explainer, ready.store)
        assert step is not None
        if outcome is None:
            plain = step.reason is MissReason.NO_CACHE_SOURCE  # which explains itself
            why = "" if plain else miss_text(step.reason, step.detail, step.more)
            self.view.show(StepStarted(number=step.number, total=total, text=text, why=why))
            return
        if isinstance(outcome, Executed) and self.early is not None:
            self.early.offer(solve.solved[vertex].result, step.seconds)
        self.view.show(
            StepDone(
                number=step.number,
                total=total,
                text=text,
                outcome="hit" if isinstance(outcome, Hit) else "miss",
                source=step.source or "",
                saved=step.saved_seconds,
                seconds=step.seconds,
            )
        )

    def _components(self) -> Components:
        ready, solve = self.preparation.ready, self.solve
        assert ready is not None
        assert solve is not None
        return ready.explainer.components(solve)

    def result(self, error: BaseException | None = None, image: ImageResult | None = None) -> BuildResult:
        """What there is to say, whatever happened; of a build that goes on, with the image that it has made."""
        preparation, ready = self.preparation, self.preparation.ready
        if ready and self.solve:
            ready.credit(self.solve, ready.lowered.steps)
        steps = step_results(self.solve, ready.explainer, ready.store) if ready else ()
        hits = sum(step.outcome == "hit" for step in steps)
        misses = sum(step.outcome == "miss" for step in steps)
        failed = failure_of(error) if error is not None else None
        exported, seconds = self.exported, preparation.phases.seconds
        return BuildResult(
            image=image or (exported.image if exported and failed is None else None),
            failure=failed,
            source_revision=preparation.revision,
            steps=steps,
            cache=CacheResult(
                total=len(steps),
                hits=hits,
                misses=misses,
                uncacheable=len(steps) - hits - misses,
                reasons=counts_by_reason(steps),
                sources=tuple(imported.told() for imported in preparation.imported),
                exports=exported.caches if exported else (),
                fallbacks=len(ready.worker.lost) if ready else 0,
            ),
            bytes=Bytes(
                pulled=sum(ready.store.pulled.values()) if ready else 0,
                pushed=exported.pushed if exported else 0,
                mounted=exported.mounted if exported else 0,
                reused=exported.reused if exported else 0,
            ),
            seconds=Seconds(
                source=seconds.get("source", 0.0),
                import_=seconds.get("import", 0.0),
                build=seconds.get("build", 0.0),
                export=seconds.get("export", 0.0),
                total=preparation.phases.total,
            ),
            peak_rss_bytes=_peak_rss(),
            builder_version=__version__,
            executor=preparation.executor,
        )


def _peak_rss() -> int:
    """Of this program: getrusage would count its parent's, whose memory it shared until it was started."""
    with open("/proc/self/status", "rb") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmHWM:")), 0)
