"""The operator: resource says, reconcile and render decide, cluster does, handlers join."""

__version__ = "0.1.0"
