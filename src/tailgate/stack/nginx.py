"""nginx as the load balancer in front of the instances of a service."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from tailgate.errors import TailgateError
from tailgate.stack.accounts import reachable
from tailgate.stack.nginx_log import NginxLog
from tailgate.stack.probes import http_answers
from tailgate.stack.process import Process
from tailgate.stack.sandbox import Sandbox
from tailgate.stack.wheels import nginx_program

TEMPLATE = Path(__file__).with_name("nginx.conf")
"""The configuration that is used unless another is given."""
# Whoever is not root may have as many open files as the hard limit says, but no configuration can ask for just that.
_WITH_ALL_FILES = 'ulimit -S -n "$(ulimit -H -n)"; exec "$@"'
_PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z_]*)\}")


class Nginx(Process, NginxLog):
    """nginx on a port of 127.0.0.1 in front of ``upstreams``; it never repeats a request that could change something.

    As root it runs as `nobody`, from a copy of the program if that account cannot reach it.

    Args:
        sandbox: Where it lives.
        upstreams: Instances of one service, each with a port; nginx is asked whether it is ready after them.
        name: Unique in its sandbox.
        health_path: A path that a ready service answers with 200.
        template: Configuration with the placeholders that ``nginx.conf`` in this package explains.
        workers: Worker processes. With more than one, the access log may lack the last moment's lines.

    Attributes:
        url: Where the service is reached, without a slash at the end.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        upstreams: Sequence[Process],
        *,
        name: str = "nginx",
        health_path: str = "/",
        template: Path = TEMPLATE,
        workers: int = 1,
    ) -> None:
        port = sandbox.port()
        self.url = f"http://127.0.0.1:{port}"
        folder = sandbox.folder(name, account=sandbox.account)
        self._access_log = folder / "access.log"
        configuration = sandbox.directory / f"{name}.conf"
        values = {
            "NGINX_LISTEN": f"127.0.0.1:{port}",
            "NGINX_UPSTREAMS": " ".join(f"server {one.address} max_fails=1 fail_timeout=1s;" for one in upstreams),
            "NGINX_WORKERS": str(workers),
            "NGINX_DIRECTORY": str(folder),
        }
        configuration.write_text(render_template(template.read_text(encoding="utf-8"), values), encoding="utf-8")
        configuration.chmod(0o644)
        program = nginx_program()
        programs = reachable(
            program.parent, [program.name], account=sandbox.account, copy_to=sandbox.directory / f"{name}-programs"
        )
        super().__init__(
            sandbox,
            name,
            [
                *("/bin/sh", "-c", _WITH_ALL_FILES, "sh"),
                *(str(programs / program.name), "-p", str(folder), "-c", str(configuration)),
                *("-e", "stderr", "-g", "daemon off;"),
            ],
            port=port,
            ready=http_answers(self.url + health_path),
            after=upstreams,
            account=sandbox.account,
        )

    def _log_size(self) -> int:
        return self._access_log.stat().st_size

    def _read_log(self, since: int) -> bytes:
        with self._access_log.open("rb") as file:
            file.seek(since)
            return file.read()

    def _read_messages(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _reopen_log(self) -> None:
        self.send_signal(signal.SIGUSR1)


def render_template(template: str, values: Mapping[str, str]) -> str:
    """Fill in ``${NAME}`` for names in capitals, as envsubst does; everything else is nginx's.

    Raises:
        TailgateError: The template asks for a name that is not in ``values``.
    """
    if unknown := sorted(set(_PLACEHOLDER.findall(template)) - set(values)):
        raise TailgateError(f"nginx template: no value for {', '.join(unknown)}; known are {', '.join(sorted(values))}")
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)
