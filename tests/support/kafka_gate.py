"""A gate before a broker of Kafka: lets through who shows a user's password by SASL (RFC 4616, RFC 5802), and closes on all others.

As a broker has it: until then nothing but ApiVersions, SaslHandshake and SaslAuthenticate is answered.
"""

import hashlib
import hmac
import os
import socket
import struct
from base64 import b64decode, b64encode
from threading import Thread

HANDSHAKE, VERSIONS, AUTHENTICATE = 17, 18, 36
UNSUPPORTED_MECHANISM, UNSUPPORTED_VERSION, FAILED = 33, 35, 58
HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
ITERATIONS = 4096


def start(address, broker, user, password):
    """The port of a gate before this broker."""
    listener = socket.create_server((address, 0))

    def accept():
        while True:
            client, _ = listener.accept()
            Thread(target=serve, args=(client, broker, user, password), daemon=True).start()

    Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def serve(client, broker, user, password):
    host, port = broker.rsplit(":", 1)
    try:
        with client, socket.create_connection((host, int(port))) as server:
            if let_in(client, server, user, password):
                Thread(target=pump, args=(server, client), daemon=True).start()
                pump(client, server)
    except OSError:
        pass


def pump(source, sink):
    try:
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()


def let_in(client, server, user, password):
    steps = None
    while frame := read(client):
        key, version, number, length = struct.unpack(">hhih", frame[:10])
        body = frame[10 + max(length, 0):]
        if key == VERSIONS and version > 0:
            answer = struct.pack(">hi", UNSUPPORTED_VERSION, 0)
        elif key == VERSIONS:
            write(server, frame)
            known = read(server)[10:]
            answer = struct.pack(">hi", 0, len(known) // 6 + 2) + known + struct.pack(">hhhhhh", HANDSHAKE, 0, 1, AUTHENTICATE, 0, 1)
        elif key == HANDSHAKE:
            name = body[2:].decode()
            known = ["PLAIN", *HASHES]
            steps = {"PLAIN": plain, **{name: scram for name in HASHES}}.get(name)
            steps = steps and steps(name, user, password)
            steps and next(steps)
            answer = struct.pack(">hi", 0 if steps else UNSUPPORTED_MECHANISM, len(known))
            answer += b"".join(struct.pack(">h", len(one)) + one.encode() for one in known)
        elif key == AUTHENTICATE and steps:
            said, is_over = steps.send(body[4:])
            error = FAILED if said is None else 0
            said = said or b""
            answer = struct.pack(">hhi", error, -1, len(said)) + said
            if version > 0:
                answer += struct.pack(">q", 0)
            write(client, struct.pack(">i", number) + answer)
            if is_over:
                return error == 0
            continue
        else:
            return False
        write(client, struct.pack(">i", number) + answer)
    return False


def plain(_, user, password):
    shown = yield
    is_right = shown == ("\0%s\0%s" % (user, password)).encode()
    yield (b"" if is_right else None), True


def scram(name, user, password):
    algorithm = HASHES[name]

    def keyed(key, text):
        return hmac.new(key, text, algorithm).digest()

    first = yield
    bare = first.split(b",", 2)[2]
    fields = dict(part.split(b"=", 1) for part in bare.split(b","))
    salt, nonce = os.urandom(16), fields[b"r"] + b64encode(os.urandom(12))
    challenge = b"r=%s,s=%s,i=%d" % (nonce, b64encode(salt), ITERATIONS)
    final = yield challenge, False
    unproven, proof = final.rsplit(b",p=", 1)
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, ITERATIONS)
    text = b",".join([bare, challenge, unproven])
    key = keyed(salted, b"Client Key")
    signature = keyed(hashlib.new(algorithm, key).digest(), text)
    expected = bytes(one ^ other for one, other in zip(key, signature))
    is_right = fields[b"n"] == user.encode() and b"r=" + nonce in unproven.split(b",") and b64decode(proof) == expected
    yield (b"v=" + b64encode(keyed(keyed(salted, b"Server Key"), text)) if is_right else None), True


def read(stream):
    head = exactly(stream, 4)
    return head and exactly(stream, struct.unpack(">i", head)[0])


def exactly(stream, length):
    found = b""
    while len(found) < length:
        piece = stream.recv(length - len(found))
        if not piece:
            return b""
        found += piece
    return found


def write(stream, frame):
    stream.sendall(struct.pack(">i", len(frame)) + frame)
