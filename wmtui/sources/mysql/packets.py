"""The rows of a result as MySQL's protocol sends them, taken from a socket in large blocks.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
"""

import struct
from array import array
from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct
from mysql.connector.errors import InterfaceError, get_exception

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Places = np.ndarray[tuple[int], np.dtype[np.int64]]

MARGIN = 64
"""Bytes before and after a block's rows that may be looked at without harm."""

BLOCK = 2 << 20
"""Bytes taken at once: they stay in the processor's cache while they are split, and cost few calls per row."""

_HEADER = 4
_LONGEST = 0xFFFFFF
"""Bytes of a packet at most; one that is as long is continued by the next."""

_END, _ERROR = 0xFE, 0xFF
"""First byte of the packet after the last row. No row that fits into a block begins so: a value's length would."""

_LOST, _MALFORMED = 2013, 2027
"""The driver's numbers for a connection that is lost, and for packets that are not as they should be."""

_header = struct.Struct("<I")


class Block(Struct, frozen=True):
    """Whole rows, valid until the next block is asked for. starts, ends: of each row's values in `data`."""

    data: Bytes
    starts: Places
    ends: Places


class RowBlocks:
    """Reads the rest of a result. receive: fills a buffer from the socket and says how far; raises OSError.

    done: the server said that there are no more rows; then `warnings` and `status` are what it said with it.
    """

    def __init__(self, receive: Callable[[memoryview], int], size: int | None = None) -> None:
        self._receive = receive
        self._size = size or BLOCK
        self._buffer = bytearray(MARGIN + self._size + MARGIN)
        self._view = memoryview(self._buffer)
        self._data: Bytes = np.frombuffer(self._buffer, np.uint8)
        self._filled = MARGIN
        self._number: int | None = None
        self.done = False
        self.warnings = 0
        self.status = 0

    def __iter__(self) -> Iterator[Block]:
        """Every block up to the end of the result. Raises the driver's errors, and OSError as `receive` does."""
        while not self.done:
            starts, at = self._fill()
            if starts:
                yield self._block(np.frombuffer(starts, np.int64), at)
            self._keep_rest(at)
            if not self.done and not starts:
                yield self._large_row()

    def _fill(self) -> tuple["array[int]", int]:
        """Receive until the block is full or the result ends: where its whole packets start, and the end of them."""
        starts = array("q")
        at = self._walk(MARGIN, starts)
        while not self.done and not self._is_full(at):
            self._filled += self._received(self._view[self._filled : MARGIN + self._size])
            at = self._walk(at, starts)
        return starts, at

    def _is_full(self, at: int) -> bool:
        """Whether the packet that begins here does not fit, or so little is free that it is not worth a call."""
        free = MARGIN + self._size - self._filled
        known = self._filled - at >= _HEADER
        return free < self._size // 8 or (known and at + _HEADER + self._length(at) > MARGIN + self._size)

    def _walk(self, at: int, starts: "array[int]") -> int:
        """Note where whole packets start from here on; the end of the last of them."""
        unpack, buffer, note = _header.unpack_from, self._buffer, starts.append
        filled = self._filled
        last = filled - _HEADER
        while at <= last:
            following = at + _HEADER + (unpack(buffer, at)[0] & _LONGEST)
            if following > filled:
                break
            note(at)
            at = following
        return self._end_of_rows(at, starts) if at == filled and starts else at

    def _end_of_rows(self, at: int, starts: "array[int]") -> int:
        """Where the rows end: here, or before the packet that says so, after which the server sends nothing."""
        packet = bytes(self._buffer[starts[-1] : at])
        if len(packet) == _HEADER:
            raise _malformed("a packet is empty")
        if packet[_HEADER] < _END:
            return at
        self.done = True
        if packet[_HEADER] == _ERROR:
            raise get_exception(packet)
        self.warnings, self.status = _warnings_and_status(packet[_HEADER:])
        return starts.pop()

    def _block(self, packets: Places, end: int) -> Block:
        """The rows of these packets, which have to be numbered one after the other."""
        numbers = self._data[packets + 3]
        first = numbers[0] if self._number is None else (self._number + 1) % 256
        if numbers[0] != first or (np.diff(numbers) != 1).any():
            raise _malformed("packets are not in order")
        self._number = int(numbers[-1])
        return Block(self._data, packets + _HEADER, np.append(packets[1:], end))

    def _keep_rest(self, at: int) -> None:
        rest = self._filled - at
        self._buffer[MARGIN : MARGIN + rest] = self._buffer[at : self._filled]
        self._filled = MARGIN + rest

    def _large_row(self) -> Block:
        """The row at the beginning of the buffer, which does not fit into it, from one packet or several."""
        row = bytearray(MARGIN)
        length = self._length(MARGIN)
        self._step_number(self._buffer[MARGIN + 3])
        row += self._buffer[MARGIN + _HEADER : self._filled]
        self._filled = MARGIN
        self._receive_exactly(row, MARGIN + length - len(row))
        while length == _LONGEST:
            header = bytearray()
            self._receive_exactly(header, _HEADER)
            length = _header.unpack(header)[0] & _LONGEST
            self._step_number(header[3])
            self._receive_exactly(row, length)
        end = len(row)
        row += bytes(MARGIN)
        places = np.array([MARGIN, end])
        return Block(np.frombuffer(row, np.uint8), places[:1], places[1:])

    def _step_number(self, number: int) -> None:
        if self._number is not None and number != (self._number + 1) % 256:
            raise _malformed("packets are not in order")
        self._number = number

    def _receive_exactly(self, into: bytearray, size: int) -> None:
        at = len(into)
        into += bytes(size)
        with memoryview(into) as view:
            while at < len(into):
                at += self._received(view[at:])

    def _received(self, view: memoryview) -> int:
        size = self._receive(view)
        if not size:
            raise InterfaceError(errno=_LOST)
        return size

    def _length(self, at: int) -> int:
        length: int = _header.unpack_from(self._buffer, at)[0]
        return length & _LONGEST


def _warnings_and_status(payload: bytes) -> tuple[int, int]:
    """Warnings and status of an EOF packet, or of the OK packet that takes its place (CLIENT_DEPRECATE_EOF)."""
    if len(payload) == 5:
        warnings, status = struct.unpack_from("<HH", payload, 1)
        return warnings, status
    at = 1
    for _ in ("affected rows", "last insert id"):
        at += {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(payload[at], 1)
    status, warnings = struct.unpack_from("<HH", payload, at)
    return warnings, status


def _malformed(why: str) -> InterfaceError:
    return InterfaceError(f"the server's answer cannot be understood: {why}", errno=_MALFORMED)
