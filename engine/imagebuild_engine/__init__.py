"""A Dockerfile builder that keeps its cache in the images: contract says, core decides, host does, build joins."""

__version__ = "0.1.0"
