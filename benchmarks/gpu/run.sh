#!/bin/sh
# Checks a GPU against the CPU and measures it beside PyTorch, in under 9 minutes, from a bundle made --with-tests. A
# section that fails or is over its limit stops no other, but for the first. README.md has what is printed; the whole of
# it is left in the folder OUT. SIZE=tiny tries the script: with DEVICE=cpu where no GPU is, or with
# DYR_JAVA_OPTIONS=-Ddyr.cuda.emulator=FOLDER on the emulated one. SECTIONS='parity speed' takes these sections only.
set -u
unset CDPATH # with it, cd prints where it went
here=$(cd -P "$(dirname "$0")" && pwd)
self=$here/$(basename "$0")
dyr=$here/../dyr
if ! [ -x "$dyr" ] || ! [ -d "$here/../tests" ]; then
  echo "run.sh: runs in the unpacked archive that dyr bundle --with-tests makes" >&2
  exit 2
fi
device=${DEVICE:-cuda}
size=${SIZE:-full}
java=${DYR_JAVA_OPTIONS--XX:+UseSerialGC}
medquad=$here/medquad-lengths.txt # 72 groups of 8; its word in a list of works is medquad
engine=DYR
emulated=false
case "$java ${JAVA_TOOL_OPTIONS:-}" in
  *-Ddyr.cuda.emulator=*) [ "$device" != cuda ] || { engine='DYR, emulated'; emulated=true; } ;;
esac
if [ "$size" = tiny ]; then
  works='train:4x16 infer:4x16'
  group=2
  budgets='64 32'
  timed='--warm-up 1 --steps 1'
  patience=10
else
  works='train:128x512 train:512x128 train:576x512 train:medquad infer:512x128 infer:512x512 infer:medquad'
  group=8
  budgets='131072 65536 32768 16384'
  timed='--warm-up 3 --steps 3'
  patience=1
fi

# Runs a command for at most so many seconds and not beyond the section's end: limited SECONDS FILE COMMAND... What it
# prints goes to the file; nothing that it started lives on.
limited() {
  seconds=$(($1 * patience)) left=$((ends - $(date +%s))) file=$2
  shift 2
  [ "$left" -ge "$seconds" ] || seconds=$left
  if [ "$seconds" -lt 2 ]; then
    echo "$over" >"$file"
    return 124
  fi
  timeout -k 2 "$seconds" "$@" >"$file" 2>&1
  status=$?
  case $status in
    124 | 137) echo "over its limit of $seconds s" >>"$file" ;;
  esac
  return $status
}
over='left out, the time is over'
refused='were refused|OUT_OF_MEMORY|ALLOC_FAILED' # for want of memory: by us, the driver, cuBLASLt

# Why the command failed that wrote this file: of a crash the signal and the place, else the last line.
reason() {
  if grep -q '^# .*SIG[A-Z]* (' "$1"; then
    sed -n 's/^# *\(SIG[A-Z]* (.*\)/\1/p; s/^# \([CVvjJ]  *\[.*\)/\1/p' "$1" | paste -s -d ' ' -
  else
    grep -v -E '^(WARNING: Using incubator|Picked up |$)' "$1" | tail -n 1
  fi | cut -c 1-300
}

# Of a summary of JUnit's: "12 tests successful,0 tests failed".
counts() {
  sed -n 's/^\[ *\([0-9]* tests [sfa][uab].*[a-z]\) *\]$/\1/p' "$1" | paste -s -d , -
}

info() {
  [ $emulated = false ] || echo 'THE CARD IS EMULATED: times, rates and peaks mean nothing'
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,memory.total,driver_version,clocks.sm,clocks.max.sm,power.limit --format=csv,noheader
  fi
  "$dyr" info --device "$device" --peak && return
  ! "$dyr" info --device "$device" >/dev/null 2>&1 || return 3 # it opens: the rest may work
  echo "LD_LIBRARY_PATH was '${LD_LIBRARY_PATH:-}'; what there is:"
  limited 10 "$work/found" find / -xdev \( -name 'libcuda.so.1' -o -name 'libcublasLt.so.*' \)
  grep '^/' "$work/found" | head -n 8
  return 1
}

# How products are chosen, programs, training steps, and what only a real card shows: last, since it fills the memory.
card() {
  if [ "$device" != cuda ]; then
    echo 'no card here: left out'
    return
  fi
  set -- kernels.cuda.ProductsTest:20 tests.CudaProgramTest:20 tests.endtoend.CudaTrainingTest:40
  [ $emulated = true ] || set -- "$@" tests.endtoend.CudaCardTest:30
  code=0
  for class in "$@"; do
    said=$work/card-${class%:*}
    name=${class%:*}
    if junit "${class#*:}" "$said" "${name##*.}" "$name"; then echo "${name##*.}: $(counts "$said")"; else code=1; fi
  done
  cat "$work"/card-* >"$OUT/card-all.txt"
  return $code
}

# The ops of the table, as regular expressions of their names and types: a process for some ops each, since after a
# fault on the card a process has no card any more, and of those that take longest one for each type. The longest first.
ops() {
  if [ "$device" != cuda ]; then
    echo .
  elif [ "$size" = tiny ] && [ "${OPS:-}" != all ]; then
    printf '%s\n' Add LayerNorm
  else
    printf '%s\n' '[O-R].*:F32' 'At(?!.*Grad)' 'At.*Grad.*:F32' 'At.*Grad.*:BF16' 'At.*Grad.*:F16' '[O-R].*:BF16' \
      '[O-R].*:F16' 'A[^t]' '[B-F]' G '[H-N]' '[S-Z]'
  fi
}

# Of files of JUnit's summaries: "5445 tests: 5445 successful, ...".
total() {
  cat "$@" | awk '/tests (found|successful|failed|aborted)/ { sum[$4] += $2 }
    END { printf "%d tests: %d successful, %d failed, %d aborted\n",
      sum["found"], sum["successful"], sum["failed"], sum["aborted"] }'
}

# The op table, forward and gradient, in three types, against the plain loops in double.
parity() {
  at_once=$(($(nproc) / 4))
  [ $at_once -ge 1 ] || at_once=1
  ops | xargs -P $at_once -I {} "$self" --section parity_of {} || code=1
  cat "$work"/parity-* >"$OUT/parity-all.txt"
  total "$OUT/parity-all.txt"
  return "${code:-0}"
}

parity_of() {
  case $device in
    cuda) class=CudaParityTest ;;
    *) class=FusionTest ;;
  esac
  export DYR_JAVA_OPTIONS="$java -Ddyr.tests.only=$1"
  junit 60 "$work/parity-$(printf %s "$1" | tr -c '[:alnum:]' _)" "ops $1" tests.$class
}

# Runs a class of tests and says what failed: junit SECONDS FILE NAME CLASS.
junit() {
  limited "$1" "$2" "$dyr" --junit execute --select-class "org.dyr.$4" --disable-banner --disable-ansi-colors \
    --details=summary --fail-if-no-tests && ! grep -q ' 0 tests successful' "$2" && return
  if grep -q 'tests successful' "$2"; then
    echo "$3: $(counts "$2")"
    grep -E 'JUnit Jupiter:|=> ' "$2" | cut -c 1-180 | head -n 8
  else
    echo "$3: $(reason "$2")"
  fi
  return 1
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
  echo "| 20 steps | loss differs by, of the first | gradient norm by | last loss on cpu | on $device | repeats |"
  echo '|---|---:|---:|---:|---:|---|'
  code=0
  for compute in fp32 bf16; do
    for run in cpu device again; do
      on=$device
      [ $run != cpu ] || on=cpu
      if ! twenty --compute $compute --device "$on" --set out=$run-$compute; then
        echo "$compute on $on: $(reason log.txt)"
        if [ $run != cpu ] && ! twenty --compute $compute --device "$on" --set out=waited-$compute --sync; then
          echo "waited for: $(reason log.txt)"
        fi
        code=1
        continue 2
      fi
      sed 's/.*"loss":\([^,]*\),.*"grad_norm":\([^,]*\),.*/\1 \2/' $run-$compute/metrics.jsonl >$run.txt
    done
    repeats=yes
    cmp -s device.txt again.txt || { repeats=NO; code=1; }
    # Roundings of bf16 that differ lead to weights that differ; those of fp32 hardly do.
    case $compute in fp32) most=0.001 ;; *) most=0.1 ;; esac
    paste -d ' ' cpu.txt device.txt | awk -v compute=$compute -v repeats=$repeats -v most=$most '
      function off(a, b, first,   d) { d = (a - b) / first; return d < 0 ? -d : d }
      NR == 1 { loss1 = $1; norm1 = $2 }
      { l = off($1, $3, loss1); g = off($2, $4, norm1); if (l > loss) loss = l; if (g > norm) norm = g }
      { cpu = $1; device = $3 }
      END { printf "| %s | %.1e | %.1e | %.5f | %.5f | %s |\n", compute, loss, norm, cpu, device, repeats
        exit !(loss <= most) }' || { echo "$compute: the loss differs by more than $most of the first"; code=1; }
  done
  return $code
}

twenty() {
  limited 25 log.txt "$dyr" train --config run.yaml "$@"
}

# A training step (forward, backward, clip, Lamb) or a batch of inference of BERT-base in bf16, with dropout 0.1.
speed() {
  if [ "$size" = full ]; then model 12 768 12 30522 >"$work/base.json"; else model 2 64 1 100 >"$work/base.json"; fi
  echo '| engine, tokens of a micro-batch | work | compute | ms | tokens/s |'
  echo '|---|---|---|---:|---:|'
  code=0
  waited=false
  for work_of_row in $works; do
    mode=${work_of_row%%:*}
    shape=${work_of_row#*:}
    set -- --mode "$mode"
    case $shape in
      medquad) set -- "$@" --lengths "$medquad" ;;
      *) set -- "$@" --tokens "$shape" ;;
    esac
    if [ "$mode" = infer ]; then
      row - "$@" || code=1
      continue
    fi
    fits=false
    for budget in $budgets; do # the first that fits the memory
      if row "$budget" "$@" --group $group --token-budget "$budget"; then
        fits=true
        break
      fi
      grep -q -E "$refused" "$work/bench.txt" || break
    done
    [ $fits = true ] || code=1
  done
  return $code
}

# Of "train, 8x512, bf16: 12.3 ms, median of 3 (12.1 to 12.4), 333,000 tokens/s" a row. What fails for another reason
# than memory is tried once more with every kernel waited for, so that the reason names it.
row() {
  name=$mode:$shape budget=$1
  shift
  # shellcheck disable=SC2086
  if bench "$@" $timed; then
    line="^$mode, \(.*\), \(.*\): \([0-9.]*\) ms, .*), \([0-9,]*\) tokens.*"
    sed -n "s/$line/| $engine, $budget | $mode \1 | \2 | \3 | \4 |/p" "$work/bench.txt"
    return 0
  fi
  echo "$name, $budget: $(reason "$work/bench.txt")"
  if [ $waited = false ] && ! grep -q -E "$refused|$over|over its limit" "$work/bench.txt"; then
    waited=true
    bench "$@" --warm-up 0 --steps 1 --sync || echo "waited for: $(reason "$work/bench.txt")"
  fi
  return 1
}

bench() {
  limited 45 "$work/bench.txt" "$dyr" bench --device "$device" --compute bf16 --model-config "$work/base.json" "$@"
  status=$?
  { echo; echo "== $name, $budget"; cat "$work/bench.txt"; } >>"$OUT/speed-ops.txt"
  return $status
}

# Where the time of the first work goes, by op, one after another by the device's clock; of the second, attention's.
profile() {
  for work_of_table in $works; do
    block="== $work_of_table,"
    awk -v block="$block" '/^== / { inside = index($0, block) == 1 } !inside { next }
      /^op / { table = 1 } table && !NF { table = 0 } table && rows++ < 25 || /^matrix products/' "$OUT/speed-ops.txt" |
      tr -s ' ' | if [ "$work_of_table" = "${works%% *}" ]; then cat; else grep ^Attention; fi
    case $work_of_table in *512x128) break ;; esac
  done
}

peer() {
  if ! python3 -c 'import torch' 2>/dev/null; then
    echo 'no PyTorch here: left out'
  elif [ "$size" = tiny ]; then
    python3 "$here/peer.py" --check
  else
    # shellcheck disable=SC2086
    python3 "$here/peer.py" --seconds 70 attention:128x512 attention:512x128 train:576x512 "train:$medquad" \
      infer:512x512 "infer:$medquad" train:512x128
  fi
}

# NVIDIA's checks of memory and of races within a block, over the op table.
sanitizer() {
  if [ "$device" != cuda ] || [ $emulated = true ]; then
    echo 'no card here: left out'
    return
  fi
  tool=$(PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer command -v compute-sanitizer) || {
    echo 'no compute-sanitizer here: left out'
    return
  }
  export tool
  { ops | sed 's/^/racecheck /'; ops | sed 's/^/memcheck /'; } |
    xargs -P $(($(nproc) * 3 / 4 + 1)) -I {} "$self" --section sanitize {} || code=1
  for check in racecheck memcheck; do
    cat "$work/$check"-* >"$OUT/$check-all.txt"
    echo "$check: $(total "$OUT/$check-all.txt"), $(grep -c 'SUMMARY: 0 ' "$OUT/$check-all.txt") processes without errors"
  done
  return "${code:-0}"
}

# Of "racecheck At.*Grad" the tool and the ops.
sanitize() {
  set -- "${1%% *}" "${1#* }"
  said=$work/$1-$(printf %s "$2" | tr -c '[:alnum:]' _)
  DYR_JAVA_OPTIONS="$java -Ddyr.tests.only=$2" limited 160 "$said" "$tool" --tool "$1" --target-processes all \
    "$dyr" --junit execute --select-class org.dyr.tests.CudaParityTest --disable-banner --disable-ansi-colors \
    --details=summary && grep -q 'SUMMARY: 0 ' "$said" && return
  echo "$1 of ops $2: $(reason "$said")"
  grep '^=====' "$said" | grep -i -E 'summary|error|hazard|invalid|not supported' | head -n 4
  return 1
}

if [ "${1:-}" = --section ]; then
  shift
  "$@"
  exit
fi

OUT=${OUT:-$(mktemp -d)}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OUT work DEVICE="$device" SIZE="$size"

# Name, seconds, and the most characters that are printed: 530 seconds and 11,700 characters in all. Without a device
# that opens, as the first has found then, the others cannot run.
all() {
  failed=
  for section in info:25:1800 card:45:800 parity:50:2000 steps:50:900 speed:80:1900 profile:5:2000 \
      peer:100:1500 sanitizer:175:800; do
    name=${section%%:*}
    case " ${SECTIONS:-$name} " in *" $name "*) ;; *) continue ;; esac
    most=${section##*:}
    limit=${section#*:}
    limit=$((${limit%:*} * patience))
    echo
    echo "== $name"
    begin=$(date +%s)
    export ends=$((begin + limit - 3))
    { timeout -k 3 "$limit" "$self" --section "$name" 2>&1; echo $? >"$work/code"; } |
      grep --line-buffered -v -E '^(WARNING: Using incubator|Picked up )' | cut -c 1-300 |
      awk -v most="$most" '{ n += length + 1 } n > most && !cut { cut = 1; print "(and more)" }
        !cut { print } { fflush() }'
    code=$(cat "$work/code")
    [ "$code" != 124 ] || code="124: over its limit of $limit s"
    [ "$code" = 0 ] || { echo "$name FAILED ($code)"; failed="$failed $name"; }
    echo "($name: $(($(date +%s) - begin)) s)"
    [ "$failed" != ' info' ] || [ "$code" = 3 ] || break
  done
  echo
  echo "failed:${failed:- none}; the files are in $OUT"
}
all 2>&1 | tee "$OUT/report.txt"
grep -q '^failed: none;' "$OUT/report.txt"
