"""Views for tests."""

from imagebuild_engine.build.progress import Event, Notice


class Recorder:
    """A view that keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def show(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice) and event.warning]
