"""TLS as TDS 7 carries it: the handshake inside PRELOGIN packets, everything after it in TLS records.

Source: [MS-TDS] 2.2.6.5 "PRELOGIN" (ENCRYPTION) and 3.2.5.1. The certificate is made on first use, signed by itself and
good for this process only, so a client has to be told to trust it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import struct
import tempfile
import threading
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.tds.packets import PRELOGIN, ClientGoneError, ProtocolError, frame_packet, read_message

_RECORD_BYTES: Final = 65_536
_NAME: Final = "stand-in SQL Server"
_VALID_FOR: Final = dt.timedelta(days=3650)
_ENCRYPTION_OPTION = 1
# ENCRYPT_ON and ENCRYPT_REQ; ENCRYPT_OFF would encrypt the login alone, which we leave out.
_ENCRYPT_ALL = {b"\x01", b"\x03"}


class EncryptedStream:
    """The server's side of a TLS connection over a socket; one thread may read while another one writes."""

    def __init__(self, connection: socket.socket) -> None:
        """Shake hands; raises ProtocolError when the client's TLS can't be understood or it refuses ours."""
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _server_context().wrap_bio(self._incoming, self._outgoing, server_side=True)
        # OpenSSL's connections are not made for two threads at once.
        self._state = threading.Lock()
        self._sending = threading.Lock()
        self._shake_hands()

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes of what the client said; none at the end."""
        while True:
            with self._state:
                try:
                    return self._tls.read(size)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError:
                    return b""
            record = self._connection.recv(_RECORD_BYTES)
            if not record:
                return b""
            with self._state:
                self._incoming.write(record)

    def sendall(self, data: bytes) -> None:
        """Encrypt and send; records leave in the order in which they were made."""
        with self._sending:
            with self._state:
                left = memoryview(data)
                while left:
                    left = left[self._tls.write(left) :]
                records = self._outgoing.read()
            self._connection.sendall(records)

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_handshake()
                message = read_message(self._connection)
                if message.kind != PRELOGIN:
                    raise ProtocolError(f"expected TLS inside PRELOGIN (0x12), found 0x{message.kind:02x}") from None
                self._incoming.write(message.payload)
            except ssl.SSLError as error:
                self._send_handshake()
                raise ProtocolError(f"expected a TLS handshake, found {error.reason or error}") from error
            else:
                self._send_handshake()
                return

    def _send_handshake(self) -> None:
        records = self._outgoing.read()
        if records:
            try:
                self._connection.sendall(frame_packet(records, PRELOGIN))
            except OSError as error:
                raise ClientGoneError(f"the connection broke in the TLS handshake: {error}") from error


def wants_encryption(prelogin: bytes) -> bool:
    """Whether a PRELOGIN message asks for all of the connection to be encrypted; raises ProtocolError."""
    option = 0
    while prelogin[option : option + 1] not in {b"", b"\xff"}:
        try:
            token, offset, length = struct.unpack_from(">BHH", prelogin, option)
        except struct.error as error:
            raise ProtocolError(f"expected options in PRELOGIN, found {prelogin!r}") from error
        if token == _ENCRYPTION_OPTION:
            return length > 0 and prelogin[offset : offset + 1] in _ENCRYPT_ALL
        option += 5
    return False


def certificate() -> bytes:
    """Return the certificate as PEM, for a client that is to check it."""
    return _identity()[1]


@cache
def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # In TLS 1.3 the server goes on with the handshake after its end, for which TDS 7 has no place.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads key and certificate from a file only.
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.writelines(_identity())
        file.flush()
        context.load_cert_chain(file.name)
    return context


@cache
def _identity() -> tuple[bytes, bytes]:
    """Return key and certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, _sign_certificate(key).public_bytes(serialization.Encoding.PEM)


def _sign_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = dt.datetime.now(dt.UTC)
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, hashes.SHA256())
    )
