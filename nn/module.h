// What a module is: a struct that lists its members once, in visit(). Optimizers, checkpoints, counts and summaries all
// read that list; build<M>() throws if a parameter is missing from it.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// A trainable tensor. Copies are handles to the same numbers and gradient: a parameter that two members share ("tied")
/// is one.
class Param {
 public:
  /// A `sparse` one collects sparse gradients (see Var::leaf): for embedding tables. A view is copied.
  explicit Param(Tensor value, bool sparse = false) : var_(Var::leaf(std::move(value), sparse)) { ++created(); }
  operator const Var&() const { return var_; }  // NOLINT: used as a Var everywhere
  const Var& var() const { return var_; }
  const Shape& shape() const { return var_.shape(); }
  /// With false, the parameter is a constant for the ops that follow: it gets no gradient, and optimizers leave it.
  void set_requires_grad(bool wanted) const { var_.set_requires_grad(wanted); }
  /// Parameters and buffers made so far by this thread.
  static int64_t& created() {
    thread_local int64_t count = 0;
    return count;
  }

 private:
  Var var_;
};

/// A tensor that belongs to a module and its files but is never trained, like the planes of a hash.
class Buffer {
 public:
  explicit Buffer(Tensor value) : value_(value.contiguous()) { ++Param::created(); }
  operator Var() const { return value_; }  // NOLINT: used as a constant everywhere
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }

 private:
  Tensor value_;
};

/// A parameter (or buffer) with its path in the module, like "esu.attention.wq".
struct NamedParam {
  std::string name;
  Var var;
};
using Params = std::vector<NamedParam>;

namespace detail {

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

// One leaf, or one buffer's numbers.
inline bool same(const Var& a, const Var& b) {
  return a.node() ? a.node().get() == b.node().get() : a.value().data() == b.value().data();
}

// Lists the members of type Wanted, Param or Buffer; tied ones once, under their first path.
template <class Wanted, class Member>
void collect(const std::string& path, const Member& member, Params& out) {
  if constexpr (std::is_same_v<Member, Param> || std::is_same_v<Member, Buffer>) {
    if constexpr (!std::is_same_v<Member, Wanted>) return;
    const Var& var = member;
    for (const NamedParam& listed : out)
      if (same(listed.var, var)) return;
    if (var.node()) var.set_name(path);
    out.push_back({path, var});
  } else if constexpr (is_vector<Member>::value) {
    for (std::size_t i = 0; i < member.size(); ++i) collect<Wanted>(path + "." + std::to_string(i), member[i], out);
  } else if constexpr (is_optional<Member>::value) {
    if (member) collect<Wanted>(path, *member, out);
  } else {
    member.visit([&](const char* name, const auto& inner) {
      collect<Wanted>(path.empty() ? name : path + "." + name, inner, out);
    });
  }
}

}  // namespace detail

/// All parameters of a module in the order of visit(), named by path. Tied ones are listed once.
template <class M>
Params parameters(const M& module, const std::string& prefix = "") {
  Params out;
  detail::collect<Param>(prefix, module, out);
  return out;
}

/// The same of its buffers.
template <class M>
Params buffers(const M& module, const std::string& prefix = "") {
  Params out;
  detail::collect<Buffer>(prefix, module, out);
  return out;
}

/// Builds a module and checks that visit() lists every parameter and buffer it made; throws Bug otherwise.
template <class M, class... Args>
M build(Args&&... args) {
  const int64_t before = Param::created();
  M module(std::forward<Args>(args)...);
  const int64_t made = Param::created() - before, listed = std::ssize(parameters(module)) + std::ssize(buffers(module));
  if (made != listed)
    throw Bug(fmt::format("build: the module made {} parameters but visit() lists {}: a member is missing from visit()",
                          made, listed));
  return module;
}

/// Number of trainable numbers.
inline int64_t count(const Params& params) {
  int64_t n = 0;
  for (const NamedParam& p : params) n += p.var.value().numel();
  return n;
}

/// How a module runs: dropout only in training, from a stream that changes every step.
struct Mode {
  bool training = false;
  double dropout = 0;
  Rng rng{0};
  Mode split(std::string_view name) const { return {training, dropout, rng.split(name)}; }
};

}  // namespace seminar::inline SEMINAR_PRECISION
