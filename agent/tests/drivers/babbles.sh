#!/bin/sh
# Stands in for the agent's child process when a driver writes into its answer.
echo '[{"id":"vulkan-0000:65:00.0","name":"half an ans'
