"""Which step is a hit, from where; which must run. A small generic core: keys come in, effects are asked for."""

from .records import known_content, solved_records
from .solve import Discover, Executed, Hit, Solve, Solved
from .worker import ResultLost, Worker

__all__ = ["Discover", "Executed", "Hit", "ResultLost", "Solve", "Solved", "Worker", "known_content", "solved_records"]
