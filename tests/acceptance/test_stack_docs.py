"""The example in docs/stack.md, run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SHOP = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

assert os.environ["SHOP_DATABASE_URL"].startswith("postgresql://postgres:")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

HTTPServer(("127.0.0.1", int(os.environ["SHOP_PORT"])), Handler).serve_forever()
"""


def test_the_example_of_another_team_works(tmp_path):
    page = (ROOT / "docs" / "stack.md").read_text()
    files = dict(re.findall(r"<!-- (\w+\.py) -->\n```python\n(.*?)```", page, flags=re.DOTALL))
    assert set(files) == {"conftest.py", "test_shop.py"}
    for name, text in {**files, "shop.py": SHOP, "pytest.ini": "[pytest]\n"}.items():
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(ROOT / "src"), str(tmp_path)])
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 passed")
