#!/bin/sh
# Stands in for the agent's child process when a driver crashes in it.
echo "driver: assertion failed" >&2
kill -s SEGV $$
