"""`imagebuild plan` takes the options that say what is built, and refuses the others by name."""

import pytest
from click.testing import CliRunner
from imagebuild_engine.cli.main import cli


@pytest.mark.parametrize("option", ["--iidfile=x", "--metadata-file=x", "--quiet", "--check", "--report=x"])
def test_options_that_only_a_build_has_are_refused(option: str) -> None:
    done = CliRunner().invoke(cli, ["plan", option, "."], standalone_mode=False)
    assert f"No such option '{option.partition('=')[0]}'" in str(done.exception)


def test_context_is_needed() -> None:
    done = CliRunner().invoke(cli, ["plan"], standalone_mode=False)
    assert "CONTEXT is missing" in str(done.exception)
