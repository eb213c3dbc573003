"""Results of builds, as a build report is made from them."""

from imagebuild_engine.contract import (
    BuildResult,
    Bytes,
    CacheExportResult,
    CacheResult,
    CacheSourceResult,
    FailureResult,
    ImageResult,
    MissReason,
    Reason,
    Seconds,
    StepResult,
    failure,
)

DIGEST = "sha256:" + "91ab3f" * 10 + "0c4d"
OTHER = "sha256:" + "77d0e2" * 10 + "5b1f"
PREVIOUS = "registry.example/shop/web:main"
MOVED = Bytes(pulled=48_200_000, pushed=2_113_000, mounted=30_411_776, reused=91_400_000)
SPENT = Seconds(source=0.31, context=0.12, import_=0.24, build=38.2, export=2.31, total=41.2)


def result_of(
    steps: tuple[StepResult, ...],
    *,
    failed: FailureResult | None = None,
    sources: tuple[CacheSourceResult, ...] = (),
    exports: tuple[CacheExportResult, ...] = (),
    moved: Bytes = MOVED,
    seconds: Seconds = SPENT,
) -> BuildResult:
    outcomes = [step.outcome for step in steps]
    image = ImageResult(
        digest=DIGEST,
        config_digest=OTHER,
        media_type="application/vnd.oci.image.manifest.v1+json",
        platform="linux/amd64",
        size=46_900_000,
        refs=("registry.example/shop/web:1.4.2", "registry.example/shop/web:latest"),
        pushed=True,
    )
    return BuildResult(
        image=None if failed else image,
        failure=failed,
        source_revision="4f2c9d1e0b7a55aa31c5f0d2b9c47e6a81f3d9e2",
        steps=steps,
        cache=CacheResult(
            total=len(steps),
            hits=outcomes.count("hit"),
            misses=outcomes.count("miss"),
            uncacheable=outcomes.count("uncacheable"),
            sources=sources,
            exports=exports,
        ),
        bytes=moved,
        seconds=seconds,
        peak_rss_bytes=84_000_000,
        builder_version="0.1.0",
        executor="oci",
    )


def hit(number: int, stage: str, text: str, *inputs: int, saved: float = 0.0, size: int = 0) -> StepResult:
    return StepResult(
        number=number,
        stage=stage,
        line=number + 1,
        instruction=text,
        inputs=inputs,
        outcome="hit",
        source=PREVIOUS,
        saved_seconds=saved,
        bytes=size,
    )


def miss(
    number: int,
    stage: str,
    text: str,
    *inputs: int,
    reason: MissReason = MissReason.PARENT_MISSED,
    detail: tuple[str, ...] = (),
    more: int = 0,
    seconds: float = 0.4,
    size: int = 0,
) -> StepResult:
    return StepResult(
        number=number,
        stage=stage,
        line=number + 1,
        instruction=text,
        inputs=inputs,
        outcome="miss",
        reason=reason,
        detail=detail,
        more=more,
        compared_with=f"{PREVIOUS}@{OTHER}",
        seconds=seconds,
        bytes=size,
    )


def all_hits() -> BuildResult:
    steps = (
        hit(
            1,
            "builder",
            "RUN apt-get update && apt-get install -y --no-install-recommends gcc",
            saved=31.0,
            size=61_000_000,
        ),
        hit(2, "builder", "WORKDIR /src", 1),
        hit(3, "builder", "COPY pyproject.toml uv.lock ./", 2, size=4_100),
        hit(4, "builder", "RUN pip wheel --wheel-dir /wheels .", 3, saved=84.0, size=18_000_000),
        hit(5, "runtime", "RUN useradd --system web", saved=0.6, size=3_900),
        hit(6, "runtime", "COPY --from=builder /wheels /wheels", 5, 4, saved=0.4, size=17_200_000),
        hit(7, "runtime", "RUN pip install --no-index --find-links /wheels web", 6, saved=12.4, size=21_300_000),
    )
    source = CacheSourceResult(
        ref=PREVIOUS, outcome="used", kind="previous", digest=OTHER, matched=len(steps), seconds=0.041
    )
    export = CacheExportResult(type="attached", outcome="unchanged", digest=OTHER, seconds=0.02)
    return result_of(
        steps,
        sources=(source,),
        exports=(CacheExportResult(type="inline", outcome="exported"), export),
        moved=Bytes(reused=117_500_000, mounted=0),
        seconds=Seconds(source=0.21, context=0.05, import_=0.04, build=0.03, export=0.11, total=0.44),
    )


def mixed() -> BuildResult:
    """A change in the middle of one stage, a copy that rests on nothing, and caches in all sorts of trouble."""
    steps = (
        hit(1, "assets", "WORKDIR /assets", saved=0.1, size=120),
        hit(2, "assets", "COPY package.json package-lock.json ./", 1, size=210_000),
        hit(3, "assets", "RUN --mount=type=cache,target=/root/.npm npm ci", 2, saved=48.0, size=88_000_000),
        miss(
            4,
            "assets",
            "COPY web/ web/",
            3,
            reason=MissReason.FILES_CHANGED,
            detail=("web/src/app.ts", "web/src/cart/total.ts", "web/style/main.css"),
            seconds=0.3,
            size=1_900_000,
        ),
        miss(5, "assets", "RUN npm run build", 4, seconds=22.7, size=3_100_000),
        hit(6, "wheels", "COPY pyproject.toml uv.lock ./", size=4_100),
        hit(
            7,
            "wheels",
            "RUN pip wheel --wheel-dir /wheels --requirement requirements.txt",
            6,
            saved=84.0,
            size=18_000_000,
        ),
        hit(8, "runtime", "RUN useradd --system web", saved=0.6, size=3_900),
        hit(9, "runtime", "COPY --link --from=wheels /wheels /wheels", 7, saved=0.4, size=17_200_000),
        hit(10, "runtime", "RUN pip install --no-index --find-links /wheels web", 8, 9, saved=12.4, size=21_300_000),
        miss(
            11,
            "runtime",
            "ARG VERSION → ENV VERSION=1.4.2; RUN printf '%s' \"$VERSION\" > /srv/version",
            10,
            reason=MissReason.BUILD_ARG_CHANGED,
            detail=("VERSION",),
            seconds=0.2,
            size=190,
        ),
        miss(12, "runtime", "COPY --from=assets /assets/dist /srv/static", 11, 5, seconds=0.4, size=2_800_000),
        StepResult(
            number=13,
            stage="runtime",
            line=21,
            instruction="RUN --mount=type=ssh ssh -T deploy@registry.example",
            inputs=(12,),
            outcome="uncacheable",
            reason=MissReason.UNCACHEABLE,
            seconds=1.8,
        ),
    )
    sources = (
        CacheSourceResult(ref=PREVIOUS, outcome="used", kind="previous", digest=OTHER, matched=8, seconds=0.041),
        CacheSourceResult(ref="registry.example/shop/web:cache", outcome="unused", digest=DIGEST, seconds=0.2),
        CacheSourceResult(
            ref="mirror.example/shop/web:main", outcome="timeout", reason="no answer within 30 s", seconds=30.0
        ),
        CacheSourceResult(
            ref="other.example/team/web:main", outcome="unauthorized", reason="401 Unauthorized for pull", seconds=0.1
        ),
    )
    exports = (
        CacheExportResult(type="inline", outcome="exported"),
        CacheExportResult(type="attached", outcome="exported", digest=DIGEST, pushed=91_000_000, seconds=3.4),
        CacheExportResult(
            type="steps", outcome="failed", ref="registry.example/steps", reason="503 Service Unavailable", seconds=9.8
        ),
    )
    return result_of(steps, sources=sources, exports=exports)


def failed_build() -> BuildResult:
    """The fifth of some steps failed; the fourth is the other stage's, and some were not reached."""
    steps = (
        hit(1, "builder", "WORKDIR /src"),
        hit(2, "builder", "COPY go.mod go.sum ./", 1, size=12_000),
        hit(3, "builder", "RUN go mod download", 2, saved=19.0, size=70_000_000),
        miss(4, "builder", "COPY . .", 3, reason=MissReason.FILES_CHANGED, detail=("cmd/serve/main.go",), size=640_000),
        hit(8, "runtime", "RUN adduser -D web", saved=0.3, size=2_000),
    )
    found = failure(
        Reason.STEP_FAILED,
        "line 6: RUN go build -o /out/serve ./cmd/serve: ended with exit code 1",
        stage="builder",
        step="RUN go build -o /out/serve ./cmd/serve",
        line=6,
        excerpt="   4 | RUN go mod download\n   5 | COPY . .\n   6 | RUN go build -o /out/serve ./cmd/serve\n"
        "     | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        log_tail="# shop.example/web/cmd/serve\n\x1b[31mcmd/serve/main.go:41:9: undefined: listenAndServ\x1b[0m\n"
        "cmd/serve/main.go:57:2: declared and not used: address",
    )
    return result_of(steps, failed=found, moved=Bytes(pulled=70_100_000))


def forty_steps() -> BuildResult:
    """Five stages of eight steps: two bases, two builders on them, and an image that copies from all."""
    names = ("base", "tools", "api", "site", "runtime")
    steps = []
    for number in range(1, 41):
        stage, place = divmod(number - 1, 8)
        inputs = (number - 1,) if place else ()
        if place == 0 and names[stage] in ("api", "runtime"):
            inputs = (8,)
        if names[stage] == "site" and place == 0:
            inputs = (16,)
        if names[stage] == "runtime" and place in (2, 4):
            inputs = (number - 1, 24 if place == 2 else 32)
        text = f"RUN make {names[stage]}-{place + 1}" if place % 3 else f"COPY {names[stage]}/{place} /src/{place}"
        if names[stage] == "runtime" and place in (2, 4):
            text = f"COPY --from={'api' if place == 2 else 'site'} /out /srv"
        if number < 28 or (stage == 4 and place < 4):
            steps.append(hit(number, names[stage], text, *inputs, saved=number % 7 * 1.7, size=number * 91_000))
        else:
            reason = MissReason.INSTRUCTION_CHANGED if number == 28 else MissReason.PARENT_MISSED
            detail = ("RUN make site-4", "RUN make site-04") if number == 28 else ()
            seconds = number % 5 * 2.3
            steps.append(miss(number, names[stage], text, *inputs, reason=reason, detail=detail, seconds=seconds))
    source = CacheSourceResult(ref=PREVIOUS, outcome="used", kind="previous", digest=OTHER, matched=31, seconds=0.06)
    return result_of(tuple(steps), sources=(source,))


def hostile() -> BuildResult:
    """Everything that a Dockerfile, a path, a log or a registry could try."""
    evil = (
        '</code></summary><script>alert(1)</script><img src="https://evil.example/x.png" onerror=alert(1)>'
        "<style>*{display:none}</style>\u202egpj.exe\u2066\x00\x1b[31m\x07\ud800\udcff" + "e" + "\u0301" * 60
    )
    long = "x" * 5000
    steps = (
        hit(1, evil, f"RUN {evil}", saved=1e300, size=10**17),
        miss(
            2, "</section>", f"COPY {long} /", 1, 99, reason=MissReason.FILES_CHANGED, detail=(evil, long) * 3, more=7
        ),
        miss(
            3,
            "שלום עולם",
            "RUN echo 'مرحبا' && echo 你好 && echo 👩‍👩‍👧",
            2,
            2,
            reason=MissReason.STEP_NEW,
            seconds=-1.0,
        ),
        miss(10**12, long, evil * 3, 5, 2, reason=MissReason.STEP_NEW),
    )
    source = CacheSourceResult(ref=evil, outcome="error", kind=evil, digest=evil, reason=evil, matched=-1)
    export = CacheExportResult(type="steps", outcome="failed", ref=long, digest=evil, reason=long)
    found = failure(
        Reason.STEP_FAILED, evil, stage=evil, step=evil, line=3, excerpt=evil + long, log_tail=(evil + "\r\n") * 2000
    )
    return result_of(steps, failed=found, sources=(source,), exports=(export,))


RESULTS = {
    "hits": all_hits,
    "mixed": mixed,
    "failed": failed_build,
    "forty": forty_steps,
    "hostile": hostile,
}
