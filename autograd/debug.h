// Looking into the engine: SEMINAR_DEBUG=1..3 and a drawing of the graph.
#pragma once

#include <cstdio>
#include <string>

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What the engine tells about itself, by the environment variable SEMINAR_DEBUG:
///   0  nothing (default)
///   1  one line per backward: its number, loss, nodes, seconds forward and backward, memory
///   2  also the ten most expensive ops; the first NaN or infinity throws Error with op, shape, the parameters it came
///      from, and whether it happened forward or backward
///   3  also one line per op
/// Forward time counts from the end of the op before, so what happens between two ops belongs to the second.
int debug_level();
/// Sets level and destination; throws Error outside 0..3. Counters start anew.
void set_debug(int level, std::FILE* out = stderr);

/// Hooks of the engine, called only if debug_level() > 0.
namespace debug {
void forward_done(const char* op, const Tensor& y, std::span<const VarRef> inputs);
void backward_begin(const Var& output, std::size_t nodes);
void op_backward_begin();
void op_backward_done(const Node& node);
void backward_end();
}  // namespace debug

/// The graph below `output` in Graphviz's language: ops as ellipses with the shape of their result, parameters as boxes
/// with their path. Draw it with `dot -Tsvg`.
std::string graph_dot(const Var& output);

}  // namespace seminar::inline SEMINAR_PRECISION
