"""`type=steps` and `cache prune` on the command line."""

import click
import pytest
from click.testing import CliRunner
from imagebuild_engine.cli import cache_options
from imagebuild_engine.cli.main import cli
from imagebuild_engine.contract import CacheSource, CacheTarget


def test_a_step_cache_is_named_by_its_repository() -> None:
    text = "type=steps,ref=registry.example:5000/team/steps"
    ref = "registry.example:5000/team/steps"
    assert cache_options.source("--cache-from", text) == CacheSource(ref=ref, type="steps", kind="shared")
    targets, inline = cache_options.cache_to((f"{text},mode=max",))
    assert (targets, inline) == ((CacheTarget(ref=ref, type="steps", mode="max", ignore_error=True),), False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("type=steps", "needs ref="),
        ("type=steps,ref=registry.example/steps:1", "without tag and digest"),
        (f"type=steps,ref=registry.example/steps@sha256:{'a' * 64}", "without tag and digest"),
        ("type=steps,ref=UPPER", "lower case"),
        ("type=steps,ref=registry.example/steps,tag=x", "not supported yet: tag=x"),
    ],
)
def test_other_names_are_refused(text: str, says: str) -> None:
    for understand in (lambda: cache_options.source("--cache-from", text), lambda: cache_options.cache_to((text,))):
        with pytest.raises(click.BadParameter, match=says):
            understand()


def test_a_step_cache_holds_all_stages() -> None:
    with pytest.raises(click.BadParameter, match="all stages"):
        cache_options.cache_to(("type=steps,ref=registry.example/steps,mode=min",))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["registry.example/steps"], "without them nothing would be deleted"),
        (["registry.example/steps:1", "--max-size", "1g"], "without tag and digest"),
        (["registry.example/steps", "--max-size", "much"], "much"),
        (["registry.example/steps", "--older-than", "soon"], "soon"),
        (["registry.example/steps", "--older-than", "0s"], "no time at all"),
        (["--max-size", "1g"], "REPOSITORY"),
    ],
)
def test_pruning_needs_a_repository_and_a_limit(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(cli, ["cache", "prune", *arguments])
    assert done.exit_code == 2
    assert says in done.output


def test_a_step_cache_cannot_be_looked_into() -> None:
    done = CliRunner().invoke(cli, ["cache", "inspect", "type=steps,ref=registry.example/steps"])
    assert (done.exit_code, "not supported yet" in done.output) == (2, True)
