"""WORKDIR: an instruction that makes a directory and says where later steps are."""

import posixpath
from dataclasses import replace

from ..dockerfile import Workdir
from ..graph import FileOp, MkdirAction
from .options import BuildOptions
from .owner import chown
from .paths import absolute
from .stage import StageState


def workdir(state: StageState, instruction: Workdir, options: BuildOptions) -> None:
    """The directory is made unless it is the root. An absolute path is kept as written, also where that is odd."""
    path = state.expand(instruction.path, instruction.location)
    path = path or state.config.working_dir or "/"
    if not path.startswith("/"):
        path = posixpath.normpath(posixpath.join("/", state.config.working_dir, path))
    state.config = replace(state.config, working_dir=path)
    made = absolute(path)
    if made == "/":
        state.commit(f"WORKDIR {path}")
        return
    number, inputs = state.on_tree()
    epoch = options.source_date_epoch
    action = MkdirAction(
        path=made,
        input=number,
        output=0,
        owner=chown(state.config.user, number) if state.config.user else None,
        timestamp=-1 if epoch is None else epoch * 1_000_000_000,
    )
    state.step(
        FileOp(actions=(action,)), inputs, f"WORKDIR {path}", instruction.location, f"WORKDIR {instruction.path}"
    )
    state.commit(f"WORKDIR {path}", layer=True)
