"""Which step is a hit, from where; which must run. A small generic core: keys come in, effects are asked for."""

from .records import solved_records
from .solve import Executed, Hit, Solve, Solved
from .worker import Worker

__all__ = ["Executed", "Hit", "Solve", "Solved", "Worker", "solved_records"]
