"""One request of a browser: who it is from, for which team, with which form, and what can be replied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.types import Receive, Scope

from tawny import access
from tawny.access import Actor, Operation, Team
from tawny.access.credential import refused
from tawny.api.answers import Header
from tawny.api.call import Call
from tawny.api.cookies import SESSION, read_cookie
from tawny.api.state import State, root_of, state_of
from tawny.dashboard import tokens
from tawny.dashboard.forms import Form, read_form
from tawny.dashboard.nav import nav_for
from tawny.dashboard.problems import UNFORESEEN, Problem
from tawny.dashboard.render import render
from tawny.dashboard.reply import Reply
from tawny.errors import Forbidden, InvalidRequest, NotFound

THEME: Final = "tawny_theme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked before something is done: what the form sends to `action` when the answer is yes.

    Without a `button` there is nothing to be done, and the sentence says why.
    """

    title: str
    sentence: str
    action: str
    back: str
    button: str | None
    danger: bool = False
    fields: Sequence[tuple[str, str]] = ()


class Visit:
    """A `Call` as the API knows it, with the session's cookie for a credential, and around it what pages need."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.state: State = state_of(scope)
        self.root = root_of(scope)
        self.session = read_cookie(self.state.settings, scope["headers"], SESSION)
        self.call = Call(as_bearer(scope, self.session), receive)
        self.email = ""
        self.theme = read_cookie(self.state.settings, scope["headers"], THEME) or "system"
        self.teams: Sequence[Team] = ()
        self.form = Form()
        self._actor: Actor | None = None
        self._team: Team | None = None
        self._receive = receive

    # Who, and where

    @property
    def actor(self) -> Actor:
        """Who visits. Of a page that is not public."""
        if self._actor is None:
            raise refused()
        return self._actor

    @property
    def team(self) -> Team:
        """The team of the address. Of a page under `TEAM`."""
        if self._team is None:
            raise _no_team()
        return self._team

    @property
    def in_team(self) -> bool:
        """Whether there is one."""
        return self._team is not None

    @property
    def signed_in(self) -> bool:
        """Whether it is known who visits."""
        return self._actor is not None

    async def enter(self, needs: Operation | None) -> None:
        """Find out who visits which team, and refuse who may not."""
        actor = await self.call.actor()
        if actor.kind != "user":
            raise refused()
        self._actor = actor
        async with self.state.pool.acquire() as conn:
            self.teams = await access.list_teams(conn, actor)
            user = await access.find_user(conn, actor.id)
        self.email = user.email if user else ""
        slug = self.scope["path_params"].get("team")
        if slug is None:
            return
        self._team = next((team for team in self.teams if team.slug == slug), None)
        if self._team is None:
            raise _no_team()
        if needs is not None:
            actor.require(self._team.id, needs)

    def may(self, operation: Operation) -> bool:
        """Whether the visitor may do this here. For leaving out what would be refused; the verbs refuse by themselves."""
        return operation.allows(self.team.role)

    @property
    def reads(self) -> bool:
        """Whether this only looks."""
        return bool(self.scope["method"] in ("GET", "HEAD"))

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks, for a part of a page."""
        return any(name == b"hx-request" for name, _ in self.scope["headers"])

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the address, of several with one name the last, without those that are empty."""
        return dict(self._pairs())

    def query_all(self, name: str) -> list[str]:
        """Every value of a parameter."""
        return [value for key, value in self._pairs() if key == name]

    def _pairs(self) -> list[tuple[str, str]]:
        try:
            return parse_qsl(self.scope["query_string"].decode("ascii"), errors="strict", max_num_fields=500)
        except ValueError:
            raise InvalidRequest("This address cannot be read.", code="invalid_query") from None

    @property
    def address(self) -> str:
        """The path and the query as they were asked for, without what is before the dashboard."""
        query = self.scope["query_string"].decode("latin-1")
        path = quote(self.scope["path"].removeprefix(self.root))
        return f"{path}?{query}" if query else path

    # Forms

    async def read_form(self) -> None:
        """Read what was sent; Forbidden unless it comes from a page of ours that this browser was given."""
        self._require_same_origin()
        self.form = await read_form(self.scope, self._receive)
        if not tokens.fits(self.state.secret, self.holder or "", self.form.text("csrf")):
            raise Forbidden("This page had been open for too long, or in another session; load it again.", code="bad_form_token")

    def _require_same_origin(self) -> None:
        headers = {name: value.decode("latin-1") for name, value in self.scope["headers"]}
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        foreign_site = site is not None and site not in ("same-origin", "none")
        # Behind a proxy `Host` may be another one: then what browsers say of the site, or the public address, has to do.
        hosts = {headers.get(b"host", ""), urlsplit(self.call.public_url).netloc}
        if foreign_site or (origin is not None and urlsplit(origin).netloc not in hosts):
            raise Forbidden("This form was sent from another site.", code="foreign_origin")

    @property
    def holder(self) -> str | None:
        """What this browser is known by: its session or, while nobody is signed in, a name that it was given."""
        return self.session or read_cookie(self.state.settings, self.scope["headers"], tokens.VISITOR)

    def form_token(self, holder: str | None = None) -> str:
        """What each form carries, so that other sites cannot send it."""
        return tokens.make(self.state.secret, holder or self.holder or "")

    # Replies

    def path(self, path: str, **query: Any) -> str:
        """An address of the dashboard, wherever it is mounted; a path that does not begin with `/` is of this team."""
        full = path if path.startswith("/") else f"/teams/{quote(self.team.slug)}/{path}".rstrip("/")
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.root}{full}{'?' if given else ''}{urlencode(given, doseq=True)}"

    def sign_in_path(self) -> str:
        return self.path("/sign-in", next=None if self.address == "/" else self.address)

    def show(self, template: str, *, status: int = 200, headers: Sequence[Header] = (), **values: Any) -> Reply:
        """A page, or a part of one, made of a template."""
        common = {"visit": self, "path": self.path, "nav": nav_for(self) if self.in_team else (), "form_token": self.form_token()}
        return Reply(status, render(template, common | values), headers)

    def go(self, path: str, headers: Sequence[Header] = ()) -> Reply:
        """Take the browser to another page: an address that `path` has made."""
        name = b"hx-redirect" if self.is_fragment else b"location"
        return Reply(204 if self.is_fragment else 303, headers=[(name, path.encode("ascii", "replace")), *headers])

    def ask(self, question: Question) -> Reply:
        """Ask before something is done: in a dialog for htmx, on a page without scripts."""
        return self.show("_ask.html" if self.is_fragment else "ask.html", ask=question)

    def refuse(self, problem: Problem | None) -> Reply:
        """A page that says what went wrong."""
        problem = problem or UNFORESEEN
        headers = [(b"refresh", b"3")] if problem.retry and self.reads and not self.is_fragment else []
        if self.is_fragment:
            return self.show("_problem.html", status=problem.status, problem=problem)
        return self.show("problem.html", status=problem.status, headers=headers, problem=problem)


def as_bearer(scope: Scope, session: str | None) -> Scope:
    """The request with the session for its credential, and no other."""
    headers = [header for header in scope["headers"] if header[0] != b"authorization"]
    if session is not None:
        headers.append((b"authorization", f"Bearer {session}".encode("latin-1")))
    return {**scope, "headers": headers}


def _no_team() -> NotFound:
    return NotFound("You are in no team of this name. Choose one of yours, or ask for an invitation.", code="team_not_found")
