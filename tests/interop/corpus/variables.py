"""ARG, ENV and ${...}: what is expanded, where, and in which order it reaches RUN."""

from . import reasons
from .case import Case, File

CASES = (
    Case(
        name="variables",
        dockerfile="""ARG FLAVOUR=plain
ARG IMAGE=registry.test/base
FROM ${IMAGE}
ARG FLAVOUR
ARG WHO=root
ARG GIVEN=default
ARG UNSET
ARG TARGETARCH
ENV A=1 B=$A C=${UNSET:-fallback}
ENV A=2 PATH=/opt/bin:$PATH
RUN env | grep -v -e OTEL_ -e TRACEPARENT > /seen
ARG LATE=${C}-late
COPY $FLAVOUR.txt /${FLAVOUR}/$GIVEN/
WORKDIR /${LATE}
USER $WHO
RUN echo "$A $B $C $FLAVOUR $GIVEN $LATE $TARGETARCH" > /end
EXPOSE 80 ${A}00/udp
VOLUME /data
ENTRYPOINT ["/bin/sh"]
""",
        files={"plain.txt": File("p\n"), "spicy.txt": File("s\n")},
        arguments={"GIVEN": "from the command line", "FLAVOUR": "spicy"},
        changed=("spicy.txt", "COPY $FLAVOUR.txt /${FLAVOUR}/$GIVEN/"),
    ),
    Case(
        name="variables-order",
        dockerfile="""FROM registry.test/configured
ARG B=b
ENV A=a
ARG C
ARG A=not-this
ENV B=changed D="$A $B"
ENV MODE=other
ARG EMPTY=
ENV NOTHING=
RUN env | grep -v -e OTEL_ -e TRACEPARENT > /tmp/seen
RUN echo "$A$B$C$D$EMPTY$NOTHING" > /tmp/values
""",
        arguments={"C": "given", "UNUSED": "never declared"},
    ),
    Case(
        name="variables-forms",
        dockerfile="""FROM registry.test/base
ENV SET=value EMPTY=
ENV A=${SET:-d} B=${EMPTY:-d} C=${UNSET:-d} D=${SET:+alt} E=${EMPTY:+alt} F=${UNSET:+alt}
ENV G=${SET-d} H=${EMPTY-d} I=${UNSET-d} J=${SET+alt} K=${EMPTY+alt} L=${UNSET+alt}
ENV M=${SET:?must} N=${SET?must} O=${UNSET:-${SET:+nested}}
ENV P="quoted $SET" Q='single $SET' R=esc\\$SET S="in \\"quotes\\"" T=a\\ space
RUN env | grep -v -e OTEL_ -e TRACEPARENT > /seen
LABEL form="${UNSET:-none}" same=$SET
WORKDIR /${UNSET:-work}
""",
        refused=reasons.NO_COLON,
    ),
    Case(
        name="variables-patterns",
        dockerfile="""FROM registry.test/base
ENV V=foobarbarfoo.tar.gz
ENV A=${V#foo} B=${V#*bar} C=${V##*bar} D=${V%.gz} E=${V%.*} F=${V%%.*} G=${V#none}
ENV H=${V/bar/X} I=${V//bar/X} J=${V/b?r/} K=${V//o*f/-} L=${V/none/x}
ENV P=o
ENV M=${V//$P/0} N=${V%${P}*}
RUN env | grep -v -e OTEL_ -e TRACEPARENT > /seen
""",
        refused=reasons.PATTERNS,
    ),
    Case(
        name="variables-old-env",
        dockerfile="""FROM registry.test/base
ENV OLD the rest of the line, "as it is" # too
ENV NEXT $OLD
ENV A=1 \\
    B="two words" \\
    # a comment between
    C=3
RUN env | grep -v -e OTEL_ -e TRACEPARENT > /seen
""",
    ),
    Case(
        name="variables-everywhere",
        dockerfile="""FROM registry.test/base
ARG NAME=vars DIR=/opt/app PORT=8080 WHO=me MODE=750 SIG=SIGINT
LABEL name=$NAME $NAME="as a key" quoted="${NAME}'s"
EXPOSE $PORT/tcp $PORT/udp
VOLUME ["$DIR/data", "/plain"]
VOLUME $DIR/more /and-this
STOPSIGNAL $SIG
WORKDIR $DIR
COPY --chown=$WHO:$WHO --chmod=$MODE $NAME.txt $NAME-2.txt ${DIR}/files/
USER $WHO
SHELL ["/bin/sh", "-c"]
RUN echo "$NAME ${DIR##*/}" > /tmp/shell-sees
ENTRYPOINT ["echo", "$NAME"]
CMD echo $NAME
HEALTHCHECK CMD test -e $DIR
ONBUILD RUN echo $NAME
""",
        files={"vars.txt": File("v\n"), "vars-2.txt": File("w\n")},
    ),
    Case(
        name="variables-platform",
        dockerfile="""ARG TARGETOS
ARG BUILDPLATFORM
FROM --platform=$BUILDPLATFORM registry.test/base
ARG TARGETPLATFORM
ARG TARGETOS
ARG TARGETARCH
ARG TARGETVARIANT
ARG BUILDPLATFORM
ARG BUILDOS
ARG BUILDARCH
ARG BUILDVARIANT
RUN env | grep -v -e OTEL_ -e TRACEPARENT > /seen
RUN echo "$TARGETPLATFORM $TARGETOS $TARGETARCH $TARGETVARIANT" > /target
""",
        refused=reasons.PLATFORM_ARG,
    ),
    Case(
        name="variables-proxy",
        dockerfile="""FROM registry.test/base
RUN echo "${http_proxy:-none} ${NO_PROXY:-none}" | wc -c > /dev/null && echo ran > /one
ARG HTTPS_PROXY
RUN echo "$HTTPS_PROXY" > /two
""",
        arguments={
            "http_proxy": "http://proxy.example:1",
            "NO_PROXY": "localhost",
            "HTTPS_PROXY": "http://p.example:2",
        },
    ),
    Case(
        name="variables-scopes",
        dockerfile="""ARG GLOBAL=global
ARG BOTH=global
FROM registry.test/base AS one
ARG GLOBAL
ARG BOTH=own
ENV FROM_ONE=1
RUN echo "$GLOBAL $BOTH" > /one
FROM one AS two
RUN echo "${GLOBAL:-gone} ${BOTH:-gone} $FROM_ONE" > /two
ARG GLOBAL
FROM registry.test/base
RUN echo "${GLOBAL:-gone} ${BOTH:-gone} ${FROM_ONE:-gone}" > /three
COPY --from=two /one /two /
""",
        arguments={"BOTH": "given"},
    ),
    Case(
        name="variables-epoch",
        dockerfile="""FROM registry.test/base
WORKDIR /epoch
COPY a.txt .
ARG SOURCE_DATE_EPOCH
RUN echo "$SOURCE_DATE_EPOCH" > seen
""",
        files={"a.txt": File("a\n")},
        arguments={"SOURCE_DATE_EPOCH": "1000000000"},
    ),
)
