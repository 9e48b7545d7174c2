#!/bin/sh
# Stands in for the measuring process on a GPU that computes wrongly.
echo '{"progress":{"stage":"matrix_product","done":0.5}}'
echo '{"failure":{"wrong_result":{"kernel":"matrix product","place":7,"value":1.5,"result":null}}}'
