"""RUN: an instruction that becomes an exec op."""

from ..dockerfile import Run, ShellForm
from ..graph import SCRATCH, ExecOp, Mount
from ..shelltext import normal_args
from .metadata import command_args
from .options import BuildOptions
from .scope import proxy_args
from .stage import StageState


def run(state: StageState, instruction: Run, options: BuildOptions) -> None:
    """The command sees the stage's environment as it is now; its text is never expanded by us."""
    args = command_args(state, instruction.command)
    if not args:
        raise state.error("RUN: there is no command", instruction.location)
    number, inputs = state.on_tree()
    env = state.env.items_list()
    by_shell = isinstance(instruction.command, ShellForm)
    op = ExecOp(
        args=args,
        normal_args=normal_args(args[:-1], args[-1], env) if by_shell else None,
        env=env,
        cwd=state.config.working_dir or "/",
        platform=options.platform,
        user=state.config.user,
        mounts=(Mount(destination="/", input=number if number != SCRATCH else SCRATCH, output=0),),
        proxy_env=proxy_args(options),
    )
    state.step(op, inputs, instruction.text, instruction.location)
    state.commit(f"RUN {_declared(state)}{' '.join(args)} # buildkit", layer=True)


def _declared(state: StageState) -> str:
    """`|2 A=1 B=2 `: the declared ARGs in order of their first declaration, with the values that they have now."""
    values = {name: state.env.get(name, value or "") for name, value in state.args}
    return f"|{len(values)} {' '.join(f'{name}={value}' for name, value in values.items())} " if values else ""
