#!/bin/sh
# Stands in for the agent's child process when a driver fills its output without end.
exec yes "a line that tells nothing"
