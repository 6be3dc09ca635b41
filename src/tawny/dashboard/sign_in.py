"""Signing in by a code that is mailed, or once by a link from the server's own terminal; and out."""

from __future__ import annotations

from typing import Any, Final

from tawny import access
from tawny.access import Attempt
from tawny.api.answers import Header
from tawny.api.cookies import no_session_cookie, session_cookie, set_cookie
from tawny.api.sign_in import code_mail
from tawny.dashboard import tokens
from tawny.dashboard.page import page
from tawny.dashboard.reply import Reply
from tawny.dashboard.visit import THEME, Visit
from tawny.errors import InvalidRequest, RequestError, TooManyRequests

THEMES: Final = ("system", "light", "dark")
_YEAR: Final = 365 * 86400


@page("GET", "/sign-in", public=True)
async def sign_in(visit: Visit) -> Reply:
    """Ask for an address."""
    return _shown(visit, "sign_in.html", next=_next(visit, _query(visit, "next")))


@page("POST", "/sign-in", public=True)
async def send_code(visit: Visit) -> Reply:
    """Mail a code, and ask for it. The reply is the same for every address, known or not."""
    state, email = visit.state, visit.form.text("email")
    going = _next(visit, visit.form.text("next"))
    try:
        async with state.pool.transaction() as conn:
            made = await access.send_code(conn, state.secret, email, client=visit.call.client, signup=state.settings.may_sign_up)
    except (InvalidRequest, TooManyRequests) as error:
        return _shown(visit, "sign_in.html", error, next=going, email=email)
    if made is not None:
        state.mailer.send_soon(code_mail(*made))
    return _shown(visit, "code.html", next=going, email=email)


@page("POST", "/sign-in/code", public=True)
async def verify_code(visit: Visit) -> Reply:
    """Begin a session for who knows the code."""
    state, email = visit.state, visit.form.text("email")
    going = _next(visit, visit.form.text("next"))
    attempt = Attempt(email, "".join(visit.form.text("code").split()), visit.call.client)
    try:
        async with state.pool.transaction() as conn:
            signed_in = await access.verify_code(conn, state.secret, attempt, signup=state.settings.may_sign_up)
    except (InvalidRequest, TooManyRequests) as error:
        return _shown(visit, "code.html", error, next=going, email=email)
    if signed_in is None:
        wrong = InvalidRequest("This code is wrong, used or too old. Look for the newest mail, or ask for another code.")
        return _shown(visit, "code.html", wrong, next=going, email=email)
    return visit.go(visit.path(going), [session_cookie(state.settings, signed_in.token)])


@page("GET", "/sign-in/link", public=True)
async def link(visit: Visit) -> Reply:
    """Ask before the link is used up: programs that look ahead follow links, and press no button."""
    return _shown(visit, "link.html", token=_query(visit, "token"))


@page("POST", "/sign-in/link", public=True)
async def follow_link(visit: Visit) -> Reply:
    """Begin a session for who has a link."""
    state, token = visit.state, visit.form.text("token")
    async with state.pool.transaction() as conn:
        session = await access.follow_link(conn, state.secret, token, client=visit.call.client)
    if session is None:
        spent = InvalidRequest("This link was used already or is too old. Sign in by e-mail instead.")
        return _shown(visit, "sign_in.html", spent, next="/")
    return visit.go(visit.path("/"), [session_cookie(state.settings, session)])


@page("POST", "/sign-out")
async def sign_out(visit: Visit) -> Reply:
    """End the session, in every process within half a second."""
    async with visit.state.pool.transaction() as conn:
        await access.end_session(conn, visit.actor)
    return visit.go(visit.path("/sign-in"), [no_session_cookie(visit.state.settings)])


@page("POST", "/theme", public=True)
async def theme(visit: Visit) -> Reply:
    """Remember light or dark in this browser."""
    chosen = visit.form.text("theme")
    if chosen not in THEMES:
        raise InvalidRequest("The theme should be system, light or dark.", code="invalid_field", field="theme")
    going = _next(visit, visit.form.text("next"))
    return visit.go(visit.path(going), [set_cookie(visit.state.settings, THEME, chosen, _YEAR)])


PAGES: Final = (sign_in, send_code, verify_code, link, follow_link, sign_out, theme)


def _shown(visit: Visit, template: str, error: RequestError | None = None, **values: Any) -> Reply:
    """A page for somebody who is not signed in yet, whose browser is given a name that the form is tied to."""
    holder, headers = visit.holder, list[Header]()
    if holder is None:
        holder = tokens.new_visitor()
        headers.append(set_cookie(visit.state.settings, tokens.VISITOR, holder, tokens.VISITOR_SECONDS))
    shown = {"error": error.message if error else None, "email": "", "mails_stay_here": visit.state.settings.smtp_url is None}
    status = error.status if error else 200
    return visit.show(template, status=status, headers=headers, form_token=visit.form_token(holder), **shown | values)


def _query(visit: Visit, name: str) -> str:
    return visit.query.get(name, "")


def _next(visit: Visit, wanted: str) -> str:
    """Where to go afterwards: a path of ours, and never another site's."""
    ours = (
        wanted.startswith("/")
        and not wanted.startswith(("//", "/\\"))
        and wanted.isprintable()
        and not wanted.startswith("/sign-")
    )
    return wanted if ours else "/"
