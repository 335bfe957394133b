#include "autograd/debug.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>

#include "tensor/finite.h"
#include "tensor/io/print.h"
#include "tensor/pool.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

using Clock = std::chrono::steady_clock;

struct OpTime {
  int64_t calls = 0;
  double forward = 0, backward = 0;
};

int level_from_environment() {
  const char* text = std::getenv("SEMINAR_DEBUG");
  if (!text || !*text) return 0;
  check(text[0] >= '0' && text[0] <= '3' && !text[1], "SEMINAR_DEBUG: must be 0, 1, 2 or 3: '{}'", text);
  return text[0] - '0';
}

struct State {
  std::atomic<int> level{level_from_environment()};
  std::FILE* out = stderr;
  std::mutex mutex;
  int64_t step = 0;
  std::size_t nodes = 0;
  double loss = 0, forward = 0, backward = 0;
  std::map<std::string, OpTime> ops;
  Clock::time_point mark = Clock::now(), backward_mark;
};

State& state() {
  static State s;
  return s;
}

double lap(Clock::time_point& mark) {
  const Clock::time_point now = Clock::now();
  return std::chrono::duration<double>(now - std::exchange(mark, now)).count();
}

// Paths of the parameters nearest to the given nodes, at most three.
std::string nearest_parameters(std::vector<const Node*> nodes) {
  std::set<const Node*> seen(nodes.begin(), nodes.end());
  std::string paths;
  int found = 0;
  for (std::size_t next = 0; next < nodes.size() && found < 3; ++next) {
    if (!nodes[next]->name.empty()) paths += fmt::format("{}{}", found++ ? ", " : "", nodes[next]->name);
    for (const NodePtr& parent : nodes[next]->parents)
      if (parent && seen.insert(parent.get()).second) nodes.push_back(parent.get());
  }
  return found ? paths : "none named";
}

[[noreturn]] void stop_at(const char* direction, const char* op, const std::string& what, const Tensor& t,
                          int64_t element, const std::vector<const Node*>& below) {
  fail("{}: {} of {} is {} at element {} of shape {}; nearest parameters: {}", direction, what, op,
       t.contiguous().data()[element], element, t.shape(), nearest_parameters(below));
}

}  // namespace

int debug_level() { return state().level.load(std::memory_order_relaxed); }

void set_debug(int level, std::FILE* out) {
  check(level >= 0 && level <= 3, "set_debug: the level must be 0, 1, 2 or 3: {}", level);
  check(out != nullptr, "set_debug: there is no file to print to");
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.level = level;
  s.out = out;
  s.step = 0;
  s.forward = 0;
  s.ops.clear();
  s.mark = Clock::now();
}

namespace debug {

void forward_done(const char* op, const Tensor& y, std::span<const VarRef> inputs) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  const double seconds = lap(s.mark);
  s.forward += seconds;
  s.ops[op].calls += 1;
  s.ops[op].forward += seconds;
  if (s.level >= 3) {
    std::string shapes;
    for (const Var& v : inputs)
      if (v.defined()) shapes += fmt::format("{}{}", shapes.empty() ? "" : ", ", v.shape());
    write_text(s.out, fmt::format("forward  {:<16} {} -> {}  {:.3f} ms\n", op, shapes, y.shape(), seconds * 1e3));
  }
  if (s.level < 2) return;
  if (const int64_t bad = first_not_finite(y); bad >= 0) {
    std::vector<const Node*> below;
    for (const Var& v : inputs)
      if (v.node()) below.push_back(v.node().get());
    stop_at("forward", op, "the result", y, bad, below);
  }
  s.mark = Clock::now();  // the search for NaN is not the next op's time
}

void backward_begin(const Var& output, std::size_t nodes) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.step += 1;
  s.nodes = nodes;
  s.backward = 0;
  s.loss = output.value().numel() == 1 ? static_cast<double>(output.value().item()) : std::nan("");
}

void op_backward_begin() { state().backward_mark = Clock::now(); }

void op_backward_done(const Node& node) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  const double seconds = lap(s.backward_mark);
  s.backward += seconds;
  s.ops[node.op].backward += seconds;
  if (s.level >= 3)
    write_text(s.out, fmt::format("backward {:<16} {}  {:.3f} ms\n", node.op, node.shape, seconds * 1e3));
  if (s.level < 2) return;
  for (std::size_t i = 0; i < node.parents.size(); ++i) {
    const Node* parent = node.parents[i].get();
    if (!parent) continue;
    std::vector<Tensor> gradients;
    if (parent->grad.defined()) gradients.push_back(parent->grad);
    if (!parent->sparse_grads.empty()) gradients.push_back(parent->sparse_grads.back().rows);
    for (const Tensor& g : gradients)
      if (const int64_t bad = first_not_finite(g); bad >= 0)
        stop_at("backward", node.op, fmt::format("the gradient of input {}", i), g, bad, {parent});
  }
}

void backward_end() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  const pool::Stats memory = pool::stats();
  write_text(
      s.out,
      fmt::format(
          "step {}: loss {:.6g}, {} nodes, forward {:.1f} ms, backward {:.1f} ms, {:.1f} MB live, {:.1f} MB peak\n",
          s.step, s.loss, s.nodes, s.forward * 1e3, s.backward * 1e3, static_cast<double>(memory.live_bytes) / 1e6,
          static_cast<double>(memory.peak_bytes) / 1e6));
  if (s.level >= 2) {
    std::vector<std::pair<std::string, OpTime>> order(s.ops.begin(), s.ops.end());
    const auto total = [](const OpTime& t) { return t.forward + t.backward; };
    std::sort(order.begin(), order.end(),
              [&](const auto& a, const auto& b) { return total(a.second) > total(b.second); });
    order.resize(std::min<std::size_t>(order.size(), 10));
    for (const auto& [op, t] : order)
      write_text(s.out, fmt::format("  {:<16} {:>6} calls  forward {:>9.3f} ms  backward {:>9.3f} ms\n", op, t.calls,
                                    t.forward * 1e3, t.backward * 1e3));
  }
  std::fflush(s.out);
  s.forward = 0;
  s.ops.clear();
  s.mark = Clock::now();
}

}  // namespace debug

std::string graph_dot(const Var& output) {
  std::string dot = "digraph autograd {\n  rankdir=BT;\n  node [fontname=\"sans-serif\"];\n";
  std::vector<const Node*> order;
  std::map<const Node*, std::size_t> number;
  const auto visit = [&](const Node* node) {
    if (number.emplace(node, order.size()).second) order.push_back(node);
    return number[node];
  };
  if (output.node()) visit(output.node().get());
  for (std::size_t next = 0; next < order.size(); ++next) {
    const Node& node = *order[next];
    dot += fmt::format("  n{} [label=\"{}\\n{}\"{}];\n", next,
                       !node.leaf          ? node.op
                       : node.name.empty() ? "leaf"
                                           : node.name,
                       node.shape, node.leaf ? ", shape=box" : "");
    for (const NodePtr& parent : node.parents)
      if (parent) dot += fmt::format("  n{} -> n{};\n", visit(parent.get()), next);
  }
  return dot + "}\n";
}

}  // namespace seminar::inline SEMINAR_PRECISION
