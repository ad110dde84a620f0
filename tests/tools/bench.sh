#!/usr/bin/env bash
# Runs the benchmarks that need real data and a real model, if those are on this machine.
# usage: bench.sh PYTHON GET_MODEL; reads MLRECIPE_TEST_DATA and MLRECIPE_TEST_MODEL
set -euo pipefail
python=$1 get_model=$2

if [ -x "$get_model" ] && [ ! -f "$MLRECIPE_TEST_MODEL/model.safetensors" ]; then
  "$get_model" "$MLRECIPE_TEST_MODEL"
fi
if [ ! -d "$MLRECIPE_TEST_DATA/imdb" ] || [ ! -d "$MLRECIPE_TEST_MODEL" ]; then
  echo "bench: no data or no model here; left out: tokenize, reference, glue, predict, startup, throughput, cora, parts, align,"
  echo "  tagging, evaluation, recipes"
  exit 0
fi
for length in 128 256; do
  "$python" -m tests.benchmarks.tokenize --data "$MLRECIPE_TEST_DATA/imdb" --tokenizer "$MLRECIPE_TEST_MODEL" --max-length "$length"
done
export GOMP_SPINCOUNT=10000 # as the command line sets it
for part in losses seeds; do
  "$python" -m tests.benchmarks.reference --data "$MLRECIPE_TEST_DATA/imdb" --model "$MLRECIPE_TEST_MODEL" --part "$part"
done
glue=$MLRECIPE_TEST_DATA/glue
for task in rte mrpc cola stsb; do
  for part in losses seeds; do
    "$python" -m tests.benchmarks.glue "$task" --data "$glue" --model "$MLRECIPE_TEST_MODEL" --part "$part"
  done
done
"$python" -m tests.benchmarks.predict --data "$MLRECIPE_TEST_DATA/imdb" --model "$MLRECIPE_TEST_MODEL"
"$python" -m tests.benchmarks.startup --model "$MLRECIPE_TEST_MODEL"
for threads in 1 0; do
  "$python" -m tests.benchmarks.throughput sst2 --data "$glue/SST-2" --model "$MLRECIPE_TEST_MODEL" --threads "$threads"
  "$python" -m tests.benchmarks.throughput imdb --data "$MLRECIPE_TEST_DATA/imdb" --model "$MLRECIPE_TEST_MODEL" --threads "$threads"
done
for times in 2 4 8; do
  "$python" -m tests.benchmarks.throughput sst2 --data "$glue/SST-2" --model "$MLRECIPE_TEST_MODEL" --only mlrecipe --times "$times"
done
"$python" -m tests.benchmarks.cora --data "$MLRECIPE_TEST_DATA/cora_refs" --model "$MLRECIPE_TEST_MODEL"
"$python" -m tests.benchmarks.parts --model "$MLRECIPE_TEST_MODEL"
"$python" -m tests.benchmarks.align --data "$MLRECIPE_TEST_DATA/conll2003" --tokenizer "$MLRECIPE_TEST_MODEL"
for part in losses seeds; do
  "$python" -m tests.benchmarks.tagging --data "$MLRECIPE_TEST_DATA/conll2003/iob2" --model "$MLRECIPE_TEST_MODEL" --part "$part"
done
"$python" -m tests.benchmarks.evaluation --data "$MLRECIPE_TEST_DATA/imdb" --model "$MLRECIPE_TEST_MODEL"
"$python" -m tests.benchmarks.recipes --data "$MLRECIPE_TEST_DATA" --model "$MLRECIPE_TEST_MODEL"
