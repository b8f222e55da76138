#!/usr/bin/env bash
exec "$(dirname "$0")/zkchain/_run.sh" utils "$@"
