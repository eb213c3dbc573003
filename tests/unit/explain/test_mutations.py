"""Whatever one input of a build is changed, the first step that runs for it names it, and no value is ever told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.explain import encode_components
from imagebuild_engine.core.miss import MissReason
from imagebuild_engine.core.oci import Digest

from tests.support.explained_world import Build, File, build
from tests.support.lowering import BASE, Images, image

IMAGES: Images = {**BASE, **image("tools", env=("PATH=/bin", "TOOL=1"))}
FILES = ["a.txt", "b.txt", "src/one.c", "src/two.c", "src/deep/three.c"]
NAMES = ["A", "B", "C"]
SECRET_VALUES = ["v4lue-one", "v4lue-two", "v4lue-three"]


@dataclass(frozen=True)
class Spec:
    """A build's inputs. A stage is a base and lines; `{…}` in a line is filled in from `words`."""

    stages: tuple[tuple[str, tuple[str, ...]], ...]
    files: Mapping[str, File]
    args: Mapping[str, str]
    env: str = "v4lue-env"
    command: str = "make"
    secret: str = "token"
    source: str = "0"
    images: Images = None  # type: ignore[assignment]  # set below

    @property
    def text(self) -> str:
        words = {"env": self.env, "command": self.command, "secret": self.secret, "source": self.source}
        lines = []
        for number, (base, steps) in enumerate(self.stages):
            lines += [f"FROM {base} AS s{number}", *(step.format(**words) for step in steps)]
        return "\n".join(lines) + "\n"

    def build(self, *caches: Any) -> Build:
        return build(self.text, self.files, *caches, images=self.images, args=self.args)


LINES = st.sampled_from(
    [
        "ARG A",
        "ARG B=$A",
        "ARG C=default",
        "ENV X={env}",
        "ENV Y=$B",
        "RUN {command}",
        "RUN other",
        "RUN --mount=type=secret,id={secret} fetch",
        "RUN --mount=type=bind,source=src,target=/mnt read",
        "COPY a.txt /",
        "COPY src /src",
        "COPY *.txt /texts/",
        "COPY $X* b.txt /odd/",
        "WORKDIR /w/$Y",
        "USER 7",
    ]
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    first = ("base", tuple(draw(st.lists(LINES, min_size=1, max_size=6))))
    second = (draw(st.sampled_from(["base", "tools", "s0"])), tuple(draw(st.lists(LINES, min_size=1, max_size=6))))
    copies = ("COPY --from=s{source} /etc /etc0", "COPY --from=tools /etc/base /tool")
    last = ("base", (draw(st.sampled_from(copies)), *draw(st.lists(LINES, max_size=6)), "COPY --from=s1 / /all"))
    return Spec(
        stages=(first, second, last),
        files={path: f"text of {path}" for path in FILES},
        args=dict(zip(NAMES, draw(st.permutations(SECRET_VALUES)), strict=True)),
        images=IMAGES,
    )


@dataclass(frozen=True)
class Change:
    """Another build, and how it must be told: one of the reasons, with this text in the detail."""

    spec: Spec
    reasons: tuple[MissReason, ...]
    named: tuple[str, ...]


@st.composite
def changes(draw: st.DrawFn) -> tuple[Spec, Change]:
    spec = draw(specs())
    path = draw(st.sampled_from(FILES))
    files = dict(spec.files)
    kinds = ["bytes", "mode", "new", "gone", "argument", "variable", "image", "text", "secret", "stage"]
    match draw(st.sampled_from(kinds)):
        case "bytes":
            change = Change(replace(spec, files=files | {path: "other"}), (MissReason.FILES_CHANGED,), (path,))
        case "mode":
            changed = files | {path: (files[path], 0o755)}
            change = Change(replace(spec, files=changed), (MissReason.FILE_MODE_CHANGED,), (path, "644 → 755"))
        case "new":
            path = path.replace(".", "-new.")
            change = Change(replace(spec, files=files | {path: "x"}), (MissReason.FILES_CHANGED,), (path, "(added)"))
        case "gone":
            del files[path]
            assume(path.startswith("src"))
            named = path.removesuffix("/three.c")  # nothing else is in that directory
            change = Change(replace(spec, files=files), (MissReason.FILES_CHANGED,), (named, "(removed)"))
        case "argument":
            name = draw(st.sampled_from(NAMES))
            args = dict(spec.args) | {name: "v4lue-four"}
            change = Change(replace(spec, args=args), (MissReason.BUILD_ARG_CHANGED,), (name,))
        case "variable":
            change = Change(replace(spec, env="v4lue-five"), (MissReason.ENVIRONMENT_CHANGED,), ("X",))
        case "image":
            request = draw(st.sampled_from(sorted(IMAGES, key=str)))
            digest = Digest.of(b"moved")
            known = IMAGES[request]
            moved = replace(
                known,
                reference=known.reference.with_digest(digest),
                digest=digest,
                config=replace(known.config, diff_ids=(digest,)),
            )
            change = Change(
                replace(spec, images={**IMAGES, request: moved}), (MissReason.BASE_IMAGE_CHANGED,), (digest,)
            )
        case "text":
            change = Change(
                replace(spec, command="make all"), (MissReason.INSTRUCTION_CHANGED,), ("RUN make → RUN make all",)
            )
        case "secret":
            change = Change(
                replace(spec, secret="key"), (MissReason.SECRET_ID_CHANGED,), ("secret:token → secret:key",)
            )
        case _:
            change = Change(
                replace(spec, source="1"), (MissReason.INSTRUCTION_CHANGED,), ("--from=s0 /etc /etc0 → COPY --from=s1",)
            )
    return spec, change


@settings(max_examples=80, deadline=None)
@given(changes())
def test_a_change_is_named_by_the_first_step_that_runs_for_it(drawn: tuple[Spec, Change]) -> None:
    spec, change = drawn
    cache = spec.build().cache()
    built = change.spec.build(cache)
    if not built.misses:
        return  # nothing depends on it
    miss = built.first
    detail = " ".join(miss.detail)
    assert miss.reason in change.reasons, (spec.text, change.spec.text, built.misses)
    assert all(name in detail for name in change.named), (spec.text, built.misses)


@settings(max_examples=30, deadline=None)
@given(changes())
def test_no_value_is_in_the_components_or_in_a_reason(drawn: tuple[Spec, Change]) -> None:
    spec, change = drawn
    first = spec.build()
    second = change.spec.build(first.cache())
    texts = [encode_components(build.components).decode() for build in (first, second)]
    texts += [repr(miss) for miss in second.misses.values()]
    texts.append(repr(second.explainer._explanation))
    assert not [text for text in texts if "v4lue" in text]


@settings(max_examples=30, deadline=None)
@given(specs())
def test_a_rebuild_from_the_cache_keeps_the_components(spec: Spec) -> None:
    first = spec.build()
    second = spec.build(first.cache())
    assert second.misses == {}
    assert encode_components(second.components) == encode_components(first.components)
    third = spec.build(second.cache())
    assert encode_components(third.components) == encode_components(first.components)
