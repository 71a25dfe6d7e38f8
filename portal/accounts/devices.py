"""A browser's name in words, for people who check where they are signed in."""

from __future__ import annotations

# In the order to ask: Edge also says Chrome, Chrome also says Safari, Android also says Linux.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "UCBrowser": "UC Browser",
    "FxiOS": "Firefox",
    "Firefox/": "Firefox",
    "CriOS": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
HAND_HELD = {"iPhone", "iPad", "Android"}


def browser(user_agent: str) -> str:
    """`Chrome`; empty when we do not know it."""
    return next((name for mark, name in BROWSERS.items() if mark in user_agent), "")


def system(user_agent: str) -> str:
    """`Android`; empty when we do not know it."""
    return next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")


def is_hand_held(user_agent: str) -> bool:
    """Whether this looks like a phone or a tablet."""
    return system(user_agent) in HAND_HELD
