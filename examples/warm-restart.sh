#!/bin/sh
# Restarts the memcached of the sessions warm, or starts it where none runs. As root: warm-restart.sh -u memcache
set -eu
memory='/dev/shm/memcached-sessions'
pid=$(cat "$memory.pid" 2>/dev/null || true)

is_there() { # and is not another program that has its number by now
  case $(readlink "/proc/$pid/exe") in */memcached*) ;; *) return 1 ;; esac
}

if is_there; then
  kill -USR1 "$pid"
  while is_there; do sleep 0.1; done
  sleep 1.1 # within the second in which it stopped, it would begin empty
fi
exec memcached -d -P "$memory.pid" -l 127.0.0.1 -p 11200 -m 256 -U 0 -e "$memory" "$@"
