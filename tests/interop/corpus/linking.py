"""COPY --link and ADD --link: layers that do not depend on what is below them."""

from . import reasons
from .case import Case, File, Link

CASES = (
    Case(
        name="link-copy",
        dockerfile="""FROM registry.test/base
COPY --link a.txt /lk/
COPY --link --chown=5:6 b.txt /lk2/
COPY --link a.txt b.txt /both/
""",
        files={"a.txt": File("link-copy a\n"), "b.txt": File("link-copy b\n")},
        refused=reasons.LINK,
    ),
    Case(
        name="link-scratch",
        dockerfile="""FROM scratch
COPY --link a.txt /first/
COPY --link b.txt /second/
COPY c.txt /third/
""",
        files={name: File(f"link-scratch {name}\n") for name in ("a.txt", "b.txt", "c.txt")},
        refused=reasons.LINK,
    ),
    Case(
        name="link-then-run",
        dockerfile="""FROM registry.test/base
RUN echo before > /before
COPY --link src /src
RUN cat /src/x /before > /after
COPY --link a.txt /last
""",
        files={"a.txt": File("link-then-run\n"), "src/x": File("link-then-run x\n"), "src/y": Link("x")},
        changed=("src/x", "COPY --link src /src"),
        refused=reasons.LINK,
    ),
    Case(
        name="link-stage",
        dockerfile="""FROM registry.test/base AS build
RUN mkdir /out && echo built > /out/app && chmod 755 /out/app
FROM registry.test/base
WORKDIR /app
COPY --link --from=build /out .
COPY --link --from=build --chown=1000:1001 /out/app /bin/app
COPY --link --from=registry.test/tools /opt/tools /opt/tools
""",
        refused=reasons.LINK,
    ),
    Case(
        name="link-over",
        dockerfile="""FROM registry.test/base
RUN mkdir /there && echo old > /there/a.txt && echo kept > /there/kept && chmod 700 /there
COPY --link a.txt /there/
COPY --link src/ /there/
""",
        files={"a.txt": File("link-over\n"), "src/x": File("link-over x\n")},
        refused=reasons.LINK,
    ),
    Case(
        name="link-globs",
        dockerfile="""FROM registry.test/base
COPY --link *.txt /texts/
COPY --link --exclude=b.txt --chmod=600 *.txt /some/
COPY --link --parents src/x /parents/
ADD --link a.txt /added/
""",
        files={"a.txt": File("link-globs a\n"), "b.txt": File("link-globs b\n"), "src/x": File("link-globs x\n")},
        refused=reasons.LINK,
    ),
    Case(
        name="link-modes",
        dockerfile="""FROM registry.test/base
COPY --link --chmod=4711 a.txt /one
COPY --link --chmod=u+x a.txt /two
COPY --link --chown=12 a.txt /three
""",
        files={"a.txt": File("link-modes\n")},
        refused=reasons.LINK,
    ),
    Case(
        name="link-in-stage",
        dockerfile="""FROM registry.test/base AS build
COPY --link a.txt /a
RUN cat /a > /b
FROM registry.test/base
COPY --from=build /a /b /out/
""",
        files={"a.txt": File("link-in-stage\n")},
        refused=reasons.LINK,
    ),
    Case(
        name="link-false",
        dockerfile="FROM registry.test/base\nCOPY --link=false a.txt /a\nCOPY --link=true a.txt /b\n",
        files={"a.txt": File("link-false\n")},
        refused=reasons.LINK,
    ),
)
