"""Why a step could not be run. A step that ran and failed is no error here: it has an exit code."""


class ExecutorError(Exception):
    """Base of this package's errors."""


class ExecutorUnavailable(ExecutorError):
    """The executor itself failed: no runtime binary, a refused mount, a runtime error that is not the step's."""

    def __init__(self, executor: str, message: str) -> None:
        super().__init__(f"the {executor} executor cannot run the step: {message}")
        self.executor = executor
        self.message = message


class ProbeFailed(ExecutorError):
    """It cannot be found out what the present machine or pod allows."""

    def __init__(self, message: str) -> None:
        super().__init__(f"cannot find out what is allowed here: {message}")


class NotPossibleHere(ExecutorError):
    """The step asks for something that this executor cannot give; `feature` is in the Dockerfile's words."""

    def __init__(self, executor: str, feature: str) -> None:
        super().__init__(f"{feature} is not possible with the {executor} executor")
        self.executor = executor
        self.feature = feature


class StartFailed(ExecutorError):
    """The process could not be started; the Dockerfile is at fault."""

    def __init__(self, executable: str, message: str) -> None:
        super().__init__(f'cannot start "{executable}": {message}')
        self.executable = executable
        self.message = message


class ExecutableMissing(StartFailed):
    """There is no such file, or none of that name in PATH."""

    def __init__(self, executable: str, path: str | None = None) -> None:
        where = "no such file" if path is None else f"not found in PATH ({path})"
        super().__init__(executable, f"{where} in the image")
        self.path = path


class NotExecutable(StartFailed):
    """The file is there, and the kernel will not run it: no x permission, a foreign format, no interpreter."""


class StepTimedOut(ExecutorError):
    def __init__(self, seconds: float) -> None:
        super().__init__(f"the step ran longer than {seconds:g} s and was killed")
        self.seconds = seconds
