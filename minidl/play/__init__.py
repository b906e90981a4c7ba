"""A page to draw on, and a network that shows what it makes of it: ``minidl play CHECKPOINT``."""

from minidl.play.look import look
from minidl.play.server import make_server

__all__ = ["look", "make_server"]
