"""A hundred things that somebody may be called in the hope that a page runs them."""

from __future__ import annotations

_SCRIPTS = ("alert(1)", "window.ran=1", "document.title='ran'", "fetch('/sign-out',{method:'POST'})")
_SHAPES = (
    "<script>{}</script>", "<ScRiPt>{}</sCrIpT>", "</title><script>{}</script>", "</h2><script>{}</script>",
    '"><script>{}</script>',
    "'><script>{}</script>", "<img src=x onerror={}>", '"><img src=x onerror="{}">', "<svg onload={}>", "<svg/onload={}>",
    "<body onload={}>", "<details open ontoggle={}>", "<iframe srcdoc='<script>{}</script>'>", '" onmouseover="{}',
    "' onfocus='{}' autofocus='",
    "<a href=javascript:{}>x</a>", "javascript:{}", "<math><mi xlink:href=javascript:{}>", "<!--><script>{}</script>-->",
    "<style><img src=x onerror={}></style>",
)  # fmt: skip
_ODD = (
    "<b>bold</b>", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;", "\\u003cscript\\u003e", "%3Cscript%3Ealert(1)%3C/script%3E",
    "<base href=//evil.example>", "<meta http-equiv=refresh content=0;url=//evil.example>", "<link rel=stylesheet href=//evil.example>",
    "<form action=//evil.example><button>x", "]]><script>alert(1)</script>", "{{7*7}}", "${7*7}", "<%= 7*7 %>", "</main></body></html>",
    "<textarea>", "<plaintext>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<t:slot name='x'>", "&", "<", "\"'`",
)  # fmt: skip

PAYLOADS = tuple(shape.format(script) for script in _SCRIPTS for shape in _SHAPES) + _ODD
