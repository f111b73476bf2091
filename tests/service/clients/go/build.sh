#!/bin/sh
# Builds the client into the file of this absolute path. It runs for a second, so what the compiler saves counts: half of the time.
cd "$(dirname "$0")" && CGO_ENABLED=0 exec go build -gcflags='all=-N -l' -ldflags='-s -w' -o "$1" .
