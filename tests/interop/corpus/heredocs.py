"""Here-documents of RUN, COPY and ADD."""

from . import reasons
from .case import Case, File

CASES = (
    Case(
        name="heredoc-run",
        dockerfile="""FROM registry.test/base
RUN <<EOF
echo 1 > /one
# a comment of the shell's
echo "2 $PATH" > /two
EOF
RUN <<'EOF'
echo '$PATH' > /three
EOF
RUN <<-EOF
\techo tabs > /four
\tif true; then
\t\techo inner >> /four
\tfi
\tEOF
RUN <<EOF

EOF
""",
        refused=reasons.HEREDOCS,
    ),
    Case(
        name="heredoc-run-command",
        dockerfile="""FROM registry.test/base
RUN cat <<EOF > /one
hello
$PATH
EOF
RUN <<EOF cat > /two
abc
EOF
RUN cat <<ONE - <<TWO > /three && echo after >> /three
from one
ONE
from two
TWO
RUN sh -s a b <<EOF
echo "$# $1" > /four
EOF
""",
        refused=reasons.HEREDOCS,
    ),
    Case(
        name="heredoc-run-interpreter",
        dockerfile="""FROM registry.test/base
RUN <<EOF
#!/bin/sh -e
echo "$0 $#" > /one
EOF
RUN <<SCRIPT
#!/bin/cat
/this is printed/
SCRIPT
SHELL ["/bin/sh", "-ec"]
RUN <<EOF
#!/bin/env sh
set -u
echo "env" > /two
EOF
""",
        refused=reasons.HEREDOCS,
    ),
    Case(
        name="heredoc-copy",
        dockerfile="""FROM registry.test/base
ARG NAME=world
COPY <<EOF /heredoc-copy/one
hello $NAME ${NAME:+set} \\$NAME
EOF
COPY <<"EOF" /heredoc-copy/two
hello $NAME \\n
EOF
COPY <<-EOF /heredoc-copy/three
\tno tabs
\t  but spaces
\tEOF
COPY <<one <<two /heredoc-copy/many/
1
one
2
two
COPY a.txt <<with.conf /heredoc-copy/mixed/
[section]
key = $NAME
with.conf
COPY <<EMPTY /heredoc-copy/empty
EMPTY
""",
        files={"a.txt": File("a\n")},
        refused=reasons.HEREDOCS,
    ),
    Case(
        name="heredoc-copy-owner",
        dockerfile="""FROM registry.test/base
COPY --chown=me:more --chmod=0755 <<EOF /usr/local/bin/heredoc-copy-owner
#!/bin/sh
echo hello
EOF
ADD --chmod=600 <<EOF /etc/heredoc-copy-owner
x
EOF
USER me
RUN heredoc-copy-owner > /tmp/said
""",
        refused=reasons.HEREDOCS,
    ),
    Case(
        name="heredoc-link",
        dockerfile="""FROM registry.test/base
COPY --link <<EOF /heredoc-link/one
one
EOF
COPY --link --chown=4:5 <<EOF /heredoc-link/two
two
EOF
""",
        refused=reasons.HEREDOCS,
    ),
    Case(
        name="heredoc-mounts",
        dockerfile="""FROM registry.test/base
RUN --mount=type=bind,target=/ctx --mount=type=tmpfs,target=/scratch <<EOF
cp /ctx/a.txt /scratch/a
cat /scratch/a > /one
EOF
RUN --mount=type=bind,target=/ctx <<EOF
#!/bin/sh
cat /ctx/a.txt > /two
EOF
""",
        files={"a.txt": File("a\n")},
        refused=reasons.HEREDOCS,
    ),
    Case(
        name="heredoc-onbuild",
        dockerfile="""FROM registry.test/base AS own
ONBUILD RUN echo no heredoc here > /one
FROM own
RUN <<EOF
cat /one > /two
EOF
""",
        refused=reasons.HEREDOCS,
    ),
)
