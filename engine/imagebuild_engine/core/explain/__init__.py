"""What the steps of a build were made of, so that a later build can say why it does not find one of them."""

from .components import MEDIA_TYPE as COMPONENTS_MEDIA_TYPE
from .components import Components, StepComponents, decode_components, encode_components

__all__ = ["COMPONENTS_MEDIA_TYPE", "Components", "StepComponents", "decode_components", "encode_components"]
