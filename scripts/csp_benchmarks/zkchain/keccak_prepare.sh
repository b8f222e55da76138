#!/usr/bin/env bash
exec "$(dirname "$0")/_run.sh" prepare keccak
