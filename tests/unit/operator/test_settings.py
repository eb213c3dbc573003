"""Settings from the environment; what cannot be is an error by name."""

import pytest
from imagebuild_operator.resource import Profile
from imagebuild_operator.settings import InvalidSetting, Settings

IMAGE = {"IMAGEBUILD_BUILDER_IMAGE": "imagebuild:1"}


def test_only_the_builders_image_is_needed() -> None:
    settings = Settings.from_environment(IMAGE)
    assert settings.builder.image == "imagebuild:1"
    assert settings.policy.default_profile is Profile.BASELINE
    assert not settings.policy.limits.any


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IMAGEBUILD_BUILDER_IMAGE", ""),
        ("IMAGEBUILD_DEFAULT_PROFILE", "Root"),
        ("IMAGEBUILD_MAX_BUILDS", "many"),
        ("IMAGEBUILD_TRUSTED_REPOSITORIES", "registry.example/*,a;b"),
        ("IMAGEBUILD_RESYNC", "soon"),
        ("IMAGEBUILD_LEADER_ELECTION", "perhaps"),
        ("IMAGEBUILD_DEFAULT_PROFILE", "nonsense"),
    ],
)
def test_what_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        Settings.from_environment({**IMAGE, name: value})
    assert raised.value.name == name


def test_the_default_profile_may_not_be_over_the_cap() -> None:
    with pytest.raises(InvalidSetting):
        Settings.from_environment(
            {**IMAGE, "IMAGEBUILD_DEFAULT_PROFILE": "Baseline", "IMAGEBUILD_MAX_PROFILE": "Restricted"}
        )


def test_trusted_repositories_are_none_or_a_list() -> None:
    assert Settings.from_environment(IMAGE).policy.trusted_repositories is None
    given = {**IMAGE, "IMAGEBUILD_TRUSTED_REPOSITORIES": "registry.example/shop/*, registry.example/team/**"}
    found = Settings.from_environment(given).policy.trusted_repositories
    assert found == ("registry.example/shop/*", "registry.example/team/**")
