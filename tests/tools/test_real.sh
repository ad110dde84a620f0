#!/usr/bin/env bash
# Runs the tests marked `real`, if the data they need is on this machine.
# usage: test_real.sh PYTHON GET_MODEL; reads MLRECIPE_TEST_DATA and MLRECIPE_TEST_MODEL
set -euo pipefail
python=$1 get_model=$2

if [ ! -d "$MLRECIPE_TEST_DATA" ]; then
  echo "test-real: no folder $MLRECIPE_TEST_DATA, nothing to test"
  exit 0
fi
if [ -x "$get_model" ] && [ ! -f "$MLRECIPE_TEST_MODEL/model.safetensors" ]; then
  "$get_model" "$MLRECIPE_TEST_MODEL" || echo "test-real: no model, its tests will be skipped"
fi

status=0
"$python" -m pytest -q -m 'real and not bench' --timeout 900 -n 2 --dist loadfile || status=$?
if [ "$status" -eq 5 ]; then # pytest found no such test
  echo "test-real: no test is marked real"
  exit 0
fi
exit "$status"
