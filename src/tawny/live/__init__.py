"""What happens to runs, as it happens: one reader for each process, and as many listeners as want to hear."""

from tawny.live.feed import Feed, Lost
from tawny.live.listen import listen_to_run, listen_to_team
from tawny.live.message import Message
from tawny.live.place import Place, parse_place

__all__ = ["Feed", "Lost", "Message", "Place", "listen_to_run", "listen_to_team", "parse_place"]
