"""What the image of the product service is built by."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "product_service" / "Dockerfile"

PIP = """#!/bin/sh
case "$*" in
*" --group service") [ -e new-pip ] || { echo "no such option: --group" >&2; exit 2; } ;;
*" pip>=25.1") touch new-pip ;;
esac
"""


def test_a_pip_that_does_not_know_groups_yet_is_brought_up_to_date(tmp_path):
    (install,) = re.findall(r"^RUN (pip (?:.*\\\n)*.*)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    pip = tmp_path / "pip"
    pip.write_text(PIP)
    pip.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["/bin/sh", "-ec", install], cwd=tmp_path, env={"PATH": path}, check=True, timeout=20)
