#!/usr/bin/env bash
# Run the simulator; every option of Locust can also be given by its environment variable, such as LOCUST_WEB_PORT.
set -euo pipefail

usage() {
  cat >&2 <<'USAGE'
usage: run_tests.sh MODE [users] [spawn_rate] [runtime] [host] [master_host]

modes:
  ui                  web UI on http://127.0.0.1:8089
  headless            no UI; reports as HTML and CSV in reports/ beside this script
  distributed-master  web UI as above, for the workers that connect
  distributed-worker  does what its master says; start one for each core

users        how many users to start; left out or '', the shape of config.yaml decides
spawn_rate   users started a second (1)
runtime      such as 90s or 5m; left out or '', until Ctrl-C
host         base URL; left out or '', that of PRODUCT_SERVICE_URL, or else of config.yaml
master_host  the address on which a master listens for workers, or at which a worker finds its master (127.0.0.1)
USAGE
  echo "run_tests.sh: $1" >&2
  exit 1
}

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
mode=${1:-}
users=${2:-}
spawn_rate=${3:-}
runtime=${4:-}
host=${5:-}
master_host=${6:-127.0.0.1}
(($# <= 6)) || usage "$# arguments, wanted 6 at most; put one with spaces in quotes"

options=(--locustfile "$here/locustfile.py")
[[ -z $users ]] || options+=(--users "$users")
[[ -z $spawn_rate ]] || options+=(--spawn-rate "$spawn_rate")
[[ -z $runtime ]] || options+=(--run-time "$runtime")
[[ -z $host ]] || options+=(--host "$host")
# Whoever reaches the web UI can send load anywhere, so it is for this machine only, unless somebody says otherwise.
export LOCUST_WEB_HOST=${LOCUST_WEB_HOST:-127.0.0.1}

case $mode in
  ui) ;;
  headless)
    reports=${SIMULATOR_REPORTS:-$here/reports}
    mkdir -p "$reports"
    options+=(--headless --only-summary --html "$reports/simulation.html" --csv "$reports/simulation")
    ;;
  distributed-master) options+=(--master --master-bind-host "$master_host") ;;
  distributed-worker) options+=(--worker --master-host "$master_host") ;;
  '') usage "which MODE?" ;;
  *) usage "'$mode' is no MODE" ;;
esac
command -v locust >/dev/null || {
  echo "run_tests.sh: locust is not on the PATH; in the repository's root: pip install --editable ." >&2
  exit 1
}
exec locust "${options[@]}"
