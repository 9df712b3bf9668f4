"""The reply to one request: outcomes of the engine as tokens, and the faults that strike them."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Generator, Iterator
from itertools import islice

from sandbox.tds import tokens
from sandbox.tds.encoders import EncodingError, RowEncoder
from sandbox.tds.engine import (
    DatabaseChange,
    EngineError,
    EngineSession,
    Outcome,
    Replay,
    ResultSet,
    Row,
    RowCount,
    ServerMessage,
    TransactionChange,
)
from sandbox.tds.faults import NO_FAULTS, Faults
from sandbox.tds.housekeeping import SERVER_NAME
from sandbox.tds.packets import ClientGoneError, PacketWriter

_ROWS_AT_ONCE = 128
_SELECT = 0xC1
_LARGEST_INFORMATION_SEVERITY = 10
_TRANSACTION_DESCRIPTOR = 1


class Interrupted(Exception):  # noqa: N818 - it is no error: the client asked for it, or left
    """The client sent ATTENTION or left, and the reply is abandoned."""


class ConnectionDroppedError(Exception):
    """A fault ends the connection here; `reset` asks for RST."""

    def __init__(self, reset: bool) -> None:
        super().__init__("a fault drops the connection")
        self.reset = reset


class Reply:
    """Writes one reply; every way out ends the message, is `Interrupted`, or drops the connection."""

    def __init__(self, writer: PacketWriter, session: EngineSession, interrupted: threading.Event) -> None:
        self._writer = writer
        self._session = session
        self._interrupted = interrupted
        self._pending: tuple[int, int | None, int] | None = None
        self._failed = False

    def send_batch(self, batch: str, faults: Faults) -> None:
        """Run the batch and send what it gives; raises Interrupted and ConnectionDroppedError."""
        struck = False
        outcomes = self._session.execute(batch)
        try:
            for outcome in outcomes:
                self._check_interrupted()
                if isinstance(outcome, ResultSet):
                    strikes = outcome.reads_table and not struck
                    struck |= strikes
                    self._send_result(outcome, faults if strikes else NO_FAULTS)
                else:
                    self._send_outcome(outcome)
        except EngineError as error:
            self._check_interrupted()
            _close(outcomes)
            self._session.note_error(error.message.number)
            self._send_message(error.message)
            self._queue_done()
        except (Interrupted, ConnectionDroppedError, ClientGoneError):
            raise
        except Exception as error:  # noqa: BLE001 - an unforeseen statement must not look like a broken network
            traceback.print_exc()
            self._send_message(ServerMessage(50000, 16, 1, f"The stand-in SQL Server failed: {error!r}"))
            self._queue_done()
        finally:
            _close(outcomes)
        self._check_interrupted()
        self._end()

    def send_error(self, message: ServerMessage) -> None:
        """Send an error as the whole reply."""
        self._send_message(message)
        self._end()

    def send_transaction_change(self, ended: bool | None) -> None:
        """Send the answer to a transaction manager request."""
        self._send_outcome(TransactionChange(ended))
        self._end()

    def _check_interrupted(self) -> None:
        if self._interrupted.is_set():
            raise Interrupted

    def _send_outcome(self, outcome: Outcome) -> None:
        if isinstance(outcome, Replay):
            self._send_replay(outcome)
        elif isinstance(outcome, RowCount):
            self._queue_done(outcome.rows)
        elif isinstance(outcome, ServerMessage):
            self._send_message(outcome)
        elif isinstance(outcome, DatabaseChange):
            self.send(tokens.database_change(outcome.new, outcome.old))
        elif isinstance(outcome, TransactionChange):
            self.send(
                tokens.transaction_begun(_TRANSACTION_DESCRIPTOR)
                if outcome.ended is None
                else tokens.transaction_ended(_TRANSACTION_DESCRIPTOR, outcome.ended)
            )

    def _send_message(self, message: ServerMessage) -> None:
        self._failed |= message.severity > _LARGEST_INFORMATION_SEVERITY
        self.send(tokens.message(message, SERVER_NAME))

    def _send_result(self, result: ResultSet, faults: Faults) -> None:
        stream = _FaultyStream(self, faults)
        stream.send(tokens.column_metadata(result.columns))
        if faults.stall_before_rows:
            self.stall()
        encoder = RowEncoder([(column.type, column.nullable) for column in result.columns])
        sent = 0
        rows = iter(() if faults.zero_rows else result.rows)
        try:
            for chunk in _read_chunks(rows):
                self._check_interrupted()
                for encoded in _encode_chunk(encoder, chunk):
                    stream.before_row(sent)
                    stream.send(encoded)
                    sent += 1
            stream.before_row(sent)
        finally:
            _close(rows)
        self._queue_done(stream.sent_rows(sent) if result.counted else None, _SELECT)

    def _send_replay(self, replay: Replay) -> None:
        self.send(tokens.column_metadata(replay.columns))
        for block in replay.blocks:
            self._check_interrupted()
            self.send(block.data)
        self._queue_done(replay.rows if replay.counted else None, _SELECT)

    def flush(self) -> None:
        """Send what is written so far, without ending the reply."""
        self._writer.flush()

    def stall(self) -> None:
        """Send nothing more until the client cancels, leaves or the server stops."""
        self.flush()
        self._interrupted.wait()
        raise Interrupted

    def _queue_done(self, rows: int | None = None, command: int = 0) -> None:
        """Keep a DONE back until it is known whether DONE_MORE belongs into it."""
        self._flush_done(tokens.DONE_MORE)
        status = tokens.DONE_ERROR if self._failed else 0
        self._failed = False
        self._pending = (status, rows, command)

    def _flush_done(self, more: int) -> None:
        if self._pending is None:
            return
        status, rows, command = self._pending
        self._pending = None
        if self._session.in_transaction:
            status |= tokens.DONE_IN_TRANSACTION
        self._writer.write(tokens.done(status | more, rows, command))

    def send(self, data: bytes) -> None:
        """Write tokens, behind the DONE that was kept back."""
        self._flush_done(tokens.DONE_MORE)
        self._writer.write(data)

    def _end(self) -> None:
        if self._pending is None or self._failed:
            self._queue_done()
        self._flush_done(0)
        self._writer.end_message()


class _FaultyStream:
    """Sends one result set with the faults of rows and bytes."""

    def __init__(self, reply: Reply, faults: Faults) -> None:
        self._reply = reply
        self._faults = faults
        self._bytes_left = faults.drop_after_bytes
        self._error = faults.error()
        self._omitting = False

    def send(self, data: bytes) -> None:
        if self._omitting:
            return
        if self._bytes_left is None:
            self._reply.send(data)
            return
        self._reply.send(data[: self._bytes_left])
        self._bytes_left -= len(data)
        if self._bytes_left <= 0:
            self._drop()

    def before_row(self, sent: int) -> None:
        """Strike before the row after `sent` rows, or before the result's end."""
        if sent == self._faults.drop_after_rows:
            self._drop()
        if sent == self._faults.stall_after_rows:
            self._reply.stall()
        if self._error is not None and sent == self._error[0]:
            raise EngineError(self._error[1])
        self._omitting = self._faults.omit_after_rows is not None and sent >= self._faults.omit_after_rows

    def sent_rows(self, sent: int) -> int:
        limit = self._faults.omit_after_rows
        return sent if limit is None else min(sent, limit)

    def _drop(self) -> None:
        self._reply.flush()
        raise ConnectionDroppedError(self._faults.reset)


def _close(iterator: Iterator[object]) -> None:
    if isinstance(iterator, Generator):
        iterator.close()


def _read_chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Yield rows in lists; when reading fails, the rows before the failure come first."""
    while True:
        chunk: list[Row] = []
        try:
            chunk.extend(islice(rows, _ROWS_AT_ONCE))
        except EngineError:
            if chunk:
                yield chunk
            raise
        if not chunk:
            return
        yield chunk


def _encode_chunk(encoder: RowEncoder, chunk: list[Row]) -> Iterator[bytes]:
    """Yield ROW tokens; a value that does not fit raises EngineError 8114 after the rows before it."""
    try:
        yield from encoder.encode(chunk)
    except EncodingError:
        for row in chunk:
            try:
                yield from encoder.encode([row])
            except EncodingError as error:
                raise EngineError(ServerMessage(8114, 16, 5, f"Error converting a value: {error}")) from error
