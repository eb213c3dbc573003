"""Instructions that change the image's config and the state of later steps, but no file."""

import json
from collections.abc import Mapping
from dataclasses import replace

from ..dockerfile import (
    Arg,
    Cmd,
    Command,
    DockerfileError,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    Healthcheck,
    Label,
    Maintainer,
    OnBuild,
    PortSpec,
    Shell,
    StopSignal,
    User,
    Volume,
    expand_words,
)
from ..oci import Healthcheck as HealthcheckConfig
from .options import BuildOptions
from .signals import is_signal
from .stage import StageState

DEFAULT_SHELL = ("/bin/sh", "-c")
_HIDDEN_ARGS = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})


def shell_of(state: StageState) -> tuple[str, ...]:
    return state.config.shell or DEFAULT_SHELL


def command_args(state: StageState, command: Command) -> tuple[str, ...]:
    """The exec form as it is; the shell form through the stage's shell."""
    return command.args if isinstance(command, ExecForm) else (*shell_of(state), command.text)


def arg(state: StageState, instruction: Arg, options: BuildOptions, globals_: Mapping[str, str]) -> None:
    """ARG: build argument, else default, else the global of that name; without a value nothing is set."""
    texts = []
    for pair in instruction.pairs:
        value = options.build_args.get(pair.name)
        if value is None and pair.value is not None:
            value = state.expand(pair.value, instruction.location)
        if value is None:
            value = globals_.get(pair.name)
        state.args.append((pair.name, value))
        if value is not None and pair.name not in _HIDDEN_ARGS:
            state.env.set(pair.name, value)
            state.arguments.add(pair.name)
            state.made_of[pair.name] = state.sources_of_used()
        texts.append(pair.name if value is None else f"{pair.name}={value}")
    state.commit("ARG " + " ".join(texts))


def env(state: StageState, instruction: Env) -> None:
    """All pairs of one ENV see the environment before it."""
    pairs = [
        (state.expand(pair.key, instruction.location), state.expand(pair.value, instruction.location))
        for pair in instruction.pairs
    ]
    for name, value in pairs:
        state.set_env(name, value)
        state.made_of[name] = state.sources_of_used()
    state.commit("ENV " + " ".join(f"{name}={value}" for name, value in pairs))


def label(state: StageState, instruction: Label) -> None:
    pairs = [
        (state.expand(pair.key, instruction.location), state.expand(pair.value, instruction.location))
        for pair in instruction.pairs
    ]
    state.config = replace(state.config, labels={**state.config.labels, **dict(pairs)})
    state.commit("LABEL " + " ".join(f"{name}={value}" for name, value in pairs))


def user(state: StageState, instruction: User) -> None:
    name = state.expand(instruction.user, instruction.location)
    state.config = replace(state.config, user=name)
    state.commit(f"USER {name}")


def cmd(state: StageState, instruction: Cmd) -> None:
    args = command_args(state, instruction.command)
    state.config = replace(state.config, cmd=args, args_escaped=True)
    state.cmd_set = True
    state.commit(f"CMD {_quoted(args)}")


def entrypoint(state: StageState, instruction: Entrypoint) -> None:
    """An ENTRYPOINT makes an inherited CMD meaningless, so that is dropped; one of this stage stays."""
    args = command_args(state, instruction.command)
    state.config = replace(state.config, entrypoint=args, cmd=state.config.cmd if state.cmd_set else None)
    state.commit(f"ENTRYPOINT {_quoted(args)}")


def expose(state: StageState, instruction: Expose) -> None:
    ports: list[str] = []
    for word in instruction.ports:
        for text in expand_words(word, state.env, escape=state.dockerfile.escape):
            try:
                ports += PortSpec.parse(text).names
            except DockerfileError as error:
                raise error.at(instruction.location, state.dockerfile.source) from error
    state.config = replace(state.config, exposed_ports=state.config.exposed_ports | set(ports))
    state.commit(f"EXPOSE [{' '.join(ports)}]")


def volume(state: StageState, instruction: Volume) -> None:
    paths = [state.expand(path, instruction.location) for path in instruction.paths]
    if "" in paths:
        raise state.error("VOLUME: a path is empty", instruction.location)
    state.config = replace(state.config, volumes=state.config.volumes | set(paths))
    state.commit(f"VOLUME [{' '.join(paths)}]")


def stop_signal(state: StageState, instruction: StopSignal) -> None:
    signal = state.expand(instruction.signal, instruction.location)
    if not is_signal(signal):
        raise state.error(
            f'STOPSIGNAL: "{signal}" is not a signal', instruction.location, "a number or a name such as SIGTERM"
        )
    state.config = replace(state.config, stop_signal=signal)
    state.commit(f"STOPSIGNAL {signal}")


def shell(state: StageState, instruction: Shell) -> None:
    state.config = replace(state.config, shell=instruction.args)
    state.commit(f"SHELL [{' '.join(instruction.args)}]")


def healthcheck(state: StageState, instruction: Healthcheck) -> None:
    if instruction.test is None:
        test: tuple[str, ...] = ("NONE",)
    elif isinstance(instruction.test, ExecForm):
        test = ("CMD", *instruction.test.args)
    else:
        test = ("CMD-SHELL", instruction.test.text)
    check = HealthcheckConfig(
        test=test,
        interval=instruction.interval,
        timeout=instruction.timeout,
        start_period=instruction.start_period,
        start_interval=instruction.start_interval,
        retries=instruction.retries,
    )
    state.config = replace(state.config, healthcheck=check)
    state.commit(
        f"HEALTHCHECK {{Test:[{' '.join(test)}] Interval:{go_duration(check.interval)}"
        f" Timeout:{go_duration(check.timeout)} StartPeriod:{go_duration(check.start_period)}"
        f" StartInterval:{go_duration(check.start_interval)} Retries:{check.retries}}}"
    )


def maintainer(state: StageState, instruction: Maintainer) -> None:
    state.author = instruction.name
    state.commit(f"MAINTAINER {instruction.name}")


def on_build(state: StageState, instruction: OnBuild) -> None:
    """Kept for images built FROM this one. No history, as in BuildKit."""
    state.config = replace(state.config, on_build=(*state.config.on_build, instruction.trigger))


def _quoted(args: tuple[str, ...]) -> str:
    """Go's %q of a list."""
    return "[" + " ".join(json.dumps(item, ensure_ascii=False) for item in args) + "]"


def go_duration(nanoseconds: int) -> str:
    """Go's Duration.String, as history texts show it: 0s, 1.5s, 1m0s, 250ms."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= size:
                return f"{nanoseconds / size:.9f}".rstrip("0").rstrip(".") + unit
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 1_000_000_000}.{rest % 1_000_000_000:09}".rstrip("0").rstrip(".")
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{seconds}s"
