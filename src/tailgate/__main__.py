"""``python -m tailgate``: the command ``tailgate``, where its script is not on the path."""

from __future__ import annotations

import sys

from tailgate.cli import main

if __name__ == "__main__":
    sys.exit(main())
