"""One strict reader and writer of HTTP/1.1 messages: bytes in, values out; no reactor, no clock, no sockets."""
