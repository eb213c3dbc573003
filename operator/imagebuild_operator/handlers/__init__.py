"""Joining them: kopf watches nudge a queue, the queue runs one level-triggered reconcile."""

from .reconciler import Reconciler
from .served import list_served
from .watches import registry_of, settle
from .work_queue import WorkQueue

__all__ = ["Reconciler", "WorkQueue", "list_served", "registry_of", "settle"]
