// The graph and its walk: creation order backwards, no recursion anywhere.
#include <algorithm>

#include "autograd/debug.h"
#include "autograd/op_row.h"
#include "autograd/var.h"
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

// The tensor itself if it is row-major and alone in its storage, else a copy.
Tensor own(Tensor t) { return t.is_contiguous() && t.unique() ? t : t.clone(); }

}  // namespace

Node::Node(const char* op_name, const Shape& value_shape)
    : op(op_name), sequence(nodes_made.fetch_add(1, std::memory_order_relaxed)), shape(value_shape) {}

Node::~Node() { nodes_gone.fetch_add(1, std::memory_order_relaxed); }

int64_t Node::alive() { return static_cast<int64_t>(nodes_made - nodes_gone); }

void NodePtr::drop() {
  // Freeing a node drops its parents, which may free them in turn: those wait in a list instead of recursing. The list
  // stands in the nodes, so that freeing needs no memory.
  Node* list = last_reference(*node_) ? node_ : nullptr;
  while (list) {
    Node* const node = std::exchange(list, list->dropped);
    for (NodePtr& parent : node->parents)
      if (Node* const p = std::exchange(parent.node_, nullptr); p && last_reference(*p))
        p->dropped = std::exchange(list, p);
    delete node;
  }
}

Var Var::leaf(Tensor value, bool sparse) {
  check(value.defined(), "leaf: the value is undefined");
  check(!sparse || value.rank() == 2, "leaf: a sparse leaf must have two axes, not shape {}", value.shape());
  NodePtr node(new Node("leaf", value.shape()));
  node->leaf = true;
  node->sparse = sparse;
  return {value.contiguous(), std::move(node)};
}

Node& Var::leaf_node(const char* what) const {
  check(node_ && node_->leaf, "{}: only leaves have that, not constants or results of ops", what);
  return *node_.get();
}

void Var::set_grad(Tensor gradient) const {
  Node& node = leaf_node("set_grad");
  check(!gradient.defined() || gradient.shape() == node.shape, "set_grad: gradient {} for a leaf {}", gradient.shape(),
        node.shape);
  node.grad = gradient.defined() ? own(std::move(gradient)) : Tensor();
}

void Var::set_sparse_grads(std::vector<SparseGradient> parts) const {
  Node& node = leaf_node("set_sparse_grads");
  for (const SparseGradient& part : parts)
    check(node.sparse && part.rows.defined() && part.rows.shape() == Shape({part.ids.numel(), node.shape[-1]}),
          "set_sparse_grads: {} ids and rows {} for a leaf {}", part.ids.numel(), part.rows.shape(), node.shape);
  node.sparse_grads = std::move(parts);
}

void Var::zero_grad() const {
  Node& node = leaf_node("zero_grad");
  node.grad = Tensor();
  node.sparse_grads.clear();
}

const Tensor& Saved::get() const {
  check(
      tensor_.version() == version_,
      "{}: a tensor saved for backward was written to: shape {}, version {}, expected {}; compute a new tensor instead",
      current_op, tensor_.shape(), tensor_.version(), version_);
  return tensor_;
}

const NodePtr& Sink::parent(int i) const {
  if (i < 0 || i >= std::ssize(node_.parents))
    throw Bug(fmt::format("{}: input {} of {}", node_.op, i, node_.parents.size()));
  return node_.parents[static_cast<std::size_t>(i)];
}

namespace {

void check_gradient(bool fits, const Node& node, int i, const Tensor& g) {
  if (fits) return;
  throw Bug(g.defined() ? fmt::format("{}: the gradient of input {} has shape {}, the input {}", node.op, i, g.shape(),
                                      node.parents[static_cast<std::size_t>(i)]->shape)
                        : fmt::format("{}: the gradient of input {} is undefined", node.op, i));
}

}  // namespace

void Sink::add(int i, const Tensor& g) {
  if (!needs(i)) return;
  Node& to = *parent(i).get();
  check_gradient(g.defined() && broadcasts_to(to.shape, g.shape()), node_, i, g);
  if (!(g.shape() == to.shape)) return add(i, sum_to(g, to.shape));
  if (to.grad.defined())
    add_into(acc(i), g);
  else if (to.leaf)
    to.grad = g.is_contiguous() && g.unique() ? g : g.clone();  // a leaf's gradient stays: nobody shares it
  else
    to.grad = g.contiguous();  // shared with others at most until the next addition, see acc()
}

void Sink::add_scaled(int i, real s, const Tensor& g) {
  if (!needs(i)) return;
  check_gradient(g.defined() && g.shape() == parent(i)->shape, node_, i, g);
  const std::pair<Tensor&, bool> to = out(i);
  update_elements(
      to.first,
      [s, add = to.second](int64_t n, real* y, const real* x) {
        if (add)
          kernels().axpy(n, s, x, y);
        else
          kernels().binary(Binary::mul, n, y, x, 1, &s, 0);
      },
      g);
}

std::pair<Tensor&, bool> Sink::out(int i) {
  if (!needs(i)) throw Bug(fmt::format("{}: input {} wants no gradient", node_.op, i));
  Node& to = *parent(i).get();
  if (!to.grad.defined()) {
    to.grad = Tensor::empty(to.shape);
    return {to.grad, false};
  }
  if (!to.grad.unique()) to.grad = to.grad.clone();
  return {to.grad, true};
}

Tensor& Sink::acc(int i) {
  const auto [grad, add] = out(i);
  if (!add) grad.fill(0);
  return grad;
}

void Sink::add_sparse(int i, const Ids& ids, const Tensor& rows) {
  if (!needs(i)) return;
  Node& to = *parent(i).get();
  check_gradient(rows.defined() && to.shape.rank() == 2 && rows.rank() >= 1 && rows.size(-1) == to.shape[1] &&
                     rows.numel() == ids.numel() * to.shape[1],
                 node_, i, rows);
  const Tensor flat = rows.reshape({ids.numel(), to.shape[1]});
  if (to.sparse)
    to.sparse_grads.push_back({ids.reshape({ids.numel()}), flat});
  else
    scatter_add_rows(acc(i), ids, flat);
}

void check_inputs(const char* op, std::span<const VarRef> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) check(inputs[i].get().defined(), "{}: input {} is undefined", op, i);
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
  for (const Var& v : inputs) node->parents.push_back(v.needs_grad() ? v.node() : NodePtr());
  node->backward = std::move(backward);
  return {std::move(y), std::move(node)};
}

namespace {

// The nodes below an output in the order of their backward, and what their leaves had before. Unless the walk ends
// well, its gradients are taken back.
class Walk {
 public:
  explicit Walk(Node& output) : nodes{&output} {
    const uint64_t mark = next_mark.fetch_add(1, std::memory_order_relaxed);
    output.mark = mark;
    for (std::size_t next = 0; next < nodes.size(); ++next) {
      Node* const node = nodes[next];
      check(!node->released, "backward: the graph of '{}' was freed by an earlier backward(); compute the loss again",
            node->op);
      if (node->leaf) leaves_.push_back({node, node->grad, node->sparse_grads.size()});
      for (const NodePtr& parent : node->parents) {
        if (!parent) continue;
        if (parent->mark != mark) {
          parent->mark = mark;
          parent->awaited = 0;
          nodes.push_back(parent.get());
        }
        ++parent->awaited;
        ++uses;
      }
    }
    std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->sequence > b->sequence; });
  }
  ~Walk() {
    current_op = "backward";
    if (ended_) return;
    for (Node* node : nodes) node->grad = Tensor();
    for (Leaf& leaf : leaves_) {
      leaf.node->grad = std::move(leaf.grad);
      if (leaf.node->sparse_grads.size() > leaf.sparse_grads)
        leaf.node->sparse_grads.erase(leaf.node->sparse_grads.begin() + static_cast<std::ptrdiff_t>(leaf.sparse_grads),
                                      leaf.node->sparse_grads.end());
    }
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  void end() { ended_ = true; }

  std::vector<Node*> nodes;
  std::size_t uses = 0;  // of nodes as inputs

 private:
  struct Leaf {
    Node* node;
    Tensor grad;
    std::size_t sparse_grads;
  };
  std::vector<Leaf> leaves_;
  bool ended_ = false;
};

}  // namespace

void backward(const Var& loss, bool retain_graph) {
  check_inputs("backward", {loss});
  check(loss.value().numel() == 1, "backward: needs a scalar, not shape {}; reduce it with sum() or mean()",
        loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1), nullptr, retain_graph);
}

void backward(const Var& output, const Tensor& upstream, const LeafDone& done, bool retain_graph) {
  check(output.defined() && upstream.defined(), "backward: the {} is undefined",
        output.defined() ? "upstream" : "output");
  check(output.needs_grad(), "backward: the output does not depend on any parameter");
  check(upstream.shape() == output.shape(), "backward: upstream {} for an output {}", upstream.shape(), output.shape());
  std::vector<NodePtr> passed;  // keeps what the walk has still to reach; what is below the output stays
  Walk walk(*output.node().get());
  passed.reserve(walk.uses);
  {
    Node& top = *output.node().get();
    top.grad = !top.leaf            ? upstream.contiguous()
               : top.grad.defined() ? binary("add", Binary::add, top.grad, upstream)
                                    : upstream.clone();
  }
  const bool debugging = debug_level() > 0;
  if (debugging) debug::backward_begin(output, walk.nodes.size());
  for (Node* const node : walk.nodes) {
    if (node->leaf) continue;
    current_op = node->op;
    if (debugging) debug::op_backward_begin();
    if (node->grad.defined()) node->backward(node->grad, Sink(*node));
    if (debugging) debug::op_backward_done(*node);
    node->grad = Tensor();
    for (const NodePtr& parent : node->parents)
      if (parent && parent->leaf && --parent->awaited == 0 && done) done(parent.get());
    if (retain_graph) continue;
    node->released = true;
    node->backward = nullptr;
    for (NodePtr& parent : node->parents) passed.push_back(std::move(parent));
    node->parents.clear();
  }
  walk.end();
  if (debugging) debug::backward_end();
}

bool grad_enabled() { return recording; }
NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = before_; }

}  // namespace seminar::inline SEMINAR_PRECISION
