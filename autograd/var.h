// Var: a tensor and its place in the graph. record(): how an op adds itself. Sink: how its backward hands gradients on.
// No double backward: backward formulas are plain tensor code.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/pool.h"
#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Node;
class Sink;
/// Receives the gradient of the op's output and hands on those of its inputs.
using Backward = std::function<void(const Tensor& g, Sink in)>;

/// Reference-counted pointer to a Node. Dropping the last one frees a chain of any length without recursion.
class NodePtr {
 public:
  NodePtr() = default;
  explicit NodePtr(Node* node) : node_(node) {}  // takes over one reference
  inline NodePtr(const NodePtr& p);
  NodePtr(NodePtr&& p) noexcept : node_(std::exchange(p.node_, nullptr)) {}
  NodePtr& operator=(NodePtr p) noexcept {
    std::swap(node_, p.node_);
    return *this;
  }
  ~NodePtr() {
    if (node_) drop();
  }
  Node* get() const { return node_; }
  Node* operator->() const { return node_; }
  explicit operator bool() const { return node_ != nullptr; }

 private:
  void drop();
  Node* node_ = nullptr;
};

/// A part of the gradient of a table: rows[i] belongs to table row ids[i]. Ids may repeat.
struct SparseGradient {
  Ids ids;
  Tensor rows;  ///< [ids.numel(), width]
};

/// Tells leaves apart; nothing else can be done with it.
using LeafId = const Node*;

/// One op's output (or a leaf) as backward sees it. It does not hold the value: only what backward captured stays
/// alive. Only the engine reads and writes it; others use Var.
struct Node {
  Node(const char* op_name, const Shape& value_shape);
  ~Node();
  // From the pool: a step makes and frees a node for every op.
  static void* operator new(std::size_t bytes) { return pool::allocate(bytes); }
  static void operator delete(void* node, std::size_t bytes) { pool::release(node, bytes); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const char* op;
  uint64_t sequence;  ///< creation number: backward runs in descending order
  Shape shape;
  std::vector<NodePtr> parents;  ///< null where no gradient is wanted
  Backward backward;
  Tensor grad;
  std::vector<SparseGradient> sparse_grads;  ///< of sparse leaves only
  bool leaf = false;
  bool sparse = false;
  bool frozen = false;      ///< a leaf that wants no gradient for now
  bool released = false;    ///< backward has passed: the captures are gone
  uint64_t mark = 0;        ///< last backward that visited it
  int64_t awaited = 0;      ///< uses of a leaf whose gradients this backward has still to add
  Node* dropped = nullptr;  ///< the next node of a list of those to be freed
  std::string name;         ///< of a parameter, for messages
  std::atomic<int32_t> references{1};

  static int64_t alive();  ///< nodes in existence, for leak tests
};

inline NodePtr::NodePtr(const NodePtr& p) : node_(p.node_) {
  if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
}

class Var {
 public:
  Var() = default;
  /// A constant.
  Var(Tensor value) : value_(std::move(value)) {}  // NOLINT: constants mix freely with variables
  Var(Tensor value, NodePtr node) : value_(std::move(value)), node_(std::move(node)) {}
  /// A differentiable leaf. Its value is row-major: a view that is not is copied. A `sparse` leaf is a table [N, width]
  /// of which lookups leave SparseGradients instead of a dense gradient.
  static Var leaf(Tensor value, bool sparse = false);

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  /// The value for writing; counted, so that a backward that had saved it notices.
  Tensor& mutable_value() { return value_; }
  const Shape& shape() const { return value_.shape(); }
  /// The only element; throws Error if there are more.
  real item() const { return value_.item(); }
  int64_t size(int axis) const { return value_.size(axis); }
  int rank() const { return value_.rank(); }
  bool needs_grad() const { return static_cast<bool>(node_) && !node_->frozen; }
  const NodePtr& node() const { return node_; }

  // What follows is for leaves; copies of a leaf share it. Each throws Error for other Vars.

  /// The dense gradient; undefined before the first backward. It shares storage with no other gradient.
  const Tensor& grad() const { return leaf_node("grad").grad; }
  /// The sparse gradients of a sparse leaf, in order of arrival.
  const std::vector<SparseGradient>& sparse_grads() const { return leaf_node("sparse_grads").sparse_grads; }
  /// Replaces the dense gradient; undefined: there is none. Throws Error if the shape is another.
  void set_grad(Tensor gradient) const;
  /// Replaces the sparse gradients.
  void set_sparse_grads(std::vector<SparseGradient> parts) const;
  /// Drops all gradients.
  void zero_grad() const;
  bool is_sparse() const { return leaf_node("is_sparse").sparse; }
  /// With false, ops take the leaf for a constant from now on, until it is set to true again.
  void set_requires_grad(bool wanted) const { leaf_node("set_requires_grad").frozen = !wanted; }
  /// Equal for copies of one leaf.
  LeafId leaf_id() const { return &leaf_node("leaf_id"); }
  /// A name for messages.
  const std::string& name() const { return leaf_node("name").name; }
  void set_name(std::string name) const { leaf_node("set_name").name = std::move(name); }

 private:
  Node& leaf_node(const char* what) const;

  Tensor value_;
  NodePtr node_;
};

/// A tensor kept for backward together with its version; reading it after somebody wrote to it throws Error.
class Saved {
 public:
  explicit Saved(const Tensor& t) : tensor_(t), version_(t.version()) {}
  explicit Saved(const Var& v) : Saved(v.value()) {}
  const Tensor& get() const;
  const Tensor& operator*() const { return get(); }
  const Tensor* operator->() const { return &get(); }

 private:
  Tensor tensor_;
  int64_t version_;
};

/// Where backward adds the gradients of an op's inputs. A gradient of the wrong shape throws Bug naming the op, the
/// input and both shapes.
class Sink {
 public:
  explicit Sink(Node& node) : node_(node) {}
  /// True if input `i` wants a gradient; the calls below do nothing useful otherwise.
  bool needs(int i) const { return static_cast<bool>(parent(i)); }
  /// Adds g to input i's gradient; what broadcasting had repeated is summed away here.
  void add(int i, const Tensor& g);
  /// Adds s g to input i's gradient, g of the input's shape.
  void add_scaled(int i, real s, const Tensor& g);
  /// Input i's gradient for adding in place; zeros at first.
  Tensor& acc(int i);
  /// Like acc, but not initialised the first time: returns {gradient, whether to add}. Read what is Saved before.
  std::pair<Tensor&, bool> out(int i);
  /// Adds rows[k] to row ids[k] of input i's gradient.
  void add_sparse(int i, const Ids& ids, const Tensor& rows);

 private:
  const NodePtr& parent(int i) const;

  Node& node_;
};

/// A Var by reference, for lists of inputs.
using VarRef = std::reference_wrapper<const Var>;

/// For the door of an op: throws Error `op: input i is undefined` for the first input that is.
void check_inputs(const char* op, std::span<const VarRef> inputs);
inline void check_inputs(const char* op, std::initializer_list<VarRef> inputs) {
  check_inputs(op, std::span(inputs.begin(), inputs.size()));
}

/// The output `y` of op `op` as a Var. `backward` captures what it needs (Saved tensors, sizes), never a Var. A
/// constant if gradients are off or no input needs one.
Var record(const char* op, Tensor y, std::span<const VarRef> inputs, Backward backward);
inline Var record(const char* op, Tensor y, std::initializer_list<VarRef> inputs, Backward backward) {
  return record(op, std::move(y), std::span(inputs.begin(), inputs.size()), std::move(backward));
}
inline Var record(const char* op, Tensor y, std::span<const Var> inputs, Backward backward) {
  return record(op, std::move(y), std::vector<VarRef>(inputs.begin(), inputs.end()), std::move(backward));
}

/// Gradients of a scalar with respect to every leaf below it, added to the leaves. The graph is freed unless
/// `retain_graph`; backward through a freed graph throws Error. If backward throws, the leaves have the gradients that
/// they had before. Two threads must not run backward to the same leaf at once.
void backward(const Var& loss, bool retain_graph = false);
/// Told of every leaf below an output, as soon as backward will add no more to its gradient.
using LeafDone = std::function<void(LeafId leaf)>;
/// The same from any output with its upstream gradient. `done` runs in between: what it does overlaps with backward.
void backward(const Var& output, const Tensor& upstream, const LeafDone& done = nullptr, bool retain_graph = false);

/// False inside a NoGrad of this thread.
bool grad_enabled();
/// While alive, ops of this thread record nothing.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
