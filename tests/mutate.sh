#!/usr/bin/env bash
# Mutation check of the backward passes: flips a sign, drops a factor or shifts an index, one at a time, in a copy of the
# sources, and reports which mutants the op rows miss. Run by hand (5 s a mutant, 400 of them): tests/mutate.sh [FILE…]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$PWD/build/mutate
files=("$@")
[ $# -gt 0 ] || files=(autograd/ops_*.cpp nn/clip_loss.cpp nn/weighted_gather.cpp tensor/unary_functions.h tensor/kernels/*.h)

# Prints the mutants of a file as "line<TAB>what<TAB>new text of the line". Backward code is what follows `Sink in)` up
# to the end of the function, the functions named *_grad, derivative() and clip_run(); test rows are left alone.
mutants() {
  perl -ne '
    BEGIN {
      @rules = (
        ["+ to -", qr/(?<=\S) \+ (?=\S)/, " - "], ["- to +", qr/(?<=\S) - (?=\S)/, " + "],
        ["+= to -=", qr/ \+= /, " -= "], ["-= to +=", qr/ -= /, " += "], ["+= to =", qr/ \+= /, " = "],
        ["minus dropped", qr/(?<=[(,=] )-(?=\w)/, ""], ["minus dropped", qr/\bnegated\(g\)/, "g"],
        ["minus dropped", qr/\bnegated\((?=binary)/, "Tensor("],
        ["factor dropped", qr/ \* (?:\*?\w+(?:->\w+)?(?:\[[^\]]*\])?+(?![\w(<]))/, ""],
        ["divisor dropped", qr{ / (?:static_cast<real>\([^()]*\)|\w+(?:->\w+)?(?:\[[^\]]*\])?)}, ""],
        ["* to /", qr/Binary::mul/, "Binary::div"], ["/ to *", qr/Binary::div/, "Binary::mul"],
        ["index shifted", qr/\bi \+ (?=begin|i\b)/, "i + 1 + "], ["index shifted", qr/(?<=\w)\[(\w+)\](?=[ ;,)*])/, "SHIFT"],
        ["index shifted", qr/ \+ (\w) \* (n|d|width|length)\b(?!\w)/, "ROW"],
        ["input swapped", qr/\bin\.(add|acc|out|add_sparse)\(1/, "SWAP"],
        ["gradient not taken", qr/if \(in\.needs\((\d)\)\)/, "if (false)"],
        ["transpose dropped", qr/(?<=\w)(?:->|\.)transpose\(\)/, "PLAIN"],
        ["true to false", qr/\btrue\b/, "false"], ["false to true", qr/\bfalse\b/, "true"],
        ["comparison flipped", qr/(?<=\w\]) < (?=\d)/, " > "], ["comparison flipped", qr/\bx > 0/, "x < 0"],
        ["constant changed", qr/(?<=\w)\(0\.5\)/, "(0.25)"], ["constant changed", qr/\bquick\b/, "1"]);
    }
    $checks = 1 if /^#ifdef SEMINAR_OP_ROWS/;
    $checks = 0 if /^#endif/;
    $rows = 1 if /^OP_ROW/;
    $rows = 0 if m{^(?:Var|//)};
    $rows = 1 if $checks;
    $inside = 1 if /^UNARY\(/;
    $inside = 1 if !$rows && (/Sink in\)/ || /^(?:SEMINAR_INLINE )?\S+(?:<\S+, \S+>)? (?:\w+_grad|\w+_grad_row|derivative|clip_run)\(/);
    $skip = /Sink in\)/ ? $+[0] : 0;
    $skip = length if /^\S.*\{$/ && !/Sink in\)/;
    $skip = $+[0] if /for \([^;]*;[^;]*;[^)]*\)/;
    if ($inside && !m{^\s*//} && !/check\(|parallel_for\((?!.*Sink)|SWITCH|constexpr/) {
      $line = $_;
      for my $rule (@rules) {
        my ($what, $pattern, $new) = @$rule;
        pos($line) = $skip;
        while ($line =~ /$pattern/g) {
          my ($at, $end, $one, $two) = ($-[0], $+[0], $1, $2);
          next if $at < $skip;
          my $old = substr($line, $at, $end - $at);
          my $put = $new eq "SHIFT" ? "[$one + 1]" : $new eq "ROW" ? " + $one * $two + 1" : $new eq "PLAIN" ? "" : $new eq "SWAP" ? "in.$one(0" : $new;
          $put = "->clone()" if $new eq "PLAIN" && $old =~ /^->/;
          my $mutant = substr($line, 0, $at) . $put . substr($line, $end);
          print "$.\t$what\t$mutant";
        }
      }
    }
    $inside = 0 if /^\}|^#undef UNARY/;
  ' "$1"
}

mkdir -p "$work/source"
git ls-files -z | xargs -0 cp --parents -t "$work/source"
cd "$work/source"
cmake -S . -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O0 -DSEMINAR_TESTS=ON >/dev/null
cmake --build "$work/build" --target engine_tests_f64 >/dev/null
"$work/build/bin/engine_tests_f64" >/dev/null

killed=0 survived=0 invalid=0
for file in "${files[@]}"; do
  cp "$file" "$work/original"
  while IFS=$'\t' read -r line what text; do
    awk -v n="$line" -v text="${text//\\/\\\\}" 'NR == n { print text; next } { print }' "$work/original" >"$file"
    if ! cmake --build "$work/build" --target engine_tests_f64 >/dev/null 2>&1; then
      invalid=$((invalid + 1))
    elif SEMINAR_ISA=avx2 timeout 60 "$work/build/bin/engine_tests_f64" --test-suite="op rows" --abort-after=1 >/dev/null 2>&1; then
      survived=$((survived + 1))
      echo "survived: $file:$line: $what:$text"
    else
      killed=$((killed + 1))
    fi
  done < <(mutants "$work/original")
  cp "$work/original" "$file"
done
echo "$((killed + survived)) mutants, $killed killed, $survived survived; $invalid more did not compile"
