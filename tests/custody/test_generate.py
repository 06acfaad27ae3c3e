"""New credentials."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.generate import generate, generate_ssh_key, new_credential
from coral_gate.model import ServiceName


class PasswordTests(SynchronousTestCase):
    """Passwords."""

    def test_form(self) -> None:
        """A password is 43 letters and digits, which is 256 bits, and is written as itself in a URL and in JSON."""
        text = generate(os.urandom).reveal().decode()
        self.assertTrue(re.fullmatch(r"[A-Za-z0-9]{43}", text))
        self.assertGreaterEqual(62**43, 2**256)
        self.assertEqual((quote(text, safe=""), json.dumps(text)), (text, f'"{text}"'))

    def test_length(self) -> None:
        """Shorter and longer ones can be asked for."""
        self.assertEqual([len(generate(os.urandom, length).reveal()) for length in (8, 64, 0)], [8, 64, 0])

    def test_unbiased(self) -> None:
        """Each character stands for four of the 256 values that a byte has, and the eight that are left over for none."""
        made = Counter[int]()
        for byte in range(256):
            stream = iter([bytes((byte,)), b"A"])
            first = generate(lambda length, stream=stream: next(stream), 1).reveal()  # type: ignore[misc]  # bound at once
            if byte < 248:
                made.update(first)
            else:
                self.assertEqual(first, generate(lambda length: b"A", 1).reveal())
        self.assertEqual((len(made), set(made.values())), (62, {4}))

    def test_never_twice(self) -> None:
        """Nobody gets the same."""
        self.assertEqual(len({generate(os.urandom).reveal() for _ in range(1000)}), 1000)


class KeyTests(SynchronousTestCase):
    """Keys for SSH."""

    def test_read(self) -> None:
        """A key is Ed25519, of the entropy that was given, and can be read by the SSH client that will use it."""
        seed = bytes(range(32))
        pem = generate_ssh_key(lambda length: seed[:length]).reveal()
        key = load_ssh_private_key(pem, None)
        assert isinstance(key, Ed25519PrivateKey)
        self.assertEqual(key.private_bytes_raw(), seed)
        self.assertEqual(Key.fromString(pem).type(), "Ed25519")

    def test_kinds(self) -> None:
        """SSH takes a key, everything else a password."""
        for service in ServiceName:
            made = new_credential(service, os.urandom).reveal()
            self.assertEqual(made.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----"), service is ServiceName.SSH)
