#!/bin/sh
# Checks a GPU against the CPU and measures it beside PyTorch, in under 9 minutes, from a bundle made --with-tests.
# Every section has its time limit; one that fails is reported and stops no other. Where OUT names a folder, what was
# printed goes there too, a file a section. DEVICE=cpu SIZE=tiny tries the script where no GPU is;
# DYR_JAVA_OPTIONS=-Ddyr.cuda.emulator=FOLDER SIZE=tiny takes the emulated one.
set -u
here=$(cd -P "$(dirname "$0")" && pwd)
dyr=$here/../dyr
[ -x "$dyr" ] || dyr=$here/../../dyr # in a checkout
device=${DEVICE:-cuda}
size=${SIZE:-full}
if [ "$size" = tiny ]; then
  works="train:2x16 train:4x16 infer:4x16"
  group=2
else
  group=8
  own=$here/medquad-lengths.txt # 72 groups of 8
  works="train:8x512 train:576x512 train:$own infer:512x128 infer:512x512 infer:$own"
fi

info() {
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,memory.total,driver_version,clocks.sm,clocks.max.sm,power.limit --format=csv,noheader
  fi
  "$dyr" info --device "$device" --peak
}

# The op table, forward and gradient, in three types, against the plain loops in double.
parity() {
  case $device in
    cuda) class=CudaParityTest ;;
    *) class=FusionTest ;;
  esac
  [ "$size" = full ] || export DYR_JAVA_OPTIONS="${DYR_JAVA_OPTIONS:-} -Ddyr.tests.only=Add"
  "$dyr" --junit execute --select-class "org.dyr.tests.$class" --disable-banner --disable-ansi-colors \
    --details=summary --fail-if-no-tests >"$OUT/parity-all.txt" 2>&1
  code=$?
  grep -E 'JUnit Jupiter:|=> ' "$OUT/parity-all.txt" | cut -c 1-180 | head -n 40
  grep -E 'tests (found|successful|failed|aborted)' "$OUT/parity-all.txt" || tail -n 5 "$OUT/parity-all.txt"
  if grep -q ' 0 tests successful' "$OUT/parity-all.txt"; then code=1; fi
  return $code
}

# A model as config.json: layers, hidden size, heads, vocabulary. With the 0.02 of large pretrained models a
# small one's scores stay equal for all of twenty steps.
model() {
  printf '{"model_type": "bert", "num_hidden_layers": %d, "hidden_size": %d, "num_attention_heads": %d,' "$1" "$2" "$3"
  printf ' "vocab_size": %d, "intermediate_size": %d, "max_position_embeddings": 512,' "$4" $((4 * $2))
  printf ' "initializer_range": 0.06}\n'
}

# Twenty steps with dropout on texts of random words, with the same seed on both devices, and again on the device.
steps() {
  cd "$work" || return
  if [ "$size" = full ]; then model 4 256 4 205 >model.json; else model 2 64 1 205 >model.json; fi
  awk 'BEGIN { print "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]"; for (i = 0; i < 200; i++) print "w" i }' >vocab.txt
  awk 'function words(n,   s) { for (s = ""; n > 0; n--) s = s " w" int(200 * rand()); return "\"" s "\"" }
    BEGIN { srand(1); for (i = 0; i < 160; i++) {
      negatives = words(20); for (j = 1; j < 7; j++) negatives = negatives ", " words(5 + int(40 * rand()))
      printf "{\"query\": %s, \"pos\": [%s], \"neg\": [%s]}\n", words(4), words(30), negatives } }' >groups.jsonl
  printf '%s\n' 'groups: groups.jsonl' 'vocab: vocab.txt' 'model_config: model.json' 'max_steps: 20' 'dropout: 0.1' \
    'max_length: 64' 'max_query_length: 16' 'token_budget: 1024' 'optimizer.learning_rate: 2e-3' >run.yaml
  echo "| 20 steps | loss differs by (relative) | gradient norm by | last loss on cpu | on $device | repeats |"
  echo '|---|---:|---:|---:|---:|---|'
  code=0
  for compute in fp32 bf16; do
    for run in cpu device again; do
      on=$device
      [ $run != cpu ] || on=cpu
      if ! "$dyr" train --config run.yaml --compute $compute --device "$on" --set out=$run-$compute >log.txt 2>&1; then
        echo "$compute on $on: $(tail -n 1 log.txt)"
        code=1
        continue 2
      fi
      sed 's/.*"loss":\([^,]*\),.*"grad_norm":\([^,]*\),.*/\1 \2/' $run-$compute/metrics.jsonl >$run.txt
    done
    repeats=yes
    cmp -s device.txt again.txt || repeats=NO
    paste -d ' ' cpu.txt device.txt | awk -v compute=$compute -v repeats=$repeats '
      function off(a, b,   d) { d = a - b; return (d < 0 ? -d : d) / (a < 0 ? -a : a) }
      { l = off($1, $3); g = off($2, $4); if (l > loss) loss = l; if (g > norm) norm = g; cpu = $1; device = $3 }
      END { printf "| %s | %.1e | %.1e | %.5f | %.5f | %s |\n", compute, loss, norm, cpu, device, repeats }'
  done
  return $code
}

# A training step (forward, backward, clip, Lamb) or a batch of inference of BERT-base in bf16.
speed() {
  if [ "$size" = full ]; then model 12 768 12 30522 >"$work/base.json"; else model 2 64 1 100 >"$work/base.json"; fi
  echo '| engine | work | compute | ms | tokens/s |'
  echo '|---|---|---|---:|---:|'
  code=0
  for one in $works; do
    mode=${one%%:*}
    shape=${one#*:}
    case $shape in
      */*) set -- --lengths "$shape" ;;
      *) set -- --tokens "$shape" ;;
    esac
    [ "$size" = full ] || set -- "$@" --warm-up 1
    if [ "$mode" = train ]; then budgets="65536 32768 16384 4096"; else budgets=-; fi
    for budget in $budgets; do # the first that fits the memory
      more=
      [ "$budget" = - ] || more="--group $group --token-budget $budget"
      # shellcheck disable=SC2086
      if timeout 60 "$dyr" bench --device "$device" --compute bf16 --mode "$mode" --model-config "$work/base.json" \
        "$@" $more --steps 3 >"$work/bench.txt" 2>&1; then break; fi
      grep -q 'were refused' "$work/bench.txt" || break
    done
    { echo; echo "== $one $more"; cat "$work/bench.txt"; } >>"$OUT/speed-ops.txt"
    # Of "train, 8x512, bf16: 12.3 ms, median of 3 (12.1 to 12.4), 333,000 tokens/s" a row.
    line="^$mode, \(.*\), \(.*\): \([0-9.]*\) ms, .*), \([0-9,]*\) tokens.*"
    if ! sed -n "s/$line/| DYR, $budget | $mode \1 | \2 | \3 | \4 |/p" "$work/bench.txt" | grep .; then
      echo "$one: $(tail -n 1 "$work/bench.txt")"
      code=1
    fi
  done
  return $code
}

peer() {
  if ! python3 -c 'import torch' 2>/dev/null; then
    echo "no PyTorch here: left out"
  elif [ "$size" = tiny ]; then
    python3 "$here/peer.py" --check
  else
    # shellcheck disable=SC2086
    python3 "$here/peer.py" --seconds 95 $works
  fi
}

if [ "${1:-}" = --section ]; then
  "$2"
  exit
fi

OUT=${OUT:-$(mktemp -d)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OUT work DEVICE="$device" SIZE="$size"
for section in info:30 parity:120 steps:90 speed:180 peer:110; do
  name=${section%:*}
  limit=${section#*:}
  echo
  echo "== $name"
  begin=$(date +%s)
  { timeout -k 3 "$limit" "$0" --section "$name" 2>&1; echo $? >"$work/code"; } | grep -v '^WARNING: Using incubator' |
    tee "$OUT/$name.txt"
  code=$(cat "$work/code")
  [ "$code" != 124 ] || code="124: over its limit of $limit s"
  [ "$code" = 0 ] || echo "$name FAILED ($code)" | tee -a "$OUT/$name.txt"
  echo "($name: $(($(date +%s) - begin)) s)"
done
echo
echo "all of it is in $OUT"
