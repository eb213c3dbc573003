"""FROM: stages, targets, platforms, triggers, named contexts."""

from . import reasons
from .case import Case, File

CASES = (
    Case(
        name="stages",
        dockerfile="""FROM registry.test/base AS tree
RUN mkdir -p /out/sub && echo 1 > /out/one && echo 2 > /out/sub/two && ln -s one /out/link
FROM tree AS build
WORKDIR /src
COPY src .
RUN cat x > /out/x
FROM registry.test/base AS unused
RUN echo never > /never
FROM registry.test/base AS last
WORKDIR /work
RUN echo first > /first
COPY --from=build /out /out
COPY --from=tree /out/sub/t* /out/link /picked/
COPY --from=0 /out/one /one
COPY a.txt /
RUN cat /out/x > /end
""",
        files={"src/x": File("x\n"), "src/deep/y": File("y\n"), "a.txt": File("a\n")},
        changed=("src/x", "COPY src ."),
    ),
    Case(
        name="stages-target",
        dockerfile="""FROM registry.test/base AS build
RUN echo built > /built
FROM build AS test
RUN false
FROM registry.test/base AS Release
COPY --from=BUILD /built /built
FROM release AS later
RUN false
""",
        target="release",
    ),
    Case(
        name="stages-diamond",
        dockerfile="""FROM registry.test/base AS top
RUN echo top > /top
FROM top AS left
RUN cat /top > /left
FROM top AS right
RUN cat /top > /right
FROM left AS bottom
COPY --from=right /right /right
RUN cat /left /right > /bottom
""",
    ),
    Case(
        name="stages-same-name",
        dockerfile="""FROM registry.test/base AS app
RUN echo 1 > /one
FROM app AS app-two
RUN echo 2 > /two
FROM registry.test/base AS tools
RUN echo stage > /which
FROM app-two
COPY --from=tools /which /
""",
    ),
    Case(
        name="stages-nothing-new",
        dockerfile="""FROM registry.test/base AS build
RUN echo 1 > /one
FROM build AS again
FROM again
LABEL only=metadata
""",
    ),
    Case(
        name="from-only",
        dockerfile="FROM registry.test/configured\n",
    ),
    Case(
        name="from-scratch-metadata",
        dockerfile='FROM scratch\nCOPY a.txt /from-scratch-metadata\nENV A=1\nLABEL only=metadata\nCMD ["/none"]\n',
        files={"a.txt": File("from-scratch-metadata\n")},
    ),
    Case(
        name="from-configured",
        dockerfile="""FROM registry.test/configured
RUN env | grep -v -e OTEL_ -e TRACEPARENT > /tmp/env; pwd > /tmp/cwd; id > /tmp/id
WORKDIR below
COPY a.txt .
COPY --chown=me a.txt mine.txt
LABEL added=1
ENV MODE=changed
EXPOSE 9090
CMD ["other"]
""",
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="from-index",
        dockerfile="""FROM registry.test/multi
COPY a.txt /
RUN cat /a.txt > /b
""",
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="from-platform",
        dockerfile="""FROM --platform=linux/arm64 registry.test/multi
COPY a.txt /from-platform
WORKDIR /made
ENV A=1
""",
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="from-platform-stage",
        dockerfile="""FROM --platform=linux/arm64 registry.test/multi AS foreign
COPY a.txt /foreign
FROM registry.test/base
COPY --from=foreign /foreign /etc/passwd /from-arm/
RUN cat /from-arm/foreign > /end
""",
        files={"a.txt": File("from-platform-stage\n")},
    ),
    Case(
        name="platform-option",
        dockerfile="""FROM --platform=$BUILDPLATFORM registry.test/multi AS build
ARG TARGETARCH
RUN echo "for $TARGETARCH" > /built
FROM registry.test/multi
COPY --from=build /built /built
COPY a.txt /platform-option
""",
        files={"a.txt": File("a\n")},
        platform="linux/arm64",
    ),
    Case(
        name="onbuild",
        dockerfile="""FROM registry.test/base AS own
ONBUILD COPY own.txt /own
ONBUILD RUN cat /own > /own-too
FROM own AS stage
RUN echo stage > /stage
FROM registry.test/onbuild
RUN echo end > /end
COPY --from=stage /own-too /stage /
""",
        files={"app/main": File("m\n", 0o755), "own.txt": File("o\n")},
        changed=("app/main", "COPY app /app"),
    ),
    Case(
        name="onbuild-everything",
        dockerfile="""FROM registry.test/base AS own
ONBUILD ENV TRIGGERED=1
ONBUILD ARG VERSION=7
ONBUILD WORKDIR /triggered
ONBUILD USER me
ONBUILD RUN echo "$TRIGGERED $VERSION" > /tmp/seen
ONBUILD LABEL triggered="yes $VERSION"
ONBUILD EXPOSE 1234
ONBUILD CMD ["triggered"]
ONBUILD ADD a.txt /added
RUN echo parent > /parent
FROM own
RUN pwd > /tmp/cwd
""",
        files={"a.txt": File("a\n")},
        arguments={"VERSION": "8"},
    ),
    Case(
        name="onbuild-from-stage",
        dockerfile="""FROM registry.test/base AS assets
RUN echo asset > /asset
FROM registry.test/base AS own
ONBUILD COPY --from=assets /asset /asset
FROM own
RUN cat /asset > /end
""",
        refused=reasons.ONBUILD_FROM,
    ),
    Case(
        name="onbuild-inherited",
        dockerfile="""FROM registry.test/base
RUN echo 1 > /one
ONBUILD RUN echo later
ONBUILD COPY . /src
""",
    ),
    Case(
        name="contexts-directory",
        dockerfile="""FROM registry.test/base
COPY --from=shared lib.sh /lib/
COPY --from=shared / /all/
RUN --mount=from=shared,target=/m cat /m/lib.sh > /mounted
COPY own.txt /
""",
        files={"own.txt": File("own\n")},
        contexts={"shared": {"lib.sh": File("lib\n", 0o755), "deep/file": File("d\n"), "skipped.log": File("l\n")}},
        refused=reasons.CONTEXTS,
    ),
    Case(
        name="contexts-image",
        dockerfile="""FROM registry.test/base AS swapped
RUN false
FROM registry.test/base
COPY --from=swapped /opt/tools/one /one
COPY --from=given /opt/there /there
""",
        contexts={"swapped": "tools", "given": "tools"},
        refused=reasons.CONTEXTS,
    ),
    Case(
        name="contexts-base",
        dockerfile="""FROM anything.example/base
COPY a.txt /
RUN cat /a.txt > /b
""",
        files={"a.txt": File("a\n")},
        contexts={"anything.example/base": "base"},
        refused=reasons.CONTEXTS,
    ),
)
