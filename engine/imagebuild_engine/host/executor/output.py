"""Reading a step's output line by line, in bounded memory."""

import asyncio

from .process import Output, Stream

MAX_LINE = 1 << 16


class LineSplitter:
    """Bytes in, lines out. A line that is longer than MAX_LINE comes in parts of that length."""

    def __init__(self, stream: Stream, output: Output) -> None:
        self._stream = stream
        self._output = output
        self._held = b""

    def feed(self, data: bytes) -> None:
        *lines, rest = (self._held + data).split(b"\n")
        for line in lines:
            self._emit(line.removesuffix(b"\r"))
        while len(rest) > MAX_LINE:
            self._output(self._stream, rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._held = rest

    def finish(self) -> None:
        """The last line may lack its line feed."""
        if self._held:
            self._emit(self._held)
            self._held = b""

    def _emit(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), MAX_LINE):
            self._output(self._stream, line[start : start + MAX_LINE])


async def pump(reader: asyncio.StreamReader, stream: Stream, output: Output) -> None:
    """Reads until the pipe's last writer is gone. The writer is held back while the callback works."""
    splitter = LineSplitter(stream, output)
    while data := await reader.read(MAX_LINE):
        splitter.feed(data)
        await asyncio.sleep(0)  # a step that prints for ever must not starve the loop
    splitter.finish()
