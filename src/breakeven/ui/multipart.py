"""The one file of a plain form (multipart/form-data), taken out of a request as it comes in."""

import re
from collections.abc import AsyncIterator

from breakeven.errors import SpecError
from breakeven.wording import worded

BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary="?([^";,]{1,70})"?', re.IGNORECASE)
FILENAME = re.compile(rb'\bfilename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
LONGEST_HEAD_BYTES = 4096
END_OF_HEAD = b"\r\n\r\n"


class FormFile:
    """The first file in a form: its name once the begin has come, and its content piece by piece."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        """``body``: of the request; its pieces may end anywhere.

        Raises:
            SpecError: if the request is no such form.
        """
        found = BOUNDARY.search(content_type)
        if found is None:
            raise _odd("no boundary")
        self._body = body
        self._mark = b"\r\n--" + found[1].encode("latin-1")
        self._rest = b"\r\n"

    async def name(self) -> str:
        """The name of the file as the browser gives it.

        Raises:
            SpecError: if the form does not begin with a file.
        """
        head = self._mark.removeprefix(b"\r\n")
        while END_OF_HEAD not in self._rest and len(self._rest) <= LONGEST_HEAD_BYTES:
            part = await anext(self._body, b"")
            if not part:
                break
            self._rest += part
        begin, _, rest = self._rest.partition(END_OF_HEAD)
        named = FILENAME.search(begin)
        if head not in begin or named is None:
            raise _odd("no file in it")
        self._rest = rest
        return named[1].decode("utf-8", "replace")

    async def content(self) -> AsyncIterator[bytes]:
        """What the file holds, up to the mark behind it; asked for after the name.

        Raises:
            SpecError: if the form ends before its file does.
        """
        kept = self._rest
        while (end := kept.find(self._mark)) < 0:
            sure = max(len(kept) - len(self._mark) + 1, 0)
            if sure:
                yield kept[:sure]
            part = await anext(self._body, b"")
            if not part:
                raise _odd("no end")
            kept = kept[sure:] + part
        yield kept[:end]


def _odd(what: str) -> SpecError:
    return SpecError(
        worded("the form has {what}", what=what),
        expected="multipart/form-data with one file",
        do="Choose a file and send it",
    )
