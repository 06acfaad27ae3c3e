"""
The page of the built-in issuer: a form, no script, nothing of the request in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from attrs import frozen


@frozen
class LocalUser:
    """
    Somebody who can be signed in for trying out.

    :ivar subject: 1 to 64 letters, digits, `-`, `_` or `.`.
    """

    subject: str
    name: str
    email: str


def sign_in_page(users: Sequence[LocalUser], complaint: str = "", stylesheet: str | None = None) -> bytes:
    """
    The form. It is sent to the address that it was loaded from, where the request is read anew.

    :param complaint: what was wrong with the last try, in our own words.
    :param stylesheet: a path on the same origin.
    """
    style = f'<link rel="stylesheet" href="{escape(stylesheet)}">' if stylesheet else ""
    alert = f'<p role="alert">{escape(complaint)}</p>' if complaint else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to try Coral Gate</title>
{style}
</head>
<body>
<main>
<h1>Sign in to try Coral Gate</h1>
<p>Coral Gate has printed a one-time word on the terminal that it was started on. Whoever can read it there may sign in.</p>
{alert}
<form method="post">
{_choice(users)}
<p><label for="word">One-time word</label><br>
<input id="word" name="word" type="text" size="32" required autofocus autocomplete="off" autocapitalize="none" spellcheck="false"></p>
<p><button type="submit">Sign in</button></p>
</form>
</main>
</body>
</html>
""".encode()


def _choice(users: Sequence[LocalUser]) -> str:
    if len(users) == 1:
        return f'<input type="hidden" name="user" value="{escape(users[0].subject)}">'
    rows = "\n".join(_radio(user, number) for number, user in enumerate(users))
    return f"<fieldset>\n<legend>Sign in as</legend>\n{rows}\n</fieldset>"


def _radio(user: LocalUser, number: int) -> str:
    checked = " checked" if number == 0 else ""
    subject = escape(user.subject)
    return (
        f'<p><input type="radio" id="user-{number}" name="user" value="{subject}" required{checked}>'
        f' <label for="user-{number}">{escape(user.name)}</label></p>'
    )
