#!/usr/bin/env bash
# Mutation check: makes one plausible mistake at a time in a copy of the sources (a sign, a bound, a term or a statement
# dropped, a comparison flipped, a constant changed) and lists the mistakes that the tests do not notice. Run by hand.
#   tests/mutate.sh [FILE…]               all mutants of these files; default: the backward passes, against the op rows
#   tests/mutate.sh --sample N [FILE…]    N mutants drawn from these files; default: everything outside the engine
#     --seed S     of the draw (default 1): the same seed draws the same mutants of the same sources
#     --list       prints what would be tried, and stops
#     --here       in this working copy, whose build/dev is used; a mutant's file is restored. Default: in build/mutate
# Exit code 1 if fewer than 90 % are noticed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sample='' seed=1 list='' here='' files=()
while [ $# -gt 0 ]; do
  case $1 in
    --sample) sample=$2 && shift 2 ;;
    --seed) seed=$2 && shift 2 ;;
    --list) list=1 && shift ;;
    --here) here=1 && shift ;;
    *) files+=("$1") && shift ;;
  esac
done
if [ ${#files[@]} -eq 0 ]; then
  if [ -n "$sample" ]; then
    mapfile -t files < <(git ls-files 'seminar/*.cpp' 'pq/*.cpp' 'apps/*.cpp' 'seminar/*.h' |
      grep -v -E '^apps/(bench|embed|tour)/|^apps/commands/(bench|demo|scaling)|_mpi.cpp$|^seminar/studies/')
  else
    mapfile -t files < <(git ls-files 'autograd/ops_*.cpp' nn/clip_loss.cpp nn/weighted_gather.cpp \
      tensor/unary_functions.h 'tensor/kernels/*.h')
  fi
fi

# The test programs that must notice a mistake in a file, the quickest first.
tests_of() {
  case $1 in
    autograd/* | nn/* | tensor/*) echo engine_tests_f64 ;;
    pq/*) echo pq_tests retrieval_tests ;;
    seminar/runtime/*) echo runtime_tests rank_tests serve_tests ;;
    seminar/settings*) echo cli_tests model_tests ;;
    seminar/export*) echo runtime_tests rank_tests ;;
    seminar/data/batch*) echo data_tests model_tests baselines_tests ;;
    seminar/data/*) echo data_tests ;;
    seminar/model/*) echo model_tests baselines_tests ;;
    seminar/clip/*) echo clip_tests ;;
    seminar/baselines/*) echo baselines_tests ;;
    seminar/retrieval/*) echo retrieval_tests ;;
    seminar/evaluation/*) echo evaluation_tests cli_tests ;;
    seminar/training/*) echo training_tests model_tests ;;
    seminar/distributed/*) echo training_tests mpi_tests ;;
    seminar/studies/*) echo studies_tests ;;
    apps/serve/*) echo rank_tests serve_tests ;;
    apps/pages/chart* | apps/pages/report*) echo pages_tests ;;
    apps/*) echo cli_tests ;;
    *) return 1 ;;
  esac
}
mode_of() { case $1 in autograd/* | nn/* | tensor/*) echo --backward ;; esac }

# All mutants as FILE<TAB>LINE<TAB>WHAT<TAB>TEXT, or `sample` of them, each as likely as any other, in the files' order.
mutants() {
  for file in "${files[@]}"; do
    perl tests/mutants.pl $(mode_of "$file") "$file" | awk -v f="$file" '{ print f "\t" $0 }'
  done | if [ -n "$sample" ]; then
    perl -e 'my ($n, $seed) = @ARGV; srand $seed; my @all = <STDIN>; my @at = 0 .. $#all;
      for my $i (0 .. $#at) { my $j = $i + int rand(@at - $i); @at[$i, $j] = @at[$j, $i] }
      splice @at, $n if @at > $n;
      print $all[$_] for sort { $a <=> $b } @at' "$sample" "$seed"
  else cat; fi
}
mapfile -t chosen < <(mutants)
if [ -n "$list" ]; then
  printf '%s\n' "${chosen[@]}"
  exit
fi

work=$PWD
if [ -z "$here" ]; then
  work=$PWD/build/mutate
  mkdir -p "$work"
  git ls-files -z | xargs -0 cp -u --parents -t "$work"
fi
cd "$work"
cmake --preset dev -DSEMINAR_TESTS=ON -DSEMINAR_MPI=ON >/dev/null
log=$work/build/dev/mutate.log original=$work/build/dev/mutate.original

# Whether these programs build and pass; 2 if they do not build.
passes() {
  cmake --build build/dev --target "$@" >"$log" 2>&1 || return 2
  local program under only
  for program in "$@"; do
    under=() only=()
    [ "$program" != engine_tests_f64 ] || only=(--test-suite="op rows")
    [ "$program" != mpi_tests ] || under=(env OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
      mpirun --oversubscribe -np 2)
    SEMINAR_ISA=avx2 OMP_WAIT_POLICY=passive timeout 300 "${under[@]}" "build/dev/bin/$program" --abort-after=1 "${only[@]}" \
      >"$log" 2>&1 || return 1
  done
}

# What fails without any mutant would notice all of them.
declare -A sound
for mutant in "${chosen[@]}"; do
  for program in $(tests_of "${mutant%%$'\t'*}"); do
    [ -z "${sound[$program]:-}" ] || continue
    passes "$program" || { echo "mutate.sh: $program fails without a mutant: see $log"; exit 2; }
    sound[$program]=1
  done
done

file=
restore() { [ -z "$file" ] || cp "$original" "$file"; }
trap restore EXIT
killed=0 invalid=0 survivors=()
for mutant in "${chosen[@]}"; do
  IFS=$'\t' read -r file line what text <<<"$mutant"
  cp "$file" "$original"
  text=$text awk -v n="$line" 'NR == n { print ENVIRON["text"]; next } { print }' "$original" >"$file"
  code=0
  # shellcheck disable=SC2046  # one word for each program
  passes $(tests_of "$file") 2>>"$log" || code=$?
  case $code in
    0) survivors+=("$file:$line: $what:$text") && echo "survived: ${survivors[-1]}" ;;
    1) killed=$((killed + 1)) ;;
    *) invalid=$((invalid + 1)) ;;
  esac
  restore
done
tried=$((killed + ${#survivors[@]}))
echo "$tried mutants, $killed noticed, ${#survivors[@]} survived; $invalid more did not compile"
[ $((10 * killed)) -ge $((9 * tried)) ]
