"""Building blocks for a stack that lives as long as a test session, and not a moment longer."""

from tailgate.stack.access_log import AccessLogEntry
from tailgate.stack.compose import ComposeProject
from tailgate.stack.containers import Container, NginxContainer, PostgresContainer
from tailgate.stack.members import Database, LoadBalancer, Member
from tailgate.stack.nginx import Nginx
from tailgate.stack.postgres import Postgres
from tailgate.stack.probes import Probe, http_answers, tcp_accepts
from tailgate.stack.process import Process, wait_all_ready, wait_answers
from tailgate.stack.sandbox import Sandbox
from tailgate.stack.stack import Stack

__all__ = [
    "AccessLogEntry",
    "ComposeProject",
    "Container",
    "Database",
    "LoadBalancer",
    "Member",
    "Nginx",
    "NginxContainer",
    "Postgres",
    "PostgresContainer",
    "Probe",
    "Process",
    "Sandbox",
    "Stack",
    "http_answers",
    "tcp_accepts",
    "wait_all_ready",
    "wait_answers",
]
