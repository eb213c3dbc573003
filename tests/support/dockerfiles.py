"""A Dockerfile's words judged as lowering does it, in a stage without variables: what only expanded words can say."""

from imagebuild_engine.core.dockerfile import (
    Dockerfile,
    DockerfileError,
    Env,
    Instruction,
    Label,
    Run,
    Transfer,
    User,
    Workdir,
    content_text,
    expand,
    expand_document,
    expand_mount,
    parse_mode,
    remote_kind,
)


def judge(dockerfile: Dockerfile) -> None:
    """Raises the first DockerfileError, with its place."""
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            try:
                _judge(instruction, dockerfile.escape)
            except DockerfileError as error:
                raise error.at(instruction.location, dockerfile.source) from None


def _judge(instruction: Instruction, escape: str) -> None:
    def expanded(word: str) -> str:
        return expand(word, {}, escape=escape)

    match instruction:
        case Run():
            for mount in instruction.mounts:
                expand_mount(mount, expanded)
        case Transfer():
            if chmod := expanded(instruction.chmod or ""):
                parse_mode(chmod).apply(0o644, False)
            for source in instruction.sources:
                remote_kind(expanded(source))
            for document in instruction.contents:
                content_text(document, lambda text: expand_document(text, {}))
        case Env() | Label():
            for pair in instruction.pairs:
                expanded(pair.value)
        case User():
            expanded(instruction.user)
        case Workdir():
            expanded(instruction.path)
