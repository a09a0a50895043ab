"""The browser of the user, opened at an address."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser


def open_in_browser(url: str) -> bool:
    """Open an address in a browser, while this program goes on.

    Args:
        url: The address.

    Returns:
        Whether a browser with a window was found; a text browser would take the terminal of this program.
    """
    named = bool(os.environ.get("BROWSER"))
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not (named or screen):
        return False
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    # A browser that is started may keep its caller until it is closed.
    threading.Thread(target=found.open, args=(url,), daemon=True).start()
    return True
