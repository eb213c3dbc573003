"""Variables: the environment of a stage, and the ARGs that need no declaration."""

from collections.abc import Iterator, Mapping

from ..dockerfile import Dockerfile
from ..oci import Platform
from .options import BuildOptions

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


class Env(Mapping[str, str]):
    """An ordered environment. Setting a name moves it to the end (BuildKit's client/llb/meta.go, EnvList)."""

    def __init__(self, pairs: Mapping[str, str] | None = None) -> None:
        self._values = dict(pairs or {})

    @classmethod
    def of(cls, items: tuple[str, ...]) -> "Env":
        """From an image config's `NAME=VALUE` list."""
        env = cls()
        for item in items:
            name, _, value = item.partition("=")
            env.set(name, value)
        return env

    def set(self, name: str, value: str) -> None:
        self._values.pop(name, None)
        self._values[name] = value

    def copy(self) -> "Env":
        return Env(self._values)

    def items_list(self) -> tuple[str, ...]:
        return tuple(f"{name}={value}" for name, value in self._values.items())

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Noted(Mapping[str, str]):
    """Variables that note which of them are asked for."""

    def __init__(self, variables: Mapping[str, str], used: set[str]) -> None:
        self._variables = variables
        self._used = used

    def __getitem__(self, name: str) -> str:
        self._used.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def proxy_args(options: BuildOptions) -> tuple[str, ...]:
    """Proxy settings among the build arguments; they reach RUN without being declared and without entering its key."""
    found = {name: value for name, value in options.build_args.items() if name.upper() in PROXY_NAMES}
    return tuple(f"{name}={value}" for name, value in sorted(found.items()))


def predefined_args(options: BuildOptions, dockerfile: Dockerfile) -> dict[str, str]:
    """The ARGs that exist without a declaration."""

    def of(prefix: str, platform: Platform) -> dict[str, str]:
        return {
            f"{prefix}PLATFORM": str(platform),
            f"{prefix}OS": platform.os,
            f"{prefix}OSVERSION": platform.os_version,
            f"{prefix}ARCH": platform.architecture,
            f"{prefix}VARIANT": platform.variant,
        }

    stage = {"TARGETSTAGE": options.target or dockerfile.stages[-1].name or "default"}
    found = of("BUILD", options.build_platform) | of("TARGET", options.platform) | stage
    return {name: options.build_args.get(name, value) for name, value in found.items()}
