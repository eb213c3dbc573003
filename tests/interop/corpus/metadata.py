"""Instructions that only change the config, and what the text of a Dockerfile may look like."""

from . import reasons
from .case import Case, File

CASES = (
    Case(
        name="metadata",
        dockerfile="""FROM registry.test/base
MAINTAINER Ann Other <ann@example.org>
LABEL a=b "with space"="and value" multi="line \\
continues" unicode="ünï"
LABEL old style value
EXPOSE 80 443/tcp 53/udp 8000-8003
VOLUME /v /w
VOLUME ["/x", "/y z"]
STOPSIGNAL 9
USER me:more
ENTRYPOINT ["x", "y"]
CMD ["z"]
RUN id > /tmp/id
""",
        labels={"from": "the command line", "a": "overridden"},
    ),
    Case(
        name="metadata-shell-forms",
        dockerfile="""FROM registry.test/base
ENTRYPOINT exec top -b
CMD echo default   spaces "quotes"
SHELL ["/bin/sh", "-exc"]
RUN echo 1 > /one
CMD echo other shell
HEALTHCHECK --interval=5s CMD wget -q localhost
""",
    ),
    Case(
        name="metadata-resets",
        dockerfile="""FROM registry.test/configured
ENTRYPOINT ["new"]
CMD []
HEALTHCHECK NONE
USER root
WORKDIR /
VOLUME /srv/data
LABEL kind=""
ENV MODE=
STOPSIGNAL SIGQUIT
""",
    ),
    Case(
        name="metadata-entrypoint-after-cmd",
        dockerfile="""FROM registry.test/configured
CMD ["kept", "with the entrypoint after it"]
ENTRYPOINT ["program"]
""",
    ),
    Case(
        name="metadata-entrypoint-drops-cmd",
        dockerfile='FROM registry.test/configured\nENTRYPOINT ["program"]\n',
    ),
    Case(
        name="metadata-healthcheck",
        dockerfile="""FROM registry.test/base
HEALTHCHECK --interval=1m30s --timeout=3s --start-period=500ms --retries=5 CMD ["wget", "-q", "localhost"]
RUN echo 1 > /one
""",
    ),
    Case(
        name="metadata-healthcheck-interval",
        dockerfile="FROM registry.test/base\nHEALTHCHECK --start-interval=2s --start-period=1m CMD true || exit 1\n",
        refused=reasons.START_INTERVAL,
    ),
    Case(
        name="metadata-only",
        dockerfile='FROM registry.test/base\nENV A=1\nLABEL b=2\nCMD ["c"]\n',
    ),
    Case(
        name="workdirs",
        dockerfile="""FROM registry.test/base
WORKDIR a
WORKDIR b
RUN pwd > /one
WORKDIR /c/../d
RUN pwd > /two
WORKDIR /
WORKDIR /e/
COPY a.txt .
WORKDIR ../f
USER me
WORKDIR /made/by/me
WORKDIR /tmp
WORKDIR "quoted name"
RUN pwd > /tmp/three
""",
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="workdir-scratch",
        dockerfile="""FROM scratch AS tree
WORKDIR /workdir-scratch
COPY a.txt .
FROM registry.test/base
COPY --from=tree / /tree/
""",
        files={"a.txt": File("workdir-scratch\n")},
    ),
    Case(
        name="workdir-over-link",
        dockerfile="""FROM registry.test/base
RUN mkdir -p /real/place && ln -s /real /link
WORKDIR /link/place
RUN echo x > file
WORKDIR /link/new
COPY a.txt .
""",
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="words",
        dockerfile="""# escape=\\
FROM registry.test/base
SHELL ["/bin/sh", "-e", "-c"]
RUN echo "quoted <tag> & 'more'" \\
    # a comment in between
    && echo \\
       ünïcödé\t> /text
RUN ["echo", "exec form", "a\\tb"]
SHELL ["/bin/sh", "-c"]
RUN   echo  spaces   are   kept    # and so is this
COPY ["a file.txt", "/with space/"]
COPY a.txt /
""",
        files={"a file.txt": File("a\n"), "a.txt": File("a\n")},
        changed=("a file.txt", 'COPY ["a file.txt", "/with space/"]'),
    ),
    Case(
        name="words-escape",
        dockerfile="""# escape=`
FROM registry.test/base
RUN echo one `
    && echo 'back\\slash' > /one
ENV A=`$PATH B="q`"q"
RUN echo "$A $B" > /two
COPY `
  a.txt `
  /dest/
""",
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="words-syntax-line",
        dockerfile="""# syntax=docker/dockerfile:1
FROM registry.test/base
RUN echo 1 > /one
""",
        refused={
            "dockerd": "it would have to fetch the frontend image, which no network is there for",
            "buildkitd": "it would have to fetch the frontend image, which no network is there for",
        },
    ),
    Case(
        name="words-layout",
        dockerfile="""\ufeff

# leading comments and blank lines
   FROM registry.test/base   AS   final

\tRUN echo indented > /one

run echo lower case > /two
RuN \\

  echo blank line in a continuation \\
  # comment
  \\
  > /three
RUN echo trailing backslash \\\\ > /four
RUN echo 'a # inside quotes' "and # here" > /five # and a comment of the shell
COPY    a.txt\t\t/six\t
ENV  A=1   B=2
  # an indented comment
CMD  [ "a" ,  "b" ]
""",
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="words-crlf",
        dockerfile='FROM registry.test/base\r\nRUN echo one \\\r\n  > /one\r\nENV A=1\r\nCOPY a.txt /\r\nCMD ["a"]\r\n',
        files={"a.txt": File("a\n")},
    ),
    Case(
        name="words-json-or-not",
        dockerfile="""FROM registry.test/base
RUN ["/bin/sh", "-c", "echo \\"json\\" \\u00e9 > /one"]
RUN [ -e /one ] && echo shell > /two
CMD ['single', 'quotes', 'are', 'shell']
ENTRYPOINT ["unclosed"
VOLUME [not json]
""",
    ),
    Case(
        name="words-no-newline",
        dockerfile="FROM registry.test/base\nRUN echo no newline at the end > /one",
    ),
    Case(
        name="words-long",
        dockerfile="FROM registry.test/base\nRUN echo "
        + "long " * 4000
        + "> /one\nENV "
        + " ".join(f"V{n}={n}" for n in range(200))
        + "\nRUN env | grep -v -e OTEL_ -e TRACEPARENT > /two\n",
    ),
    Case(
        name="words-check-directive",
        dockerfile="# check=skip=all\nFROM registry.test/base as lower\nMAINTAINER nobody\nRUN echo 1 > /one\n",
    ),
    Case(
        name="single-stage",
        dockerfile="""FROM registry.test/base
ENV GREETING=hello
WORKDIR /app
RUN echo $GREETING > greeting && mkdir data
RUN true
COPY a.txt b.txt data/
RUN cat data/a.txt greeting > both
WORKDIR deeper/still
LABEL some=label
CMD ["cat", "both"]
""",
        files={"a.txt": File("a\n"), "b.txt": File("b\n"), "unused": File("?")},
        changed=("b.txt", "COPY a.txt b.txt data/"),
    ),
)
