#!/bin/sh
# What Locust's Kubernetes operator calls "locust": with --master it is pytest, with --worker a worker of tailgate.
set -eu

role=$1
shift
case $role in
  --master)
    exec pytest -m perf --perf-stack="$PERF_STACK" --perf-workers-expect="$PERF_WORKERS" --perf-bind=0.0.0.0:5557 \
      --perf-workers-timeout=300 "$@"
    ;;
  --worker)
    shift # --master-host
    exec tailgate worker --master "$1:5557"
    ;;
  *)
    echo "operator-entrypoint.sh: $role, wanted --master or --worker" >&2
    exit 2
    ;;
esac
