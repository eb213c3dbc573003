"""Joining them: kopf watches nudge a queue, the queue runs one level-triggered reconcile."""

from .reconciler import Reconciler
from .watches import registry_of, settle
from .work_queue import WorkQueue

__all__ = ["Reconciler", "WorkQueue", "registry_of", "settle"]
