"""The Chromium that pages are opened in, if there is one."""

import shutil

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
NONE = "no Chromium is installed (`make services` does, as root on Debian): the pages are not opened in one"
LONGEST_MS = 30_000
