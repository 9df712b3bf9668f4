"""One client's connection: login, then requests and their replies until either side leaves.

Two threads serve a connection. One reads, so that an ATTENTION or a vanished client is noticed while rows stream or
the engine works; the other answers. Conversation: [MS-TDS] 3.3 "Server Details".
"""

from __future__ import annotations

import contextlib
import hmac
import queue
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.tds import packets, procedure_calls, tokens
from sandbox.tds.collations import TURKISH
from sandbox.tds.encryption import EncryptedStream, wants_encryption
from sandbox.tds.engine import Engine, EngineError, EngineSession, ServerMessage, UnknownDatabaseError
from sandbox.tds.faults import Faults
from sandbox.tds.housekeeping import PROGRAM, SERVER_NAME, VERSION
from sandbox.tds.packets import ClientGoneError, Login, Message, PacketWriter, ProtocolError
from sandbox.tds.replies import ConnectionDroppedError, Interrupted, Reply

_REMEMBERED_BATCHES = 200
_REMEMBERED_CHARACTERS = 20_000
_SMALLEST_PACKET, _LARGEST_PACKET = 512, 32_767
_READER_END_S = 10.0
_CANCEL_AGAIN_S = 0.2
_TM_BEGIN, _TM_COMMIT, _TM_ROLLBACK = 5, 7, 8


@dataclass
class SessionRecord:
    """What a client said about itself and asked; `batches` keeps the last 200, each up to 20,000 characters."""

    login: str
    application: str
    host: str
    library: str
    database: str
    tds_version: int
    encrypted: bool = False
    batches: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_BATCHES))


@dataclass(frozen=True)
class Reception:
    """What a server lends to its sessions: whom to let in, where, and what to do wrong."""

    engine: Engine
    users: Mapping[str, str]
    database: str
    faults: Callable[[], Faults]
    take_login_refusal: Callable[[], bool]
    record: Callable[[SessionRecord], None]
    replies_at_once: bool = False


class Session:
    """Serves one accepted connection with `serve`; `stop` ends it from another thread."""

    def __init__(self, connection: socket.socket, reception: Reception) -> None:
        self._connection = connection
        self._reception = reception
        self._stream: socket.socket | EncryptedStream = connection
        self._writer = PacketWriter(connection, at_once=reception.replies_at_once)
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._interrupted = threading.Event()
        self._settled = threading.Event()
        self._ended = threading.Event()
        self._engine_session: EngineSession | None = None
        self._record: SessionRecord | None = None

    def stop(self) -> None:
        """End the connection; `serve` returns soon after."""
        self._interrupted.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Talk to the client until it leaves or a fault ends the connection."""
        reader: threading.Thread | None = None
        end = socket.SHUT_RDWR
        try:
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._log_in():
                reader = threading.Thread(target=self._read_messages, name="tds-reader", daemon=True)
                reader.start()
                self._answer_messages()
        except ConnectionDroppedError as drop:
            if drop.reset:
                # A FIN would come before the RST.
                end = socket.SHUT_RD
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except ProtocolError as error:
            print(f"stand-in SQL Server: a client was turned away: {error}", file=sys.stderr, flush=True)
        except (ClientGoneError, OSError):
            pass  # a client may leave at any time
        finally:
            self._close(reader, end)

    def _close(self, reader: threading.Thread | None, end: int) -> None:
        self._ended.set()
        self._settled.set()
        if reader is not None:
            # A close while the reader sits in recv would leave the socket open, and RST unsent.
            with contextlib.suppress(OSError):
                self._connection.shutdown(end)
            reader.join(timeout=_READER_END_S)
        self._connection.close()
        if self._engine_session is not None:
            self._engine_session.close()

    def _log_in(self) -> bool:
        message = packets.read_message(self._connection)
        if message.kind == packets.PRELOGIN:
            encrypts = wants_encryption(message.payload) and not self._reception.faults().no_encryption
            self._writer.write(packets.build_prelogin(VERSION, encrypts))
            self._writer.end_message()
            if encrypts:
                self._stream = EncryptedStream(self._connection)
                self._writer = PacketWriter(self._stream, at_once=self._reception.replies_at_once)
            message = packets.read_message(self._stream)
        if message.kind != packets.LOGIN7:
            raise ProtocolError(
                f"expected LOGIN7 (0x10), found 0x{message.kind:02x}; encryption is agreed upon in PRELOGIN"
            )
        login = packets.parse_login(message.payload)
        refusals = self._refusals(login)
        if refusals:
            self._refuse(refusals)
            return False
        self._welcome(login)
        return True

    def _refusals(self, login: Login) -> list[ServerMessage]:
        """Return why the login fails, or open the engine session and return nothing."""
        failed = ServerMessage(18456, 14, 1, f"Login failed for user '{login.user}'.")
        if login.tds_version < packets.TDS_7_3:
            text = f"The stand-in speaks TDS 7.3 and 7.4; the client asked for 0x{login.tds_version:08x}."
            return [ServerMessage(17830, 20, 1, text)]
        if self._reception.take_login_refusal() or not self._knows(login):
            return [failed]
        database = login.database or self._reception.database
        unknown = ServerMessage(
            4060, 11, 1, f'Cannot open database "{database}" requested by the login. The login failed.'
        )
        if database.casefold() not in {self._reception.database.casefold(), "master"}:
            return [unknown, failed]
        try:
            self._engine_session = self._reception.engine.connect(database)
        except UnknownDatabaseError:
            return [unknown, failed]
        except EngineError as error:
            return [error.message]
        return []

    def _knows(self, login: Login) -> bool:
        for user, password in self._reception.users.items():
            if user.casefold() == login.user.casefold():
                return hmac.compare_digest(password.encode(), login.password.encode("utf-8", "surrogatepass"))
        return False

    def _refuse(self, refusals: list[ServerMessage]) -> None:
        for refusal in refusals:
            self._writer.write(tokens.message(refusal, SERVER_NAME))
        self._writer.write(tokens.done(tokens.DONE_ERROR))
        self._writer.end_message()

    def _welcome(self, login: Login) -> None:
        database = login.database or self._reception.database
        self._record = SessionRecord(
            login.user, login.application, login.host, login.library, database, login.tds_version,
            encrypted=isinstance(self._stream, EncryptedStream),
        )  # fmt: skip
        self._reception.record(self._record)
        size = min(max(login.packet_size or packets.DEFAULT_PACKET_SIZE, _SMALLEST_PACKET), _LARGEST_PACKET)
        changed_database = ServerMessage(5701, 0, 2, f"Changed database context to '{database}'.")
        changed_language = ServerMessage(5703, 0, 1, "Changed language setting to us_english.")
        for token in (
            tokens.database_change(database, "master"),
            tokens.message(changed_database, SERVER_NAME),
            tokens.collation_change(TURKISH),
            tokens.language_change("us_english"),
            tokens.message(changed_language, SERVER_NAME),
            tokens.login_acknowledgement(PROGRAM, VERSION, min(login.tds_version, packets.TDS_7_4)),
            tokens.packet_size_change(size, packets.DEFAULT_PACKET_SIZE),
            tokens.done(),
        ):
            self._writer.write(token)
        self._writer.end_message()
        self._writer.packet_size = size

    def _read_messages(self) -> None:
        try:
            while True:
                message = packets.read_message(self._stream)
                if message.kind == packets.ATTENTION:
                    self._interrupt(message)
                else:
                    self._messages.put(message)
        except (ClientGoneError, ProtocolError):
            self._interrupt(None)

    def _interrupt(self, message: Message | None) -> None:
        """Make the answering thread stop, and return when it has."""
        self._settled.clear()
        self._interrupted.set()
        self._messages.put(message)
        while self._engine_session is not None and not self._ended.is_set():
            self._engine_session.cancel()
            # Once is not enough: the engine may begin its work just after a cancel that found none.
            if self._settled.wait(_CANCEL_AGAIN_S):
                return

    def _answer_messages(self) -> None:
        while (message := self._messages.get()) is not None:
            if message.kind == packets.ATTENTION:
                self._acknowledge_attention()
                continue
            try:
                self._answer(message)
            except Interrupted:
                following = self._messages.get()
                if following is None or following.kind != packets.ATTENTION:
                    return
                self._acknowledge_attention()

    def _acknowledge_attention(self) -> None:
        """Acknowledge, also when the reply had ended before the attention came ([MS-TDS] 3.3.5.7)."""
        self._interrupted.clear()
        self._settled.set()
        self._writer.write(tokens.done(tokens.DONE_ATTENTION))
        self._writer.end_message()

    def _answer(self, message: Message) -> None:
        session = self._engine_session
        assert session is not None  # noqa: S101 - only a client that logged in gets here
        if message.reset_connection:
            session.reset()
            self._writer.write(tokens.connection_reset())
        reply = Reply(self._writer, session, self._interrupted)
        if message.kind == packets.SQL_BATCH:
            self._answer_batch(packets.parse_batch(message.payload), reply)
        elif message.kind == packets.TRANSACTION_MANAGER:
            self._answer_transaction(packets.skip_headers(message.payload), session, reply)
        elif message.kind == packets.RPC:
            self._answer_call(packets.skip_headers(message.payload), reply)
        else:
            text = f"The stand-in does not answer messages of type 0x{message.kind:02x}."
            reply.send_error(ServerMessage(50000, 16, 1, text))

    def _answer_batch(self, batch: str, reply: Reply) -> None:
        if self._record is not None:
            self._record.batches.append(batch[:_REMEMBERED_CHARACTERS])
        reply.send_batch(batch, self._reception.faults())

    def _answer_call(self, request: bytes, reply: Reply) -> None:
        try:
            batch = procedure_calls.read_batch(request)
        except procedure_calls.UnknownCallError as error:
            reply.send_error(ServerMessage(50000, 16, 1, str(error)))
        else:
            self._answer_batch(batch, reply)

    def _answer_transaction(self, request: bytes, session: EngineSession, reply: Reply) -> None:
        """Answer TM_BEGIN_XACT, TM_COMMIT_XACT and TM_ROLLBACK_XACT ([MS-TDS] 2.2.6.9)."""
        (kind,) = struct.unpack_from("<H", request)
        try:
            if kind == _TM_BEGIN:
                session.begin()
                reply.send_transaction_change(None)
            elif kind in {_TM_COMMIT, _TM_ROLLBACK}:
                session.commit() if kind == _TM_COMMIT else session.rollback()
                reply.send_transaction_change(kind == _TM_COMMIT)
            else:
                text = f"The stand-in does not answer transaction manager request {kind}."
                reply.send_error(ServerMessage(50000, 16, 1, text))
        except EngineError as error:
            reply.send_error(error.message)
