// SEMINAR from scratch: the whole model in one file, with plain loops and without any include of this project.
//   c++ -std=c++20 -O2 apps/tour/seminar_from_scratch.cpp -o from_scratch && ./from_scratch apps/demo/ml-latest-small
// It is slow on purpose: every formula is written as the paper writes it. A test (tests/from_scratch_test.cpp) shows
// that its losses, its retrieved behaviours and its codes are those of the fast engine. Read it from top to bottom:
//   1 random numbers   2 matrices and autograd   3 ops   4 Adam   5 data   6 the model: PSU, GSU, ESU
//   7 evaluation   8 multi-modal product quantization   9 the program
// Letters: B targets per batch, T candidates per target (the true one first), L behaviours of a history, K behaviours
// that the GSU keeps, H heads, d width. A matrix holds rows of numbers; a comment such as [B * T, d] says what its rows
// are.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace from_scratch {
using real = double;
using Row = std::vector<real>;
using Ints = std::vector<int>;

// 1 Random numbers. The n-th number of a stream is a function of (key, n). A stream can be split by a name or a number,
// so each part of the program has numbers of its own, whatever the other parts do.

class Rng {
 public:
  explicit Rng(uint64_t seed) : key_(mix(seed + 0x9e3779b97f4a7c15ull)) {}
  Rng split(uint64_t index) const { return Rng(key_ ^ mix(index * 0xd1342543de82ef95ull + 0x632be59bd9b4e019ull)); }
  Rng split(std::string_view name) const {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const unsigned char c : name) hash = (hash ^ c) * 0x100000001b3ull;
    return split(hash);
  }
  uint64_t next() { return mix(key_ + 0x9e3779b97f4a7c15ull * ++counter_); }
  real uniform() { return static_cast<real>(next() >> 11) * 0x1p-53; }  // in [0, 1)
  int below(int n) { return static_cast<int>((static_cast<__uint128_t>(next()) * static_cast<uint64_t>(n)) >> 64); }
  real normal() {  // Box-Muller
    const real u = 1 - uniform(), v = uniform();
    return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
  }

 private:
  static uint64_t mix(uint64_t z) {  // the finaliser of SplitMix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t key_, counter_ = 0;
};

// 2 Matrices and autograd. A node is a matrix and how it was made. backward() runs the nodes from the newest to the
// oldest: an op is younger than its inputs, so a node runs after all its consumers have added their gradients.

struct Node {
  int rows = 0, cols = 0;
  Row value, grad;                             // [rows, cols]; grad is empty until something is added to it
  std::vector<std::shared_ptr<Node>> parents;  // what the op read
  std::function<void(Node& out)> backward;     // adds to the gradients of the parents
  long created = 0;
  bool table = false;     // an embedding table: Adam updates only the rows that a batch read
  std::set<int> touched;  // these rows

  real* row(int i) { return value.data() + static_cast<std::ptrdiff_t>(i) * cols; }
  real* grad_row(int i) {
    if (grad.empty()) grad.assign(value.size(), 0);
    return grad.data() + static_cast<std::ptrdiff_t>(i) * cols;
  }
};
using Var = std::shared_ptr<Node>;

inline bool recording = true;  // off while nothing is trained
inline Var matrix(int rows, int cols, Row value = {}) {
  static long count = 0;
  Var node = std::make_shared<Node>();
  node->rows = rows, node->cols = cols;
  node->value = std::move(value);
  node->value.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  node->created = ++count;
  return node;
}

inline Var made_by(Var y, std::vector<Var> parents, std::function<void(Node& out)> backward) {
  if (recording) y->parents = std::move(parents), y->backward = std::move(backward);
  return y;
}
/// Computes the gradients of everything below a loss [1, 1].
inline void backward(const Var& loss) {
  std::set<Node*> seen{loss.get()};
  std::vector<Node*> order{loss.get()};
  for (std::size_t i = 0; i < order.size(); ++i)
    for (const Var& parent : order[i]->parents)
      if (seen.insert(parent.get()).second) order.push_back(parent.get());
  std::sort(order.begin(), order.end(), [](const Node* a, const Node* b) { return a->created > b->created; });
  *loss->grad_row(0) = 1;
  for (Node* node : order)
    if (node->backward && !node->grad.empty()) node->backward(*node);
}

// 3 Ops. Each has its formula, its loops forward, and its loops backward. ȳ is the gradient of y.

/// y_n = the mean of the rows x_id for id in bag n, zero for an empty bag.   x̄_id += ȳ_n / |bag n|
inline Var bag(const Var& x, const std::vector<Ints>& bags) {
  const int d = x->cols;
  Var y = matrix(static_cast<int>(bags.size()), d);
  for (int n = 0; n < y->rows; ++n)
    for (const int id : bags[n])
      for (int i = 0; i < d; ++i) y->row(n)[i] += x->row(id)[i] / static_cast<real>(bags[n].size());
  return made_by(y, {x}, [x, bags, d](Node& out) {
    for (int n = 0; n < out.rows; ++n)
      for (const int id : bags[n]) {
        for (int i = 0; i < d; ++i) x->grad_row(id)[i] += out.grad_row(n)[i] / static_cast<real>(bags[n].size());
        if (x->table) x->touched.insert(id);
      }
  });
}
/// y_n = x_id(n).
inline Var gather(const Var& x, const Ints& ids) {
  std::vector<Ints> bags;
  for (const int id : ids) bags.push_back({id});
  return bag(x, bags);
}
/// y = x W: [n, k] times [k, m].   x̄ = ȳ Wᵀ, W̄ = xᵀ ȳ
inline Var matmul(const Var& x, const Var& w) {
  const int n = x->rows, k = x->cols, m = w->cols;
  Var y = matrix(n, m);
  for (int r = 0; r < n; ++r)
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < m; ++j) y->row(r)[j] += x->row(r)[i] * w->row(i)[j];
  return made_by(y, {x, w}, [x, w, n, k, m](Node& out) {
    for (int r = 0; r < n; ++r)
      for (int i = 0; i < k; ++i) {
        const real *g = out.grad_row(r), *w_row = w->row(i), x_ri = x->row(r)[i];
        real *w_grad = w->grad_row(i), x_grad = 0;
        for (int j = 0; j < m; ++j) x_grad += g[j] * w_row[j], w_grad[j] += x_ri * g[j];
        x->grad_row(r)[i] += x_grad;
      }
  });
}
/// z = u x + v y for numbers u, v.   x̄ += u z̄, ȳ += v z̄
inline Var add(const Var& x, const Var& y, real u = 1, real v = 1) {
  Var z = matrix(x->rows, x->cols);
  for (std::size_t i = 0; i < z->value.size(); ++i) z->value[i] = u * x->value[i] + v * y->value[i];
  return made_by(z, {x, y}, [x, y, u, v](Node& out) {
    for (std::size_t i = 0; i < out.value.size(); ++i) {
      x->grad_row(0)[i] += u * out.grad[i];
      y->grad_row(0)[i] += v * out.grad[i];
    }
  });
}
/// y = x W + b for every row: W [in, out], b [1, out] or none.
inline Var linear(const Var& x, const Var& w, const Var& b) {
  const Var y = matmul(x, w);
  return b ? add(y, gather(b, Ints(static_cast<std::size_t>(y->rows), 0))) : y;
}
/// y = a ∘ b.   ā += ȳ ∘ b, b̄ += ȳ ∘ a
inline Var mul(const Var& a, const Var& b) {
  Var y = matrix(a->rows, a->cols, a->value);
  for (std::size_t i = 0; i < y->value.size(); ++i) y->value[i] *= b->value[i];
  return made_by(y, {a, b}, [a, b](Node& out) {
    for (std::size_t i = 0; i < out.value.size(); ++i) {
      a->grad_row(0)[i] += out.grad[i] * b->value[i];
      b->grad_row(0)[i] += out.grad[i] * a->value[i];
    }
  });
}
/// y = max(x, 0) = x ∘ [x > 0].
inline Var relu(const Var& x) {
  Var positive = matrix(x->rows, x->cols);
  for (std::size_t i = 0; i < x->value.size(); ++i) positive->value[i] = x->value[i] > 0;
  return mul(x, positive);
}
/// y_n = [x¹_n ; x²_n ; …]: matrices side by side.
inline Var concat(const std::vector<Var>& parts) {
  int cols = 0;
  for (const Var& x : parts) cols += x->cols;
  Var y = matrix(parts[0]->rows, cols);
  for (int n = 0; n < y->rows; ++n) {
    real* to = y->row(n);
    for (const Var& x : parts) to = std::copy_n(x->row(n), x->cols, to);
  }
  return made_by(y, parts, [parts](Node& out) {
    for (int n = 0; n < out.rows; ++n) {
      const real* from = out.grad_row(n);
      for (const Var& x : parts)
        for (int i = 0; i < x->cols; ++i) x->grad_row(n)[i] += *from++;
    }
  });
}
/// The rows of a, then those of b.
inline Var stack(const Var& a, const Var& b) {
  Var y = matrix(a->rows + b->rows, a->cols, a->value);
  std::copy(b->value.begin(), b->value.end(), y->value.begin() + static_cast<std::ptrdiff_t>(a->value.size()));
  return made_by(y, {a, b}, [a, b](Node& out) {
    const std::size_t n = a->value.size();
    for (std::size_t i = 0; i < out.grad.size(); ++i)
      (i < n ? a->grad_row(0)[i] : b->grad_row(0)[i - n]) += out.grad[i];
  });
}
/// y_n = x_n / |x_n|.   x̄ = (ȳ - y (y · ȳ)) / |x|
inline Var normalize(const Var& x) {
  const int d = x->cols;
  Var y = matrix(x->rows, d);
  Row norm;
  for (int n = 0; n < x->rows; ++n) {
    norm.push_back(std::sqrt(std::inner_product(x->row(n), x->row(n) + d, x->row(n), real{0})));
    for (int i = 0; i < d && norm[n] > 0; ++i) y->row(n)[i] = x->row(n)[i] / norm[n];
  }
  return made_by(y, {x}, [x, norm, d](Node& out) {
    for (int n = 0; n < out.rows; ++n) {
      const real dot = std::inner_product(out.row(n), out.row(n) + d, out.grad_row(n), real{0});
      for (int i = 0; i < d && norm[n] > 0; ++i)
        x->grad_row(n)[i] += (out.grad_row(n)[i] - out.row(n)[i] * dot) / norm[n];
    }
  });
}
/// p = softmax of n scores over those that `keep` keeps, 0 elsewhere; all 0 if it keeps none.
inline Row softmax(const real* x, const real* keep, int n) {
  Row p(static_cast<std::size_t>(n));
  real highest = -INFINITY, total = 0;
  for (int i = 0; i < n; ++i)
    if (keep[i] != 0) highest = std::max(highest, x[i]);
  for (int i = 0; i < n; ++i)
    if (keep[i] != 0) total += p[i] = std::exp(x[i] - highest);
  for (int i = 0; i < n && total > 0; ++i) p[i] /= total;
  return p;
}
/// p_n = softmax(x_n) over the columns that mask_n keeps.   x̄ = p ∘ (p̄ - Σ p̄ p)
inline Var masked_softmax(const Var& x, const Row& mask) {
  const int cols = x->cols;
  Var p = matrix(x->rows, cols);
  for (int n = 0; n < x->rows; ++n) {
    const Row row = softmax(x->row(n), mask.data() + n * cols, cols);
    std::copy(row.begin(), row.end(), p->row(n));
  }
  return made_by(p, {x}, [x, cols](Node& out) {
    for (int n = 0; n < out.rows; ++n) {
      const real dot = std::inner_product(out.row(n), out.row(n) + cols, out.grad_row(n), real{0});
      for (int i = 0; i < cols; ++i) x->grad_row(n)[i] += out.row(n)[i] * (out.grad_row(n)[i] - dot);
    }
  });
}
/// Attention of every head (paper §2): target n belongs to history b = n / T and reads its keys and values,
///   α_{n,h,l} = Q_{n,h} · K_{b,l,h} / √d,   p_{n,h} = softmax(α_{n,h}),   head_{n,h} = Σ_l p_{n,h,l} V_{b,l,h},
/// Q [B * T, H d], K and V [B * L, H d], mask [B, L] -> [B * T, H d], the heads side by side. α [B * T * H, L] goes to
/// `alpha`.
///   p̄_l = head̄ · V_l,   V̄_l = p_l head̄,   ᾱ = p ∘ (p̄ - Σ p̄ p),   Q̄ = Σ_l ᾱ_l K_l / √d,   K̄_l = ᾱ_l Q / √d
inline Var attention(const Var& q, const Var& k, const Var& v, const Row& mask, int targets, int heads, Row& alpha) {
  const int d = q->cols / heads, length = k->rows / (q->rows / targets);
  const real scale = 1 / std::sqrt(static_cast<real>(d));
  Var y = matrix(q->rows, q->cols);
  std::vector<Row> p;
  alpha.clear();
  for (int n = 0; n < q->rows; ++n)
    for (int h = 0; h < heads; ++h) {
      const int first = n / targets * length;
      Row a(static_cast<std::size_t>(length));
      for (int l = 0; l < length; ++l)
        a[l] =
            scale * std::inner_product(q->row(n) + h * d, q->row(n) + (h + 1) * d, k->row(first + l) + h * d, real{0});
      p.push_back(softmax(a.data(), mask.data() + first, length));
      for (int l = 0; l < length; ++l)
        for (int i = h * d; i < (h + 1) * d; ++i) y->row(n)[i] += p.back()[l] * v->row(first + l)[i];
      alpha.insert(alpha.end(), a.begin(), a.end());
    }
  return made_by(y, {q, k, v}, [=](Node& out) {
    for (int n = 0; n < q->rows; ++n)
      for (int h = 0; h < heads; ++h) {
        const int first = n / targets * length;
        const Row& weight = p[n * heads + h];
        const real* g = out.grad_row(n);
        const real dot = std::inner_product(g + h * d, g + (h + 1) * d, out.row(n) + h * d, real{0});  // Σ_l p̄_l p_l
        for (int l = 0; l < length; ++l) {
          const real p_grad = std::inner_product(g + h * d, g + (h + 1) * d, v->row(first + l) + h * d, real{0});
          const real a_grad = scale * weight[l] * (p_grad - dot);
          for (int i = h * d; i < (h + 1) * d; ++i) {
            v->grad_row(first + l)[i] += weight[l] * g[i];
            q->grad_row(n)[i] += a_grad * k->row(first + l)[i];
            k->grad_row(first + l)[i] += a_grad * q->row(n)[i];
          }
        }
      }
  });
}
/// y_n = Σ_m w_{n,m} x^(m)_n (paper §3.3.1): w [n, M] and M matrices [n, d].   w̄_{n,m} = ȳ_n · x^(m)_n, x̄^(m)_n =
/// w_{n,m} ȳ_n
inline Var weighted_sum(const Var& w, const std::vector<Var>& x) {
  Var y = matrix(x[0]->rows, x[0]->cols);
  for (int n = 0; n < y->rows; ++n)
    for (std::size_t m = 0; m < x.size(); ++m)
      for (int i = 0; i < y->cols; ++i) y->row(n)[i] += w->row(n)[m] * x[m]->row(n)[i];
  std::vector<Var> parents = x;
  parents.push_back(w);
  return made_by(y, std::move(parents), [w, x](Node& out) {
    for (int n = 0; n < out.rows; ++n)
      for (std::size_t m = 0; m < x.size(); ++m)
        for (int i = 0; i < out.cols; ++i) {
          w->grad_row(n)[m] += out.grad_row(n)[i] * x[m]->row(n)[i];
          x[m]->grad_row(n)[i] += w->row(n)[m] * out.grad_row(n)[i];
        }
  });
}
/// L = -1/B Σ_b log softmax(z_b)_0: z [B * T], the first candidate of each target is the true one.
/// z̄ = (softmax(z) - onehot) / B
inline Var cross_entropy(const Var& z, int targets) {
  const int batch = z->rows / targets;
  const Var p = masked_softmax(matrix(batch, targets, z->value), Row(z->value.size(), 1));
  Var loss = matrix(1, 1);
  for (int b = 0; b < batch; ++b) loss->value[0] -= std::log(p->row(b)[0]) / batch;
  return made_by(loss, {z}, [z, p, batch, targets](Node& out) {
    for (int i = 0; i < batch * targets; ++i)
      z->grad_row(0)[i] += out.grad[0] * (p->value[i] - (i % targets == 0)) / batch;
  });
}
/// L = -mean(c log σ(z) + (1 - c) log(1 - σ(z))) for labels c.   z̄ = (σ(z) - c) / n
inline Var bce(const Var& z, const Row& labels) {
  const auto n = static_cast<real>(labels.size());
  Var loss = matrix(1, 1);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const real v = z->value[i];
    loss->value[0] += (std::max(v, real{0}) - labels[i] * v + std::log1p(std::exp(-std::abs(v)))) / n;
  }
  return made_by(loss, {z}, [z, labels, n](Node& out) {
    for (std::size_t i = 0; i < labels.size(); ++i)
      z->grad_row(0)[i] += out.grad[0] * (1 / (1 + std::exp(-z->value[i])) - labels[i]) / n;
  });
}
/// The alignment loss of one pair of channels (paper §3.3.1): unit vectors a, b [B * L, d], scale s = exp(log_scale) ≤
/// 100, N_ch chunks per history. In a chunk of n positions that mask keeps, with z_{l,k} = s a_l · b_k,
///   L = 1/(2n) Σ_l [log Σ_k exp(z_{l,k}) - z_{l,l} + log Σ_k exp(z_{k,l}) - z_{l,l}],
/// summed over the chunks, averaged over the B histories.   z̄_{l,k} = (softmax_k(z_{l,·}) + softmax_l(z_{·,k}) - 2 [l =
/// k]) / (2 n B)
inline Var clip_loss(const Var& a, const Var& b, const Var& log_scale, int length, int chunks, const Row& mask) {
  const real s = std::min(std::exp(log_scale->value[0]), real{100});
  const bool clamped = log_scale->value[0] > std::log(real{100});
  const int batch = a->rows / length, run = (length + chunks - 1) / chunks, d = a->cols;
  Var loss = matrix(1, 1);
  Row a_grad(a->value.size()), b_grad(b->value.size());
  real s_grad = 0;
  for (int u = 0; u < batch; ++u)
    for (int first = 0; first < length; first += run) {
      Ints at;
      for (int l = first; l < std::min(first + run, length); ++l)
        if (mask[u * length + l] != 0) at.push_back(u * length + l);
      const int n = static_cast<int>(at.size());
      if (n < 2) continue;
      const real weight = 1 / (2 * static_cast<real>(n) * batch);
      Row cosine(static_cast<std::size_t>(n * n)), row(static_cast<std::size_t>(n)), column(row);
      for (int i = 0; i < n * n; ++i) {
        const real* x = a->row(at[i / n]);
        cosine[i] = std::inner_product(x, x + d, b->row(at[i % n]), real{0});
        row[i / n] += std::exp(s * cosine[i]);
        column[i % n] += std::exp(s * cosine[i]);
      }
      for (int l = 0; l < n; ++l)
        loss->value[0] += weight * (std::log(row[l]) + std::log(column[l]) - 2 * s * cosine[l * n + l]);
      for (int l = 0; l < n; ++l)
        for (int k = 0; k < n; ++k) {
          const real e = std::exp(s * cosine[l * n + k]), z_grad = weight * (e / row[l] + e / column[k] - 2 * (l == k));
          s_grad += z_grad * cosine[l * n + k];
          for (int i = 0; i < d; ++i) {
            a_grad[at[l] * d + i] += z_grad * s * b->row(at[k])[i];
            b_grad[at[k] * d + i] += z_grad * s * a->row(at[l])[i];
          }
        }
    }
  return made_by(loss, {a, b, log_scale}, [=](Node& out) {
    for (std::size_t i = 0; i < a_grad.size(); ++i) {
      a->grad_row(0)[i] += out.grad[0] * a_grad[i];
      b->grad_row(0)[i] += out.grad[0] * b_grad[i];
    }
    log_scale->grad_row(0)[0] += clamped ? 0 : out.grad[0] * s * s_grad;
  });
}

// 4 Adam. m and v are running means of the gradient and its square; tables are updated only in the rows that were read.

using Params = std::map<std::string, Var>;
struct Adam {
  Params params;
  real lr, beta1 = 0.9, beta2 = 0.999;
  std::map<std::string, std::pair<Row, Row>> moments{};
  int steps = 0;
  void step() {
    ++steps;
    const real correction1 = 1 - std::pow(beta1, steps), correction2 = 1 - std::pow(beta2, steps);
    for (auto& [name, p] : params) {
      if (p->grad.empty()) continue;
      auto& [m, v] = moments[name];
      m.resize(p->value.size()), v.resize(p->value.size());
      for (std::size_t i = 0; i < p->value.size(); ++i) {
        if (p->table && !p->touched.count(static_cast<int>(i) / p->cols)) continue;
        m[i] = beta1 * m[i] + (1 - beta1) * p->grad[i];
        v[i] = beta2 * v[i] + (1 - beta2) * p->grad[i] * p->grad[i];
        p->value[i] -= lr / correction1 * m[i] / (std::sqrt(v[i] / correction2) + 1e-8);
      }
      p->grad.clear(), p->touched.clear();
    }
  }
};

// 5 Data. Item 0 is padding, query 0 is the empty query, word and attribute 0 mean nothing.
struct Data {
  std::vector<Ints> user_items, user_queries;     // per user, oldest first
  std::vector<Ints> item_words, item_attributes;  // per item
  std::vector<Ints> query_words;                  // per query
  int words = 1, attributes = 1;                  // sizes of the vocabularies, with 0
  int items() const { return static_cast<int>(item_words.size()); }
};
/// A target: an action of a user, whose history is everything before it.
struct Target {
  int user, position;
};
/// What a step computes on. Items and queries are listed once; histories and targets are numbers of this list.
struct Batch {
  int size = 0, targets = 0, length = 0;  // B, T, L
  Ints items{0}, queries{0};              // distinct ids
  Ints history_item, history_query;       // [B * L], padded at the end with 0
  Ints target_item, target_query;         // [B * T]
  Row mask, first;                        // [B * L]: real; real and the first of its item in this history
  Ints ages;                              // [B * L]: 1 for the latest behaviour
};
/// The batch of these targets: the true item and `negatives` items that its user did not have so far. All share the
/// target's query, or the empty one with probability `hide_query`.
inline Batch draw_batch(const Data& data, const std::vector<Target>& targets, int history, int negatives,
                        real hide_query, const Rng& rng) {
  Batch batch;
  batch.size = static_cast<int>(targets.size()), batch.targets = 1 + negatives, batch.length = 1;
  for (const Target& t : targets) batch.length = std::max(batch.length, std::min(history, t.position));
  std::map<int, int> item_numbers{{0, 0}}, query_numbers{{0, 0}};
  const auto number = [](std::map<int, int>& numbers, Ints& list, int id) {
    const auto [at, fresh] = numbers.insert({id, static_cast<int>(list.size())});
    if (fresh) list.push_back(id);
    return at->second;
  };
  Ints items, queries;
  for (const Target& t : targets) {
    const Ints &user_items = data.user_items[t.user], &user_queries = data.user_queries[t.user];
    const int begin = std::max(0, t.position - history), count = t.position - begin;
    std::set<int> met;
    for (int l = 0; l < batch.length; ++l) {
      const int item = l < count ? user_items[begin + l] : 0, query = l < count ? user_queries[begin + l] : 0;
      batch.history_item.push_back(number(item_numbers, batch.items, item));
      batch.history_query.push_back(number(query_numbers, batch.queries, query));
      batch.mask.push_back(l < count);
      batch.first.push_back(l < count && met.insert(item).second);
      batch.ages.push_back(std::max(1, count - l));
    }
    Rng draw = rng.split(static_cast<uint64_t>(t.user)).split(static_cast<uint64_t>(t.position));
    queries.insert(queries.end(), static_cast<std::size_t>(1 + negatives),
                   draw.uniform() < hide_query ? 0 : user_queries[t.position]);
    std::set<int> taken(user_items.begin(), user_items.begin() + t.position + 1);
    if (data.items() - 1 - static_cast<int>(taken.size()) < negatives)
      throw std::runtime_error("too few items: a user leaves no " + std::to_string(negatives) + " negatives");
    items.push_back(user_items[t.position]);
    for (int n = 0; n < negatives;) {
      const int item = 1 + draw.below(data.items() - 1);
      if (taken.insert(item).second) items.push_back(item), ++n;
    }
  }
  for (const int item : items) batch.target_item.push_back(number(item_numbers, batch.items, item));
  for (const int query : queries) batch.target_query.push_back(number(query_numbers, batch.queries, query));
  return batch;
}
/// The rows of a CSV file. Only the field number `text` may contain commas; quotes stay in it.
inline std::vector<std::vector<std::string>> read_csv(const std::string& path, int columns, int text) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::vector<std::vector<std::string>> rows;
  std::string line, field;
  std::getline(file, line);  // the header
  for (int number = 2; std::getline(file, line); ++number) {
    std::vector<std::string> row;
    std::istringstream fields(line);
    while (std::getline(fields, field, ',')) row.push_back(field);
    if (static_cast<int>(row.size()) < columns)
      throw std::runtime_error(path + ": line " + std::to_string(number) + " is too short");
    for (; static_cast<int>(row.size()) > columns; row.erase(row.begin() + text + 1)) row[text] += "," + row[text + 1];
    rows.push_back(row);
  }
  return rows;
}
/// MovieLens latest-small: ratings are behaviours, a user's tag of the movie is its query, genres are attributes.
inline Data read_movielens(const std::string& folder) {
  Data data;
  std::map<std::string, int> words, attributes, items, users, queries{{"", 0}};
  const auto id_of = [](std::map<std::string, int>& ids, const std::string& name, int first) {
    return ids.insert({name, static_cast<int>(ids.size()) + first}).first->second;
  };
  const auto word_ids = [&](const std::string& text) {
    std::string word, lower;
    for (const unsigned char c : text) lower += std::isalnum(c) ? static_cast<char>(std::tolower(c)) : ' ';
    std::istringstream words_of(lower);
    Ints ids;
    while (words_of >> word) ids.push_back(id_of(words, word, 1));
    return ids;
  };
  data.item_words.resize(1), data.item_attributes.resize(1), data.query_words.resize(1);
  for (const auto& movie : read_csv(folder + "/movies.csv", 3, 1)) {
    id_of(items, movie[0], 1);
    data.item_words.push_back(word_ids(movie[1]));
    data.item_attributes.emplace_back();
    std::istringstream genres(movie[2]);
    for (std::string genre; std::getline(genres, genre, '|');)
      data.item_attributes.back().push_back(id_of(attributes, genre, 1));
  }
  std::map<std::pair<std::string, std::string>, std::string> tags;
  for (const auto& tag : read_csv(folder + "/tags.csv", 4, 2)) tags[{tag[0], tag[1]}] = tag[2];
  std::vector<std::vector<std::array<long, 3>>> events;  // per user: time, item, query
  for (const auto& rating : read_csv(folder + "/ratings.csv", 4, 2)) {
    const int user = id_of(users, rating[0], 0);
    const auto item = items.find(rating[1]);
    if (item == items.end()) continue;
    const auto tag = tags.find({rating[0], rating[1]});
    const int query = tag == tags.end() ? 0 : id_of(queries, tag->second, 0);
    if (query == static_cast<int>(data.query_words.size())) data.query_words.push_back(word_ids(tag->second));
    events.resize(users.size());
    events[user].push_back({std::stol(rating[3]), item->second, query});
  }
  for (auto& list : events) {
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a[0] < b[0]; });
    data.user_items.emplace_back(), data.user_queries.emplace_back();
    for (const auto& [time, item, query] : list) {
      data.user_items.back().push_back(static_cast<int>(item));
      data.user_queries.back().push_back(static_cast<int>(query));
    }
  }
  data.words += static_cast<int>(words.size()), data.attributes += static_cast<int>(attributes.size());
  return data;
}

// 6 The model.
struct Settings {
  int d = 16, heads = 2, hidden = 16, ages = 16, chunks = 5, k = 10;
  real lambda = 0.5, next_weight = 1, align_weight = 1, relevance_weight = 1, gsu_weight = 1;
};

// Start values. Each parameter has a stream of random numbers that is named after it.
inline Var normal(int rows, int cols, Rng& rng, real std) {
  Var x = matrix(rows, cols);
  for (real& v : x->value) v = std * rng.normal();
  return x;
}
inline Var embedding_table(int rows, int d, Rng rng) {
  Var x = normal(rows, d, rng, 0.1);
  x->table = true;
  return x;
}
inline Var uniform(int in, int out, real bound, Rng rng) {  // U(±bound), drawn for one output after the other
  Var x = matrix(in, out);
  for (int j = 0; j < out; ++j)
    for (int i = 0; i < in; ++i) x->row(i)[j] = -bound + 2 * bound * rng.uniform();
  return x;
}
inline void add_linear(Params& p, const std::string& name, int in, int out, const Rng& rng, bool bias = true) {
  const real bound = 1 / std::sqrt(static_cast<real>(in));
  p[name + ".weight"] = uniform(in, out, bound, rng.split("weight"));
  if (bias) p[name + ".bias"] = uniform(1, out, bound, rng.split("bias"));
}
inline void add_mlp(Params& p, const std::string& name, int in, int hidden, const Rng& rng, bool last_bias) {
  add_linear(p, name + ".layers.0", in, hidden, rng.split(uint64_t{0}));
  add_linear(p, name + ".layers.1", hidden, 1, rng.split(uint64_t{1}), last_bias);
}
inline void add_attention(Params& p, const std::string& name, const Settings& s, const Rng& rng) {
  const real std = 1 / std::sqrt(static_cast<real>(s.d));
  for (const char* w : {"wq", "wk", "wv"}) {
    Rng draw = rng.split(w);
    for (int h = 0; h < s.heads; ++h) p[name + "." + w + "." + std::to_string(h)] = normal(s.d, s.d, draw, std);
  }
  Rng draw = rng.split("wo");
  p[name + ".wo"] = normal(s.heads * s.d, s.d, draw, 1 / std::sqrt(static_cast<real>(s.heads * s.d)));
}
inline void add_encoders(Params& p, const Data& data, const Settings& s, const Rng& rng) {
  p["encoders.words.table"] = embedding_table(data.words, s.d, rng.split("words"));
  p["encoders.attributes.table"] = embedding_table(data.attributes, s.d, rng.split("attributes"));
  p["encoders.item_ids.table"] = embedding_table(data.items(), s.d, rng.split("item_ids"));
  for (const char* map : {"query_map", "text_map", "attribute_map"})
    add_linear(p, std::string("encoders.") + map, s.d, s.d, rng.split(map));
  p["encoders.empty_query"] = matrix(1, s.d);
  p["fusion.item_logits"] = matrix(1, 2);
}
/// The parameters of a PSU.
inline Params psu_params(const Data& data, const Settings& s, const Rng& rng) {
  Params p;
  add_encoders(p, data, s, rng.split("encoders"));
  p["age.table"] = matrix(s.ages, s.d);
  add_attention(p, "attention", s, rng.split("attention"));
  Rng draw = rng.split("eos");
  p["eos"] = normal(1, s.d, draw, 0.02);
  add_mlp(p, "head.mlp", 5 * s.d, s.hidden, rng.split("head"), false);
  add_mlp(p, "relevance", 2 * s.d, s.hidden, rng.split("relevance"), true);
  p["logit_scale"] = matrix(1, 1, {std::log(1 / 0.07)});
  return p;
}
/// The parameters of SEMINAR: G^(j) is the identity at first (paper §3.3.2).
inline Params seminar_params(const Data& data, const Settings& s, const Rng& rng) {
  Params p;
  add_encoders(p, data, s, rng.split("encoders"));
  for (int j = 0; j < 3; ++j) {
    Var g = matrix(s.d, s.d);
    for (int i = 0; i < s.d; ++i) g->row(i)[i] = 1;
    p["gsu.g." + std::to_string(j)] = g;
  }
  add_attention(p, "gsu.attention", s, rng.split("gsu").split("attention"));
  add_mlp(p, "gsu.head.mlp", 5 * s.d, s.hidden, rng.split("gsu").split("head"), false);
  p["gsu.head.bias"] = matrix(1, 1);
  p["esu.age.table"] = matrix(s.ages, s.d);
  add_attention(p, "esu.attention", s, rng.split("esu").split("attention"));
  add_mlp(p, "head.mlp", 5 * s.d, s.hidden, rng.split("head"), false);
  p["head.bias"] = matrix(1, 1);
  return p;
}
/// SEMINAR takes over what the PSU learned: encoders, fusion, ages, and attention and head for both units.
inline void restore(const Params& psu, Params& seminar) {
  for (auto& [name, to] : seminar) {
    std::string from = name;
    for (const char* unit : {"gsu.", "esu."})
      if (from.rfind(unit, 0) == 0) from = from.substr(4);
    if (const auto found = psu.find(from); found != psu.end()) to->value = found->second->value;
  }
}
/// The channels of a batch's distinct queries and items, d numbers each. An item without words has no text.
struct Channels {
  Var query;              // [queries, d]
  std::vector<Var> item;  // text and attributes, [items, d] each
  Row present;            // [items, 2]
};
/// f(.) is the mean of a query's word vectors, g(.) the mean of an item's attribute vectors plus one of its own; each
/// channel is mapped to d numbers by its own W (paper §3.3.1). The empty query has a learned vector.
inline Channels encode(const Params& p, const Data& data, const Batch& batch) {
  const auto map = [&](const char* name, const Var& x) {
    return linear(x, p.at(std::string(name) + ".weight"), p.at(std::string(name) + ".bias"));
  };
  std::vector<Ints> queries, texts, attributes;
  Channels c;
  for (const int query : batch.queries)
    if (query != 0) queries.push_back(data.query_words[query]);
  for (const int item : batch.items) {
    texts.push_back(data.item_words[item]);
    attributes.push_back(data.item_attributes[item]);
    c.present.push_back(!texts.back().empty());
    c.present.push_back(item != 0);
  }
  const Var words = p.at("encoders.words.table");
  c.query = stack(p.at("encoders.empty_query"), map("encoders.query_map", bag(words, queries)));  // ∅ is number 0
  const Var text = map("encoders.text_map", bag(words, texts));
  const Var own = gather(p.at("encoders.item_ids.table"), batch.items);
  const Var attribute = map("encoders.attribute_map", add(bag(p.at("encoders.attributes.table"), attributes), own));
  c.item = {text, attribute};
  return c;
}
/// w = softmax of the learned logits over the channels that an item has: [items, 2].
inline Var item_weights(const Params& p, const Channels& c) {
  return masked_softmax(gather(p.at("fusion.item_logits"), Ints(c.present.size() / 2, 0)), c.present);
}
/// Σ_i w_i x^(i) of these items.
inline Var fuse_items(const Params& p, const Channels& c, const Ints& item) {
  return weighted_sum(gather(item_weights(p, c), item), {gather(c.item[0], item), gather(c.item[1], item)});
}
/// x = λ x_query + (1 - λ) Σ_i w_i x_item^(i) (paper §3.3.1) of pairs.
inline Var fuse(const Params& p, const Channels& c, const Ints& query, const Ints& item, const Settings& s) {
  return add(gather(c.query, query), fuse_items(p, c, item), s.lambda, 1 - s.lambda);
}
/// keys + a vector for the age of each: ages in powers of √2.
inline Var add_ages(const Var& keys, const Var& table, const Ints& ages) {
  Ints buckets;
  for (const int age : ages) buckets.push_back(std::min(table->rows - 1, static_cast<int>(2 * std::log2(age))));
  return add(keys, gather(table, buckets));
}
/// x W_h for every head, side by side: [n, H d].
inline Var project(const Params& p, const std::string& name, const Var& x, int heads) {
  std::vector<Var> parts;
  for (int h = 0; h < heads; ++h) parts.push_back(matmul(x, p.at(name + "." + std::to_string(h))));
  return concat(parts);
}
/// MHTA(q, keys) = Concat_h(softmax((q W_h^Q)(k W_h^K)ᵀ / √d) (k W_h^V)) W^O (paper §3.3.1): [B * T, d]. mask [B, L]
/// leaves padding out; the scores before the softmax go to `alpha` [B * T * H, L].
inline Var mhta(const Params& p, const std::string& name, const Var& q, const Var& keys, const Row& mask, int targets,
                int heads, Row& alpha) {
  const Var asked = project(p, name + ".wq", q, heads), k = project(p, name + ".wk", keys, heads);
  return matmul(attention(asked, k, project(p, name + ".wv", keys, heads), mask, targets, heads, alpha),
                p.at(name + ".wo"));
}
/// x_user: the mean of each history's real behaviours, repeated for its targets: [B * T, d].
inline Var mean_history(const Var& history, const Batch& batch) {
  std::vector<Ints> bags;
  for (int b = 0; b < batch.size; ++b) {
    Ints rows;
    for (int l = 0; l < batch.length; ++l)
      if (batch.mask[b * batch.length + l] != 0) rows.push_back(b * batch.length + l);
    bags.insert(bags.end(), static_cast<std::size_t>(batch.targets), rows);
  }
  return bag(history, bags);
}
/// An MLP with one hidden layer.
inline Var mlp(const Params& p, const std::string& name, const Var& x) {
  const auto bias = p.find(name + ".layers.1.bias");
  const Var hidden = relu(linear(x, p.at(name + ".layers.0.weight"), p.at(name + ".layers.0.bias")));
  return linear(hidden, p.at(name + ".layers.1.weight"), bias == p.end() ? nullptr : bias->second);
}
/// ŷ before its sigmoid: MLP[x_lifelong ; x_user ; x_item ; x_u2i], x_u2i = (x_lifelong ∘ x_item ; x_user ∘ x_item): [B
/// * T, 1].
inline Var predict(const Params& p, const std::string& name, const Var& lifelong, const Var& user, const Var& item) {
  const Var y = mlp(p, name, concat({lifelong, user, item, mul(lifelong, item), mul(user, item)}));
  const auto bias = p.find(name.substr(0, name.rfind(".mlp")) + ".bias");  // the PSU's softmax needs none
  return bias == p.end() ? y : add(y, gather(bias->second, Ints(static_cast<std::size_t>(y->rows), 0)));
}
/// L_PSU = L_next_pair + L_align + L_query_item (paper §3.3.1), each with its weight.
inline Var psu_loss(const Params& p, const Data& data, const Batch& batch, const Settings& s, const Rng& rng) {
  const Channels c = encode(p, data, batch);
  const Var history = fuse(p, c, batch.history_query, batch.history_item, s);
  const Var targets = fuse(p, c, batch.target_query, batch.target_item, s);

  // Next pair: the true one against sampled ones. Keys are the behaviours with their ages, closed by EOS.
  const Var aged = add_ages(history, p.at("age.table"), batch.ages);
  Ints rows;
  Row mask;
  for (int b = 0; b < batch.size; ++b) {
    for (int l = 0; l < batch.length; ++l) {
      rows.push_back(b * batch.length + l);
      mask.push_back(batch.mask[b * batch.length + l]);
    }
    rows.push_back(aged->rows);
    mask.push_back(1);
  }
  const Var keys = gather(stack(aged, p.at("eos")), rows);  // [B * (L + 1), d]
  Row alpha;
  const Var found = mhta(p, "attention", targets, keys, mask, batch.targets, s.heads, alpha);
  const Var next = cross_entropy(predict(p, "head.mlp", found, mean_history(history, batch), targets), batch.targets);

  // Alignment: text and attributes of the same behaviour, where the item has both and stands for the first time.
  Row both = batch.first;
  for (std::size_t l = 0; l < both.size(); ++l)
    if (c.present[2 * batch.history_item[l]] == 0 || c.present[2 * batch.history_item[l] + 1] == 0) both[l] = 0;
  const Var align =
      clip_loss(gather(normalize(c.item[0]), batch.history_item), gather(normalize(c.item[1]), batch.history_item),
                p.at("logit_scale"), batch.length, s.chunks, both);

  // Query and item: the item that a search led to, or another one of the batch.
  Ints queries, items, others;
  Rng draw = rng.split("relevance");
  for (std::size_t l = 0; l < batch.mask.size(); ++l) {
    if (batch.history_query[l] == 0) continue;
    const int item = batch.history_item[l];
    const int other = 1 + draw.below(static_cast<int>(batch.items.size()) - 2);
    queries.push_back(batch.history_query[l]);
    items.push_back(item);
    others.push_back(other < item ? other : other + 1);
  }
  const Var total = add(next, align, s.next_weight, s.align_weight);
  if (queries.empty()) return total;
  Row labels(queries.size(), 1);
  labels.resize(2 * queries.size(), 0);
  queries.insert(queries.end(), queries.begin(), queries.end());
  items.insert(items.end(), others.begin(), others.end());
  const Var relevance = bce(mlp(p, "relevance", concat({gather(c.query, queries), fuse_items(p, c, items)})), labels);
  return add(total, relevance, 1, s.relevance_weight);
}
/// Positions of the k highest scores among the real behaviours, best first, the older of equals first.
inline Ints top_k(const Row& score, const real* mask, int k) {
  Ints best;
  for (int l = 0; l < static_cast<int>(score.size()); ++l)
    if (mask[l] != 0) best.push_back(l);
  std::stable_sort(best.begin(), best.end(), [&](int a, int b) { return score[a] > score[b]; });
  best.resize(std::min(best.size(), static_cast<std::size_t>(k)));
  return best;
}
/// What SEMINAR computes for a batch.
struct Forward {
  Channels channels;       // after G
  Var history, targets;    // fused: [B * L, d], [B * T, d]
  Row gsu_scores;          // [B * T * H, L]
  std::vector<Ints> kept;  // of each target
  Var logits, gsu_logits;  // [B * T, 1]
};
inline Forward seminar_forward(const Params& p, const Data& data, const Batch& batch, const Settings& s) {
  Forward f;
  f.channels = encode(p, data, batch);
  f.channels.query = matmul(f.channels.query, p.at("gsu.g.0"));  // x^GSU(j) = x^PSU(j) G^(j)
  for (int j = 0; j < 2; ++j) f.channels.item[j] = matmul(f.channels.item[j], p.at("gsu.g." + std::to_string(j + 1)));
  f.history = fuse(p, f.channels, batch.history_query, batch.history_item, s);
  f.targets = fuse(p, f.channels, batch.target_query, batch.target_item, s);
  const Var user = mean_history(f.history, batch);

  // GSU: score all L behaviours, keep K by the sum over the heads. Its own prediction is what trains its scores.
  const Var found = mhta(p, "gsu.attention", f.targets, f.history, batch.mask, batch.targets, s.heads, f.gsu_scores);
  f.gsu_logits = predict(p, "gsu.head.mlp", found, user, f.targets);
  int kept = 0;
  for (int n = 0; n < f.targets->rows; ++n) {
    Row sum(static_cast<std::size_t>(batch.length));
    for (int h = 0; h < s.heads; ++h)
      for (int l = 0; l < batch.length; ++l) sum[l] += f.gsu_scores[(n * s.heads + h) * batch.length + l];
    f.kept.push_back(top_k(sum, batch.mask.data() + n / batch.targets * batch.length, s.k));
    kept = std::max(kept, static_cast<int>(f.kept.back().size()));
  }

  // ESU: MHTA over the behaviours that were kept, with their ages. Each target has keys of its own.
  Ints rows, ages;
  Row mask;
  for (int n = 0; n < f.targets->rows; ++n)
    for (int i = 0; i < kept; ++i) {
      const bool real_one = i < static_cast<int>(f.kept[n].size());
      const int row = n / batch.targets * batch.length + (real_one ? f.kept[n][i] : 0);
      rows.push_back(row);
      ages.push_back(batch.ages[row]);
      mask.push_back(real_one);
    }
  const Var keys = add_ages(gather(f.history, rows), p.at("esu.age.table"), ages);  // [B * T * K, d]
  Row alpha;
  const Var lifelong = mhta(p, "esu.attention", f.targets, keys, mask, 1, s.heads, alpha);
  f.logits = predict(p, "head.mlp", lifelong, user, f.targets);
  return f;
}
/// Cross entropy of ŷ and of the GSU's own prediction (paper §3.3.2).
inline Var seminar_loss(const Params& p, const Data& data, const Batch& batch, const Settings& s) {
  const Forward f = seminar_forward(p, data, batch, s);
  Row labels(f.logits->value.size(), 0);
  for (int b = 0; b < batch.size; ++b) labels[b * batch.targets] = 1;
  return add(bce(f.logits, labels), bce(f.gsu_logits, labels), 1, s.gsu_weight);
}

// 7 Training and evaluation. The last action of a user is the test target, the one before it is left out of training
// too.

/// NDCG@10 and HR@10 of the test targets among 99 negatives. Ties count against the model.
inline std::pair<real, real> evaluate(const Params& p, const Data& data, const Settings& s, int history, int users) {
  recording = false;
  real ndcg = 0, hits = 0;
  int count = 0;
  for (int user = 0; user < std::min(users, static_cast<int>(data.user_items.size())); ++user) {
    const int position = static_cast<int>(data.user_items[user].size()) - 1;
    if (position < 1) continue;
    const Batch batch = draw_batch(data, {{user, position}}, history, 99, 1, Rng(42).split("test"));
    const Var logits = seminar_forward(p, data, batch, s).logits;
    const Row& score = logits->value;
    const auto above = std::count_if(score.begin() + 1, score.end(), [&](real x) { return x >= score[0]; });
    if (above < 10) ndcg += 1 / std::log2(above + 2), hits += 1;
    ++count;
  }
  recording = true;
  return {ndcg / count, hits / count};
}

// 8 Multi-modal product quantization (paper §3.3.3). Channel j cuts its vectors into S pieces; a piece's code is the
// number of its nearest centroid. q · k_l ≈ Σ_j γ_j Σ_b T_j[b][code_b], T_j[b][c] = q_b · centroid_{j,b,c}.

/// The number of the row of `centroids` that is nearest to x, the first of equals.
inline int nearest(const real* x, const Var& centroids) {
  int best = 0;
  real least = INFINITY;
  for (int c = 0; c < centroids->rows; ++c) {
    real distance = 0;
    for (int i = 0; i < centroids->cols; ++i) distance += (x[i] - centroids->row(c)[i]) * (x[i] - centroids->row(c)[i]);
    if (distance < least) least = distance, best = c;
  }
  return best;
}

using Codebook = std::vector<Var>;  // of each piece: [K, d / S]
/// k-means for each piece, from random points: points go to the nearest centroid, centroids to the mean of their
/// points.
inline Codebook train_codebook(const Var& vectors, int pieces, int clusters, Rng rng) {
  Codebook codebook;
  const int width = vectors->cols / pieces;
  for (int b = 0; b < pieces; ++b) {
    const Var centroids = matrix(clusters, width);
    for (int c = 0; c < clusters; ++c)
      std::copy_n(vectors->row(rng.below(vectors->rows)) + b * width, width, centroids->row(c));
    for (int step = 0; step < 15; ++step) {
      const Var sums = matrix(clusters, width);
      Ints counts(static_cast<std::size_t>(clusters));
      for (int n = 0; n < vectors->rows; ++n) {
        const real* x = vectors->row(n) + b * width;
        const int c = nearest(x, centroids);
        ++counts[c];
        for (int i = 0; i < width; ++i) sums->row(c)[i] += x[i];
      }
      for (int c = 0; c < clusters; ++c)
        for (int i = 0; i < width && counts[c] > 0; ++i) centroids->row(c)[i] = sums->row(c)[i] / counts[c];
    }
    codebook.push_back(centroids);
  }
  return codebook;
}
/// Codes [n, S] of vectors [n, d].
inline Ints quantize(const Var& vectors, const Codebook& codebook) {
  Ints codes;
  for (int n = 0; n < vectors->rows; ++n)
    for (std::size_t b = 0; b < codebook.size(); ++b)
      codes.push_back(nearest(vectors->row(n) + static_cast<int>(b) * codebook[b]->cols, codebook[b]));
  return codes;
}
/// T[b][c] = q_b · centroid_{b,c}.
inline std::vector<Row> score_table(const real* q, const Codebook& codebook) {
  std::vector<Row> table(codebook.size());
  for (std::size_t b = 0; b < codebook.size(); ++b)
    for (int c = 0; c < codebook[b]->rows; ++c) {
      table[b].push_back(0);
      for (int i = 0; i < codebook[b]->cols; ++i)
        table[b][c] += q[static_cast<int>(b) * codebook[b]->cols + i] * codebook[b]->row(c)[i];
    }
  return table;
}
/// The share of the exact top K that codes find, over the test targets of some users.
inline real recall_by_codes(const Params& p, const Data& data, const Settings& s, int history, int pieces, int clusters,
                            int users) {
  recording = false;
  real found = 0, wanted = 0;
  for (int user = 0; user < std::min(users, static_cast<int>(data.user_items.size())); ++user) {
    const int position = static_cast<int>(data.user_items[user].size()) - 1;
    const Batch batch = draw_batch(data, {{user, position}}, history, 0, 1, Rng(42).split("test"));
    const Forward f = seminar_forward(p, data, batch, s);
    // q Σ_h W_h^Q W_h^Kᵀ: one vector whose product with a behaviour is the sum of the heads' scores.
    Row q(static_cast<std::size_t>(s.d));
    const Var asked = project(p, "gsu.attention.wq", f.targets, s.heads);
    for (int h = 0; h < s.heads; ++h)
      for (int i = 0; i < s.d * s.d; ++i)
        q[i / s.d] += asked->value[h * s.d + i % s.d] * p.at("gsu.attention.wk." + std::to_string(h))->value[i];
    const Var w = item_weights(p, f.channels);
    Row score(static_cast<std::size_t>(batch.length));
    for (int j = 0; j < 3; ++j) {
      const Var& vectors = j == 0 ? f.channels.query : f.channels.item[j - 1];
      const Codebook codebook = train_codebook(vectors, pieces, clusters, Rng(7).split(static_cast<uint64_t>(j)));
      const Ints codes = quantize(vectors, codebook);
      const std::vector<Row> table = score_table(q.data(), codebook);
      for (int l = 0; l < batch.length; ++l) {
        const int row = j == 0 ? batch.history_query[l] : batch.history_item[l];
        const real gamma = j == 0 ? s.lambda : (1 - s.lambda) * w->row(row)[j - 1];
        for (int b = 0; b < pieces; ++b) score[l] += gamma * table[b][codes[row * pieces + b]];
      }
    }
    const Ints by_codes = top_k(score, batch.mask.data(), s.k);
    for (const int l : f.kept[0]) found += std::count(by_codes.begin(), by_codes.end(), l) > 0;
    wanted += static_cast<real>(f.kept[0].size());
  }
  recording = true;
  return found / wanted;
}

// 9 The program.
inline int run(const std::string& folder, int steps, int users) {
  const Data data = read_movielens(folder);
  const Settings s;
  const int history = 40, batch_size = 16;
  std::printf("%zu users, %d items\n", data.user_items.size(), data.items() - 1);
  const auto train = [&](const Params& params, const char* name,
                         const std::function<Var(const Batch&, const Rng&)>& loss) {
    Adam adam{params, 3e-3};
    real mean = 0;
    for (int step = 0; step < steps; ++step) {
      const Rng rng = Rng(1).split(name).split(static_cast<uint64_t>(step));
      Rng draw = rng.split("targets");
      std::vector<Target> some;
      while (static_cast<int>(some.size()) < batch_size) {
        const int user = draw.below(static_cast<int>(data.user_items.size()));
        const int positions = static_cast<int>(data.user_items[user].size()) - 3;  // 1 to N - 3 are for training
        if (positions > 0) some.push_back({user, 1 + draw.below(positions)});
      }
      const Var l = loss(draw_batch(data, some, history, 4, 0.5, rng), rng);
      backward(l);
      adam.step();
      mean += l->value[0];
      const int every = std::max(1, steps / 4);
      if ((step + 1) % every == 0) std::printf("%s step %d: loss %.4f\n", name, step + 1, mean / every), mean = 0;
    }
  };
  Params psu = psu_params(data, s, Rng(1)), model = seminar_params(data, s, Rng(2));
  train(psu, "PSU", [&](const Batch& b, const Rng& rng) { return psu_loss(psu, data, b, s, rng); });
  restore(psu, model);
  train(model, "SEMINAR", [&](const Batch& b, const Rng&) { return seminar_loss(model, data, b, s); });
  const auto [ndcg, hits] = evaluate(model, data, s, history, users);
  std::printf("NDCG@10 %.4f, HR@10 %.4f among 99 negatives (chance: 0.0454, 0.1000)\n", ndcg, hits);
  const real recall = recall_by_codes(model, data, s, history, 4, 16, users / 4);
  std::printf("top %d by codes of 4 x 16: recall %.2f\n", s.k, recall);
  return 0;
}

}  // namespace from_scratch

#ifndef SEMINAR_FROM_SCRATCH_NO_MAIN
int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "apps/demo/ml-latest-small";
  try {
    return from_scratch::run(folder, argc > 2 ? std::stoi(argv[2]) : 400, argc > 3 ? std::stoi(argv[3]) : 610);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "from_scratch: %s\n", e.what());
    return 2;
  }
}
#endif
