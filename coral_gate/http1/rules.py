"""
The rules of the strict reader, each with its status and source; `docs/http.md` lists them from here.
"""

from __future__ import annotations

import enum

from attrs import frozen

from coral_gate.errors import ClientFault, UpstreamFault


@frozen
class RuleText:
    """
    One rule as people read it.

    :ivar word: the machine word in logs and audit; unique.
    :ivar status: the status that answers a breach.
    :ivar source: RFC and section, or `gate` where we are stricter than the RFC asks.
    :ivar text: what must hold, for a person.
    """

    word: str
    status: int
    source: str
    text: str


class Rule(enum.Enum):
    """What a message must keep to; a breach is answered with the rule's status and the connection is closed."""

    HEAD_TOO_LARGE = RuleText("head-too-large", 431, "RFC 6585 §5", "The request line and fields fit the limit for a whole head.")
    TOO_MANY_FIELDS = RuleText("too-many-fields", 431, "RFC 6585 §5", "The number of fields is within the limit.")
    TARGET_TOO_LONG = RuleText("target-too-long", 414, "RFC 9110 §15.5.15", "The request target fits its limit.")
    CONTROL_BYTE = RuleText("control-byte", 400, "RFC 9110 §5.5", "A head holds no control byte but CRLF and a tab inside a value.")
    BARE_CR = RuleText("bare-cr", 400, "RFC 9112 §2.2", "A CR is followed by LF.")
    BARE_LF = RuleText("bare-lf", 400, "RFC 9112 §2.2", "An LF follows a CR.")
    REQUEST_LINE = RuleText("request-line", 400, "RFC 9112 §3", "The request line is method, one space, target, one space, version.")
    METHOD = RuleText("method", 501, "RFC 9110 §9.1", "The method is one that the gate knows, in upper case.")
    VERSION = RuleText("version", 505, "RFC 9110 §15.6.6", "The version is HTTP/1.1 or HTTP/1.0.")
    VERSION_SYNTAX = RuleText("version-syntax", 400, "RFC 9112 §2.3", "The version is `HTTP/`, a digit, a dot and a digit.")
    TARGET_FORM = RuleText("target-form", 400, "RFC 9112 §3.2", "The target is in origin form: it begins with one slash.")
    TARGET_BYTE = RuleText(
        "target-byte", 400, "RFC 3986 §3.3", "The target holds only URI characters and valid percent escapes, no fragment."
    )
    PATH_ESCAPE = RuleText("path-escape", 400, "gate", "The path has no encoded slash, backslash or control, and decodes to UTF-8.")
    PATH_SEGMENT = RuleText("path-segment", 400, "RFC 3986 §6.2.2.3", "The path has no dot segment, encoded or not, and no doubled slash.")
    OBS_FOLD = RuleText("obs-fold", 400, "RFC 9112 §5.2", "No field line begins with white space.")
    FIELD_LINE = RuleText("field-line", 400, "RFC 9112 §5", "A field line is a token, a colon directly after it, and a value.")
    FIELD_REPEATED = RuleText("field-repeated", 400, "RFC 9110 §5.3", "A field that takes one value is sent once.")
    FIELD_UNDERSCORE = RuleText(
        "field-underscore", 400, "gate", "No name with an underscore reads, with a dash, as a name that the gate acts on."
    )
    HOST_COUNT = RuleText("host-count", 400, "RFC 9112 §3.2", "There is exactly one Host field.")
    HOST_SYNTAX = RuleText("host-syntax", 400, "RFC 9112 §3.2", "Host is a host name or address and perhaps a port.")
    LENGTH_SYNTAX = RuleText("length-syntax", 400, "RFC 9112 §6.3", "Content-Length is 1 to 18 digits, sent once.")
    LENGTH_AND_CODING = RuleText("length-and-coding", 400, "RFC 9112 §6.1", "Content-Length and Transfer-Encoding are not sent together.")
    TRANSFER_CODING = RuleText("transfer-coding", 400, "RFC 9112 §6.1", "Transfer-Encoding is exactly `chunked`, sent once, in HTTP/1.1.")
    CONNECTION_OPTION = RuleText(
        "connection-option", 400, "RFC 9110 §7.6.1", "Connection lists tokens, and none names a field that frames, routes or identifies."
    )
    EXPECTATION = RuleText("expectation", 417, "RFC 9110 §10.1.1", "Expect is exactly `100-continue`.")
    UPGRADE = RuleText("upgrade", 400, "RFC 9110 §7.8", "A WebSocket is opened with GET, without content, on a path that takes one.")
    EARLY = RuleText("early", 400, "RFC 6455 §4.1", "A client that asks for a WebSocket sends nothing more before it has seen the answer.")
    CHUNK_SIZE = RuleText("chunk-size", 400, "RFC 9112 §7.1", "A chunk's size is 1 to 16 hexadecimal digits.")
    CHUNK_EXTENSION = RuleText("chunk-extension", 400, "RFC 9112 §7.1.1", "Chunk extensions are well-formed, short and few.")
    CHUNK_END = RuleText("chunk-end", 400, "RFC 9112 §7.1", "A chunk's content is followed by CRLF.")
    TRAILER = RuleText("trailer", 400, "RFC 9112 §7.1.2", "Trailer fields are well-formed, few, and frame, route and identify nothing.")
    STATUS_LINE = RuleText(
        "status-line", 502, "RFC 9112 §4", "A response begins with `HTTP/1.1` or `HTTP/1.0`, a space and three digits from 100 to 599."
    )


class RefusedRequest(ClientFault):
    """
    A request broke a rule; answer with the rule's status and close.

    :ivar rule: which one.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.value.word)
        self.rule = rule


class RefusedResponse(UpstreamFault):
    """
    A response broke a rule; answer with 502, or cut what has begun, and close the upstream connection.

    :ivar rule: which one.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.value.word)
        self.rule = rule
