#include "seminar/distributed/gradient_sum.h"

#include <algorithm>

#include "nn/optim.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t bucket_numbers = 1 << 18;  // 1 MiB of float: large enough for bandwidth, small enough to start early

Tensor added(Tensor a, const Tensor& b) {
  add_into(a, b);
  return a;
}

// Two lists of rows with ascending ids as one.
SparseGradient added(const SparseGradient& a, const SparseGradient& b) {
  const int64_t width = a.rows.size(1);
  std::vector<int32_t> ids;
  std::vector<real> rows;
  const auto take = [&](const SparseGradient& from, int64_t i) {
    ids.push_back(from.ids[i]);
    rows.insert(rows.end(), from.rows.data() + i * width, from.rows.data() + (i + 1) * width);
  };
  int64_t i = 0, j = 0;
  while (i < a.ids.numel() || j < b.ids.numel()) {
    if (j == b.ids.numel() || (i < a.ids.numel() && a.ids[i] < b.ids[j])) {
      take(a, i++);
    } else if (i == a.ids.numel() || b.ids[j] < a.ids[i]) {
      take(b, j++);
    } else {
      take(a, i++);
      kernels().axpy(width, 1, b.rows.data() + j++ * width, rows.data() + std::ssize(rows) - width);
    }
  }
  const int64_t count = std::ssize(ids);
  return {Ids(std::move(ids)), Tensor::from({count, width}, rows)};
}

// Adds leaf `number` of a balanced binary tree to the sums of the whole subtrees before it.
template <class T>
void add_leaf(std::vector<T>& sums, T leaf, int64_t number) {
  for (; number % 2 == 1; number /= 2) {
    leaf = added(std::move(sums.back()), leaf);
    sums.pop_back();
  }
  sums.push_back(std::move(leaf));
}

// The sum of the whole tree, 2^n leaves.
template <class T>
T tree_sum(std::vector<T> leaves) {
  for (std::size_t width = 1; width < leaves.size(); width *= 2)
    for (std::size_t i = 0; i + width < leaves.size(); i += 2 * width)
      leaves[i] = added(std::move(leaves[i]), leaves[i + width]);
  return std::move(leaves.front());
}

// Rows as bytes: how many, the ids, the numbers.
void write(std::string& out, const SparseGradient& g) {
  const auto add = [&](const void* from, std::size_t bytes) { out.append(static_cast<const char*>(from), bytes); };
  const int64_t count = g.ids.numel();
  add(&count, sizeof count);
  add(g.ids.data(), static_cast<std::size_t>(count) * sizeof(int32_t));
  add(g.rows.data(), static_cast<std::size_t>(g.rows.numel()) * sizeof(real));
}
SparseGradient read(std::string_view& from, int64_t width) {
  const auto get = [&](void* to, std::size_t bytes) {
    if (bytes > from.size()) throw Bug("gradients of rows: a message is too short");
    if (bytes > 0) std::memcpy(to, from.data(), bytes);
    from.remove_prefix(bytes);
  };
  int64_t count = 0;
  get(&count, sizeof count);
  std::vector<int32_t> ids(static_cast<std::size_t>(count));
  get(ids.data(), ids.size() * sizeof(int32_t));
  Tensor rows = Tensor::empty({count, width});
  get(rows.write(), static_cast<std::size_t>(rows.numel()) * sizeof(real));
  return {Ids(std::move(ids)), rows};
}

// The rows whose ids belong to a rank.
SparseGradient owned(const SparseGradient& g, int64_t rank, int64_t ranks) {
  const int64_t width = g.rows.size(1);
  std::vector<int32_t> ids;
  std::vector<real> rows;
  for (int64_t i = 0; i < g.ids.numel(); ++i) {
    if (g.ids[i] % ranks != rank) continue;
    ids.push_back(g.ids[i]);
    rows.insert(rows.end(), g.rows.data() + i * width, g.rows.data() + (i + 1) * width);
  }
  const int64_t count = std::ssize(ids);
  return {Ids(std::move(ids)), Tensor::from({count, width}, rows)};
}

}  // namespace

GradientSum::GradientSum(const Params& params, int64_t shards, Communicator& world)
    : world_(world), shards_(shards), own_(shards / world.size()) {
  check(shards % world.size() == 0,
        "--shards {}: cannot be shared evenly by {} ranks: both must be powers of two, and ranks no more than shards",
        shards, world.size());
  for (auto p = params.rbegin(); p != params.rend(); ++p) {  // backward finishes the last ones first
    if (p->var.is_sparse()) {
      tables_.push_back({p->var, p->var.size(-1)});
      continue;
    }
    if (buckets_.empty() || buckets_.back().numbers >= bucket_numbers) buckets_.emplace_back();
    buckets_.back().params.push_back(p->var);
    buckets_.back().numbers += p->var.value().numel() + 1;
    bucket_of_[p->var.leaf_id()] = buckets_.size() - 1;
  }
  for (Bucket& b : buckets_) b.block = (b.numbers + world.size() - 1) / world.size();
}

int64_t GradientSum::dense_numbers() const {
  int64_t n = 0;
  for (const Bucket& b : buckets_) n += b.block * world_.size();
  return n;
}

void GradientSum::backward(const Var& loss, double weight) {
  const Tensor upstream = Tensor::full(loss.shape(), static_cast<real>(weight));
  if (shards_ == 1) return seminar::backward(loss, upstream);
  next_shard();
  seminar::backward(loss, upstream, [&](LeafId leaf) { leaf_done(leaf); });
  end_shard();
}

void GradientSum::skip() {
  if (shards_ == 1) return;
  next_shard();
  end_shard();
}

void GradientSum::next_shard() {
  if (shard_ == 0) dense_bytes_ = row_bytes_ = 0;
  next_ = 0;
  for (Bucket& b : buckets_) b.awaited = std::ssize(b.params);
}

void GradientSum::end_shard() {
  while (next_ < buckets_.size()) take(buckets_[next_++]);
  for (Table& t : tables_) take(t);
  ++shard_;
}

// All ranks take the buckets in the same order, whatever their graphs look like.
void GradientSum::leaf_done(LeafId leaf) {
  const auto found = bucket_of_.find(leaf);
  if (found == bucket_of_.end()) return;
  --buckets_[found->second].awaited;
  while (next_ < buckets_.size() && buckets_[next_].awaited == 0) take(buckets_[next_++]);
  if (world_.size() > 1) world_.progress();
}

void GradientSum::take(Bucket& bucket) {
  Tensor flat = Tensor::zeros({bucket.block * world_.size()});
  real* out = flat.write();
  for (const Var& param : bucket.params) {
    const Tensor& grad = param.grad();
    if (grad.defined()) std::copy_n(grad.data(), grad.numel(), out);
    out += param.value().numel();
    *out++ = grad.defined() ? 1 : 0;
    param.set_grad(Tensor());
  }
  add_leaf(bucket.sums, flat, shard_);
  if (shard_ + 1 < own_ || world_.size() == 1) return;
  const int64_t before = world_.sent();
  bucket.received = Tensor::empty({world_.size(), bucket.block});
  bucket.ticket = world_.start_all_to_all(bucket.sums.front().data(), bucket.received.write(),
                                          bucket.block * int64_t{sizeof(real)});
  dense_bytes_ += world_.sent() - before;
}

void GradientSum::take(Table& table) {
  if (table.param.grad().defined())
    throw Bug(fmt::format("parameter '{}': has sparse gradients and a dense one", table.param.name()));
  SparseGradient sum = coalesce(table.param.sparse_grads(), table.width);
  table.param.set_sparse_grads({});
  add_leaf(table.sums, std::move(sum), shard_);
}

void GradientSum::finish() {
  if (shards_ == 1) return;
  if (shard_ != own_) throw Bug(fmt::format("gradients: {} of {} shards", shard_, own_));
  shard_ = 0;
  own_rows_ = 0;
  for (const Table& t : tables_) own_rows_ += t.sums.front().ids.numel();
  if (world_.size() > 1) exchange_rows();
  for (Table& t : tables_) {
    std::erase_if(t.sums, [](const SparseGradient& g) { return g.ids.numel() == 0; });
    t.param.set_sparse_grads(std::exchange(t.sums, {}));
  }
  if (world_.size() > 1) exchange_buckets();
  for (Bucket& b : buckets_) {
    put_back(b, b.sums.front());
    b.sums.clear();
  }
}

// Leaves what each rank owns of the sum in sums.
void GradientSum::exchange_rows() {
  const int64_t ranks = world_.size(), before = world_.sent();
  std::vector<std::string> parts(static_cast<std::size_t>(ranks));
  for (int64_t r = 0; r < ranks; ++r)
    for (const Table& t : tables_) write(parts[static_cast<std::size_t>(r)], owned(t.sums.front(), r, ranks));
  const std::vector<std::string> received = world_.all_to_all(parts);
  std::vector<std::string_view> from(received.begin(), received.end());
  std::string mine;
  for (const Table& t : tables_) {
    std::vector<SparseGradient> leaves;
    leaves.reserve(from.size());
    for (std::string_view& message : from) leaves.push_back(read(message, t.width));
    write(mine, tree_sum(std::move(leaves)));
  }
  const std::vector<std::string> sums = world_.all_gather(mine);
  from.assign(sums.begin(), sums.end());
  for (Table& t : tables_) {
    t.sums.clear();
    for (std::string_view& message : from) t.sums.push_back(read(message, t.width));
  }
  row_bytes_ = world_.sent() - before;
}

void GradientSum::exchange_buckets() {
  const int64_t ranks = world_.size(), before = world_.sent();
  for (Bucket& b : buckets_) {
    world_.wait(b.ticket);
    std::vector<Tensor> slices;
    slices.reserve(static_cast<std::size_t>(ranks));
    for (int64_t r = 0; r < ranks; ++r) slices.push_back(b.received.slice(0, r, r + 1).clone());
    const Tensor sum = tree_sum(std::move(slices));
    real* slots = b.sums.front().write();
    std::copy_n(sum.data(), b.block, slots + world_.rank() * b.block);
    b.ticket = world_.start_all_gather(slots, b.block * int64_t{sizeof(real)});
  }
  for (Bucket& b : buckets_) {
    world_.wait(b.ticket);
    b.received = Tensor();
  }
  dense_bytes_ += world_.sent() - before;
}

void GradientSum::put_back(const Bucket& bucket, const Tensor& sum) {
  int64_t begin = 0;
  for (const Var& param : bucket.params) {
    const int64_t end = begin + param.value().numel();
    if (sum.data()[end] > 0) param.set_grad(sum.slice(0, begin, end).clone().reshape(param.shape()));
    begin = end + 1;
  }
}

}  // namespace seminar::inline SEMINAR_PRECISION
