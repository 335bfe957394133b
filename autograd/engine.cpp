// The graph and its walk: creation order backwards, no recursion anywhere.
#include <algorithm>

#include "autograd/debug.h"
#include "autograd/op_row.h"
#include "autograd/var.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

namespace {

std::atomic<uint64_t> nodes_made{0}, nodes_gone{0};
std::atomic<uint64_t> next_mark{1};
thread_local bool recording = true;
thread_local const char* current_op = "backward";

// Takes one reference off; true if it was the last. The only owner need not tell others (see Tensor::drop).
bool last_reference(Node& node) {
  return node.references.load(std::memory_order_acquire) == 1 ||
         node.references.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

}  // namespace

Node::Node(const char* op_name, const Shape& value_shape)
    : op(op_name), sequence(nodes_made.fetch_add(1, std::memory_order_relaxed)), shape(value_shape) {}

Node::~Node() { nodes_gone.fetch_add(1, std::memory_order_relaxed); }

int64_t Node::alive() { return static_cast<int64_t>(nodes_made - nodes_gone); }

void NodePtr::drop() {
  // Freeing a node drops its parents, which may free them in turn: those wait in a list instead of recursing.
  std::vector<Node*> doomed;
  for (Node* node = last_reference(*node_) ? node_ : nullptr; node;) {
    Node* next = nullptr;
    for (NodePtr& parent : node->parents) {
      Node* p = std::exchange(parent.node_, nullptr);
      if (p && last_reference(*p)) next ? doomed.push_back(p) : void(next = p);
    }
    delete node;
    if (!next && !doomed.empty()) {
      next = doomed.back();
      doomed.pop_back();
    }
    node = next;
  }
}

Var Var::leaf(Tensor value, bool row_gradient) {
  NodePtr node(new Node("leaf", value.shape()));
  node->leaf = true;
  node->row_gradient = row_gradient;
  return {std::move(value), std::move(node)};
}

const Tensor& Var::grad() const {
  check(node_ && node_->leaf, "grad: only leaves keep their gradient");
  return node_->grad;
}

const Tensor& Saved::get() const {
  check(
      tensor_.version() == version_,
      "{}: a tensor saved for backward was written to: shape {}, version {}, expected {}; compute a new tensor instead",
      current_op, tensor_.shape(), tensor_.version(), version_);
  return tensor_;
}

void Sink::add(int i, const Tensor& g) {
  if (!needs(i)) return;
  Node& parent = *node_.parents[i].get();
  if (!(g.shape() == parent.shape)) return add(i, sum_to(g, parent.shape));
  if (!parent.grad.defined()) {
    parent.grad = g.contiguous();  // shared with others at most until the next addition, see acc()
  } else {
    add_into(acc(i), g);
  }
}

void Sink::add_scaled(int i, real s, const Tensor& g) {
  if (!needs(i)) return;
  const std::pair<Tensor&, bool> to = out(i);
  const Tensor source = g.contiguous();
  parallel_for(g.numel(), 16384, [&, y = to.first.write(), x = source.data()](int64_t begin, int64_t end) {
    if (to.second)
      kernels().axpy(end - begin, s, x + begin, y + begin);
    else
      kernels().binary(Binary::mul, end - begin, y + begin, x + begin, 1, &s, 0);
  });
}

std::pair<Tensor&, bool> Sink::out(int i) {
  if (!needs(i)) throw Bug(fmt::format("{}: input {} wants no gradient", node_.op, i));
  Tensor& grad = node_.parents[i]->grad;
  if (!grad.defined()) {
    grad = Tensor::empty(node_.parents[i]->shape);
    return {grad, false};
  }
  if (!grad.unique()) grad = grad.clone();
  return {grad, true};
}

Tensor& Sink::acc(int i) {
  const auto [grad, add] = out(i);
  if (!add) grad.fill(0);
  return grad;
}

void Sink::rows(int i, const Ids& ids, const Tensor& rows) {
  if (!needs(i)) return;
  Node& parent = *node_.parents[i].get();
  const Tensor flat = rows.reshape({ids.numel(), rows.size(-1)});
  if (parent.leaf && parent.row_gradient) {
    parent.row_grads.push_back({ids.reshape({ids.numel()}), flat});
  } else {
    scatter_add_rows(acc(i), ids, flat);
  }
}

Var record(const char* op, Tensor y, std::span<const VarRef> inputs, Backward backward) {
#ifdef SEMINAR_OP_ROWS
  if (!op_rows().count(op)) throw Bug(fmt::format("{}: an op without a row (see autograd/op_row.h)", op));
#endif
  if (debug_level()) debug::forward_done(op, y, inputs);
  if (!recording || std::none_of(inputs.begin(), inputs.end(), [](const VarRef& v) { return v.get().needs_grad(); }))
    return y;
  NodePtr node(new Node(op, y.shape()));
  node->parents.reserve(inputs.size());
  for (const Var& v : inputs) node->parents.push_back(v.node());
  node->backward = std::move(backward);
  return {std::move(y), std::move(node)};
}

void backward(const Var& loss) {
  check(loss.value().numel() == 1, "backward: needs a scalar, not shape {}; reduce it with sum() or mean()",
        loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1));
}

void backward(const Var& output, const Tensor& upstream, const LeafDone& done) {
  check(output.needs_grad(), "backward: the output does not depend on any parameter");
  check(upstream.shape() == output.shape(), "backward: upstream {} for an output {}", upstream.shape(), output.shape());
  const uint64_t mark = next_mark.fetch_add(1, std::memory_order_relaxed);
  std::vector<Node*> order{output.node().get()};  // what is below the output stays, see `passed`
  output.node()->mark = mark;
  for (std::size_t next = 0; next < order.size(); ++next) {
    Node* const node = order[next];
    check(!node->released, "backward: the graph of '{}' was freed by an earlier backward(); compute the loss again",
          node->op);
    for (const NodePtr& parent : node->parents) {
      if (!parent) continue;
      if (parent->mark != mark) {
        parent->mark = mark;
        parent->awaited = 0;
        order.push_back(parent.get());
      }
      ++parent->awaited;
    }
  }
  std::sort(order.begin(), order.end(), [](const Node* a, const Node* b) { return a->sequence > b->sequence; });
  {
    Node& top = *output.node().get();
    top.grad = top.grad.defined() && top.leaf ? binary("add", Binary::add, top.grad, upstream) : upstream.contiguous();
  }
  const bool debugging = debug_level() > 0;
  if (debugging) debug::backward_begin(output, order.size());
  std::vector<NodePtr> passed;  // keeps what `order` has still to reach
  for (Node* const node : order) {
    if (node->leaf) continue;
    current_op = node->op;
    if (debugging) debug::op_backward_begin();
    if (node->grad.defined()) node->backward(node->grad, Sink(*node));
    if (debugging) debug::op_backward_done(*node);
    node->released = true;
    node->backward = nullptr;
    node->grad = Tensor();
    for (NodePtr& parent : node->parents) {
      if (parent && parent->leaf && --parent->awaited == 0 && done) done(*parent.get());
      passed.push_back(std::move(parent));
    }
    node->parents.clear();
  }
  current_op = "backward";
  if (debugging) debug::backward_end();
}

bool grad_enabled() { return recording; }
NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = before_; }

}  // namespace seminar::inline SEMINAR_PRECISION
