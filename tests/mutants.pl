#!/usr/bin/perl
# Prints the mutants of a C++ file, one a line: "line number<TAB>what<TAB>new text of the line". Used by mutate.sh.
#   mutants.pl --backward FILE   only in what computes gradients: for autograd and its kernels
#   mutants.pl FILE              anywhere in the bodies of functions
use strict;
use warnings;

my $backward = @ARGV && $ARGV[0] eq '--backward' ? shift : 0;
my $number = qr/(?<![\w.\]])(?:\d+\.\d+|\d+)(?![\w.\]'])/;

# What to look for and what to put there: text, or a function of the match.
my @signs = (
  ['+ to -', qr/(?<=\S) \+ (?=\S)/, ' - '], ['- to +', qr/(?<=\S) - (?=\S)/, ' + '],
  ['+= to -=', qr/ \+= /, ' -= '], ['-= to +=', qr/ -= /, ' += '], ['+= to =', qr/ \+= /, ' = '],
  ['minus dropped', qr/(?<=[(,=] )-(?=\w)/, '']);

my @backward_rules = (
  @signs,
  ['minus dropped', qr/\bnegated\(g\)/, 'g'], ['minus dropped', qr/\bnegated\((?=binary)/, 'Tensor('],
  ['factor dropped', qr/ \* (?:\*?\w+(?:->\w+)?(?:\[[^\]]*\])?+(?![\w(<]))/, ''],
  ['divisor dropped', qr{ / (?:static_cast<real>\([^()]*\)|\w+(?:->\w+)?(?:\[[^\]]*\])?)}, ''],
  ['* to /', qr/Binary::mul/, 'Binary::div'], ['/ to *', qr/Binary::div/, 'Binary::mul'],
  ['index shifted', qr/\bi \+ (?=begin|i\b)/, 'i + 1 + '],
  ['index shifted', qr/(?<=\w)\[(\w+)\](?=[ ;,)*])/, sub { "[$_[1] + 1]" }],
  ['index shifted', qr/ \+ (\w) \* (n|d|width|length)\b(?!\w)/, sub { " + $_[1] * $_[2] + 1" }],
  ['input swapped', qr/\bin\.(add|acc|out|add_sparse)\(1/, sub { "in.$_[1](0" }],
  ['gradient not taken', qr/if \(in\.needs\((\d)\)\)/, 'if (false)'],
  ['transpose dropped', qr/(?<=\w)(?:->|\.)transpose\(\)/, sub { $_[0] =~ /^->/ ? '->clone()' : '' }],
  ['true to false', qr/\btrue\b/, 'false'], ['false to true', qr/\bfalse\b/, 'true'],
  ['comparison flipped', qr/(?<=\w\]) < (?=\d)/, ' > '], ['comparison flipped', qr/\bx > 0/, 'x < 0'],
  ['constant changed', qr/(?<=\w)\(0\.5\)/, '(0.25)'], ['constant changed', qr/\bquick\b/, '1']);

my %flipped = ('<' => '>=', '<=' => '>', '>' => '<=', '>=' => '<', '==' => '!=', '!=' => '==');
my %shifted = ('<' => '<=', '<=' => '<', '>' => '>=', '>=' => '>');
my $term = qr/\w+(?:(?:\.|->)\w+)*(?:\(\)|\[[^\][]*\])?+(?![\w(<.\[])/;
my @rules = (
  @signs,
  ['factor dropped', qr/(?<=[\w)\]]) \* $term/, ''], ['divisor dropped', qr{(?<=[\w)\]]) / $term}, ''],
  ['comparison flipped', qr/ (<=?|>=?|==|!=) /, sub { " $flipped{$_[1]} " }],
  ['bound shifted', qr/ (<=?|>=?) /, sub { " $shifted{$_[1]} " }],
  ['and to or', qr/ && /, ' || '], ['or to and', qr/ \|\| /, ' && '],
  ['not dropped', qr/(?<=[( ])!(?=\w)/, ''],
  ['condition dropped', qr/(?<=\bif )\((?!const |auto |int)[^;{}]*\)(?= \S)/, '(true)'],
  ['max to min', qr/\bstd::max\b/, 'std::min'], ['min to max', qr/\bstd::min\b/, 'std::max'],
  ['true to false', qr/\btrue\b/, 'false'], ['false to true', qr/\bfalse\b/, 'true'],
  ['constant changed', $number, sub { $_[0] eq '0' ? '1' : $_[0] =~ /\./ ? 2 * $_[0] + 0.25 : $_[0] + 1 }]);

# Whether the text has as many ( as ), as a whole statement has.
sub whole { my $t = shift; return ($t =~ tr/(//) == ($t =~ tr/)//) }

open my $in, '<', $ARGV[0] or die "mutants.pl: $ARGV[0]: $!\n";
my ($checks, $rows, $inside, $previous) = (0, 0, 0, '');
while (my $line = <$in>) {
  my $skip = 0;
  if ($backward) {
    # Gradients are what follows `Sink in)` up to the end of the function, and functions named for them; not test rows.
    $checks = 1 if $line =~ /^#ifdef SEMINAR_OP_ROWS/;
    $checks = 0 if $line =~ /^#endif/;
    $rows = 1 if $line =~ /^OP_ROW/;
    $rows = 0 if $line =~ m{^(?:Var|//)};
    $rows = 1 if $checks;
    $inside = 1 if !$rows && $line =~ /Sink in\)|^(?:SEMINAR_INLINE )?\S+(?:<\S+, \S+>)? (?:\w+_grad|\w+_grad_row|derivative|clip_run)\(/;
    $inside = 1 if $line =~ /^UNARY\(/;
    $skip = $+[0] if $line =~ /Sink in\)/;
    $skip = length $line if $line =~ /^\S.*\{$/ && $line !~ /Sink in\)/;
    $skip = $+[0] if $line =~ /for \([^;]*;[^;]*;[^)]*\)/;
  } else {
    $inside = $line =~ /^ +\S/;
  }
  my $use = $inside && $line !~ m{^\s*//};
  $use = 0 if $use && $backward && $line =~ /check\(|parallel_for\((?!.*Sink)|SWITCH|constexpr/;
  # Room to spare, how work is cut for threads, what is printed while it runs, and types change no result.
  $use = 0 if $use && !$backward && $line =~ /\breserve\(|parallel_for|grain|progress|static_assert|\btemplate\b|\busing\b|^\s*(?:public|private):|^\s*case |\[\[|operator|prefetch|SEMINAR_/;
  if ($use) {
    my $checked = !$backward && $line =~ /\b(?:check|fail|CLI|add_option|reject)\b/;
    my @quoted;  # places inside strings, characters and comments
    while ($line =~ m{"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)'|//.*}g) { push @quoted, [$-[0], $+[0]] }
    for my $rule ($backward ? @backward_rules : @rules) {
      my ($what, $pattern, $new) = @$rule;
      next if $checked && $what ne 'comparison flipped';
      pos($line) = $skip;
      while ($line =~ /$pattern/g) {
        my ($at, $end) = ($-[0], $+[0]);
        my @parts = (substr($line, $at, $end - $at), $1, $2);
        next if $at < $skip || grep { $at < $_->[1] && $end > $_->[0] } @quoted;
        next if $what eq 'condition dropped' && !whole($parts[0]);
        my $put = ref $new ? $new->(@parts) : $new;
        print "$.\t$what\t", substr($line, 0, $at), $put, substr($line, $end);
      }
    }
    # A statement of one line, behind the end of another: a call or an assignment, which leaves old state when it is gone.
    if (!$backward && !$checked && $previous =~ m{[;{}:]\s*(?://.*)?$} && whole($line) &&
        $line =~ /^(\s+)(?!return|throw|else|for|if|while|do |break|continue|const |auto |case )[\w:.>\-\[\]*()]+(?:\(.*\)| [-+*\/|]?= .*);\s*(?:\/\/.*)?$/) {
      print "$.\tstatement dropped\t$1;\n";
    }
  }
  $previous = $line if $line =~ /\S/;
  $inside = 0 if $backward && $line =~ /^\}|^#undef UNARY/;
}
