"""What commands there are, and where. Imports nothing, so that `tawny --help` answers at once."""

from __future__ import annotations

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """A command, or a group of them: the module that has it under its name, or as `app`, and what it is for."""

    name: str
    module: str
    summary: str


SECTIONS: Final = {
    "Run a server": (
        Entry("serve", "tawny.cli.serve", "Start everything: the database, the API and a worker"),
        Entry("work", "tawny.cli.work", "Execute runs, beside a server or on another machine"),
        Entry("migrate", "tawny.cli.migrate", "Bring the database to the schema of this version"),
        Entry("check", "tawny.cli.check", "Show the settings, and whether they are fit to start with"),
        Entry("admin", "tawny.cli.admin", "Make teams, projects, keys and members on this machine"),
    ),
    "Use a server": (
        Entry("login", "tawny.cli.user.login", "Sign in by a code that is mailed to you"),
        Entry("logout", "tawny.cli.user.login", "Forget a sign-in"),
        Entry("whoami", "tawny.cli.user.login", "Show who you are, on which server, and your defaults"),
        Entry("jobs", "tawny.cli.user.jobs", "Trigger runs, watch them, list them, stop them"),
        Entry("projects", "tawny.cli.user.projects", "List, make, rename and delete projects; choose one"),
        Entry("teams", "tawny.cli.user.teams", "List your teams; choose one"),
        Entry("keys", "tawny.cli.user.keys", "List, make and revoke the agent keys of a team"),
        Entry("mcp", "tawny.cli.user.mcp", "Serve the tools for agents over stdin and stdout"),
        Entry("integrations", "tawny.cli.user.integrations", "Connect projects to other services"),
    ),
    "Develop": (
        Entry("dev-revenuecat", "tawny.cli.dev_revenuecat", "Be RevenueCat, with made-up customers, for trying out a sync"),
    ),
}

ENTRIES: Final = {entry.name: entry for entries in SECTIONS.values() for entry in entries}

_HEAD: Final = """\
Usage: tawny COMMAND [OPTIONS]

  Background jobs your users can see.

  Start a server, then sign in to it and ask for a run:

    tawny serve
    tawny login
    tawny jobs trigger code_census --wait
"""

_TAIL: Final = """\
Options:
  --version     Show the version
  --help        Show this page; `tawny COMMAND --help` shows more
"""


def overview() -> str:
    """The page that `tawny --help` prints."""
    sections = "\n".join(f"{title}:\n{_lines(entries)}" for title, entries in SECTIONS.items())
    return f"{_HEAD}\n{sections}\n{_TAIL}"


def _lines(entries: tuple[Entry, ...]) -> str:
    return "".join(f"  {entry.name:14}  {entry.summary}\n" for entry in entries)
