import click
import click.testing
import pytest
from imagebuild_engine.cli.cache_use import OPTIONS, added, seconds_of
from imagebuild_engine.contract import BuildRequest, DirectorySource, Source

REQUEST = BuildRequest(source=Source(directory=DirectorySource(path="/c")))


def request(*arguments: str, env: dict[str, str] | None = None) -> BuildRequest:
    """What the options make of a request."""
    found: list[BuildRequest] = []

    @click.command()
    def command(**given: object) -> None:
        found.append(added(REQUEST, given))

    for option in OPTIONS:
        command = option(command)
    runner = click.testing.CliRunner()
    done = runner.invoke(command, list(arguments), auto_envvar_prefix="IMAGEBUILD_BUILD", env=env or {})
    if done.exit_code:
        raise click.BadParameter(done.output)
    return found[0]


def test_without_options_all_are_believed_and_nothing_expires() -> None:
    assert request() == REQUEST


def test_the_options_are_the_requests_fields() -> None:
    said = request(
        *("--cache-trust", "reg.example/team/*", "--cache-trust", "reg.example/**", "--cache-max-age", "7d"),
        *("--on-cache-import-error", "fail", "--cache-import-timeout", "2.5"),
    )
    assert said.cache_trust == ("reg.example/team/*", "reg.example/**")
    assert (said.cache_max_age_seconds, said.fail_on_import_error) == (7 * 86400, True)
    assert said.cache_import_timeout_seconds == 2.5


def test_the_environment_says_the_same() -> None:
    names = {"CACHE_TRUST": "a.example/* b.example/**", "CACHE_MAX_AGE": "90m", "ON_CACHE_IMPORT_ERROR": "fail"}
    said = request(env={f"IMAGEBUILD_BUILD_{name}": value for name, value in names.items()})
    assert said.cache_trust == ("a.example/*", "b.example/**")
    assert (said.cache_max_age_seconds, said.fail_on_import_error) == (5400, True)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90m", 5400), ("1h30m", 5400), ("1d", 86400), ("250ms", 0.25)]
)
def test_a_span_of_time_is_gos_or_whole_days(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cache-max-age", "0"),
        ("--cache-max-age", "-1h"),
        ("--cache-max-age", "soon"),
        ("--cache-max-age", "99999999999999d"),
        ("--cache-import-timeout", "0"),
        ("--cache-import-timeout", "nan"),
        ("--cache-import-timeout", "inf"),
        ("--cache-trust", " "),
        ("--on-cache-import-error", "perhaps"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter):
        request(*arguments)
