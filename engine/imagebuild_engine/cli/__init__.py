"""The program `imagebuild`: one module a command. Heavy imports happen inside the commands, for a fast start."""

from .main import main

__all__ = ["main"]
