"""BuildKit's build checks: what is legal in a Dockerfile and yet likely wrong, by BuildKit's names of rules.

    check(dockerfile, facts) -> Report        what was found, in BuildKit's order; decides nothing about the build
    report.text(source), report.json(source)  the same for people and for programs

The rules and when they apply follow BuildKit 0.34: frontend/dockerfile/linter/ruleset.go, and the places in the parser,
instructions and dockerfile2llb that raise them. The words are ours.
"""

from .check import Facts, check
from .options import BUILD_ARGUMENT
from .report import Report, Violation
from .rules import RULES, Rule

__all__ = ["BUILD_ARGUMENT", "RULES", "Facts", "Report", "Rule", "Violation", "check"]
