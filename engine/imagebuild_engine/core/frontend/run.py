"""RUN: an instruction that becomes an exec op (dockerfile2llb/convert.go, dispatchRun)."""

from collections.abc import Sequence
from dataclasses import replace

from ..dockerfile import ExecForm, HereDocument, Run, ShellForm, chomped, sole_heredoc
from ..graph import SCRATCH, Edge, ExecOp, FileOp, MkfileAction, Mount, NetworkMode, SecurityMode
from ..shelltext import normal_args
from .metadata import command_args
from .mounts import Mounted, mounts_of
from .options import BuildOptions
from .scope import proxy_args
from .stage import StageState

_PIPES = "/dev/pipes/"
_NETWORKS = {"none": NetworkMode.NONE, "host": NetworkMode.HOST}


def run(state: StageState, instruction: Run, options: BuildOptions, sources: Sequence[Edge | None]) -> None:
    """The command sees the stage's environment as it is now; its text is never expanded by us.

    `sources` has for each of the instruction's mounts what its `from` names, None for an empty tree.
    """
    insecure = instruction.security == "insecure"
    if insecure and not options.allow_insecure:
        raise state.error(
            "RUN --security=insecure is not allowed", instruction.location, "allow it with --allow security.insecure"
        )
    args, script = _command(state, instruction)
    if not args:
        raise state.error("RUN: there is no command", instruction.location)
    found = mounts_of(state, instruction, options, sources)
    mounts, inputs = _placed(state, [*found.mounts, *script])
    env = state.env.copy()
    sockets = [mount.destination for mount in found.sockets]
    if sockets and "SSH_AUTH_SOCK" not in env:
        env.set("SSH_AUTH_SOCK", sockets[0])
    op = ExecOp(
        args=args,
        normal_args=_normal(instruction, args, env.items_list()),
        env=env.items_list(),
        cwd=state.config.working_dir or "/",
        platform=state.platform,
        user=state.config.user,
        mounts=(*mounts, *found.secrets, *found.sockets),
        network=_NETWORKS.get(instruction.network, options.network),
        security=SecurityMode.INSECURE if insecure else SecurityMode.SANDBOX,
        secret_env=found.secret_env,
        hostname=options.hostname,
        extra_hosts=options.extra_hosts,
        ulimits=options.ulimits,
        cgroup_parent=options.cgroup_parent,
        proxy_env=proxy_args(options),
    )
    state.step(op, inputs, instruction.text, instruction.location)
    state.commit(f"RUN {_declared(state)}{' '.join(args)} # buildkit", layer=True)


def _normal(instruction: Run, args: tuple[str, ...], env: tuple[str, ...]) -> tuple[str, ...] | None:
    """The arguments with the normal form of a shell's text; None where there is none or it is in doubt.

    A heredoc that is the command is such a text. What else a heredoc may be (a file with an interpreter of its own, the
    input of a command) counts as it is written.
    """
    if isinstance(instruction.command, ExecForm):
        return None
    if instruction.heredocs:
        document = sole_heredoc(instruction)
        if document is None or args[-1] != chomped(document):
            return None
    return normal_args(args[:-1], args[-1], env)


def _command(state: StageState, instruction: Run) -> tuple[tuple[str, ...], tuple[Mounted, ...]]:
    """The arguments, and the mount of a script if the command is one that stands in a heredoc."""
    command, heredocs = instruction.command, instruction.heredocs
    if isinstance(command, ExecForm) or not heredocs:
        return command_args(state, command), ()
    document = sole_heredoc(instruction)
    if document is None:
        # The shell itself reads the documents.
        documents = "".join(f"\n{each.text}{each.name}" for each in heredocs)
        return command_args(state, ShellForm(command.text + documents)), ()
    text = chomped(document)
    if not text.startswith("#!"):
        return command_args(state, ShellForm(text)), ()
    return command_args(state, ShellForm(_PIPES + document.name)), (_script(state, document, text),)


def _script(state: StageState, document: HereDocument, text: str) -> Mounted:
    """A document that names its own interpreter is a file, mounted."""
    action = MkfileAction(path=f"/{document.name}", data=text.encode(), input=SCRATCH, output=0, mode=0o755)
    tree = state.internal(FileOp(actions=(action,)), "preparing inline document")
    return Mounted(Mount(destination=_PIPES, readonly=True, selector="/"), tree)


def _placed(state: StageState, mounted: Sequence[Mounted]) -> tuple[tuple[Mount, ...], tuple[Edge, ...]]:
    """All mounts in the order of their places, the root first, and the inputs in the order in which they name them."""
    root = Mounted(Mount(destination="/", output=0), state.edge)
    inputs: list[Edge] = []
    mounts = []
    for item in sorted([root, *mounted], key=lambda item: item.mount.destination.encode("utf-8", "surrogateescape")):
        number = SCRATCH
        if item.tree is not None:
            if item.tree not in inputs:
                inputs.append(item.tree)
            number = inputs.index(item.tree)
        mounts.append(replace(item.mount, input=number))
    return tuple(mounts), tuple(inputs)


def _declared(state: StageState) -> str:
    """`|2 A=1 B=2 `: the declared ARGs in order of their first declaration, with the values that they have now."""
    values = {name: state.env.get(name, value or "") for name, value in state.args}
    return f"|{len(values)} {' '.join(f'{name}={value}' for name, value in values.items())} " if values else ""
