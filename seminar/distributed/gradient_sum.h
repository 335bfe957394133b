// The gradients of a step's shards as one sum: the same bits whoever computed which shard.
//
// Shards are numbered; their gradients are added as the leaves of a balanced binary tree. A rank has a whole subtree
// and adds it up on its own; the ranks' sums are the tree's upper part. Dense gradients go in buckets, each sent as
// soon as backward has finished with its parameters: every rank gets one slice of it from all, adds them in the tree's
// order and gives the sum to all, which are the bytes of a ring all-reduce, 2 (N-1)/N of the bucket, but in a fixed
// order, which MPI_Allreduce does not promise. Sparse gradients go by id: sorted, each to the rank id mod N, which adds
// them and gives the sums to all. Dense buckets hold no table whose gradients are sparse.
#pragma once

#include <unordered_map>

#include "nn/module.h"
#include "seminar/distributed/communicator.h"

namespace seminar::inline SEMINAR_PRECISION {

class GradientSum {
 public:
  /// For steps of `shards` shards, a power of two, that the ranks of `world` share evenly: rank r has those from
  /// r · shards / N on. Throws Error if they cannot.
  GradientSum(const Params& params, int64_t shards, Communicator& world);
  /// Runs backward of the next of this rank's shards, whose loss has the given weight in the step's.
  void backward(const Var& loss, double weight);
  /// Passes over a shard without targets.
  void skip();
  /// After the rank's last shard: all parameters have the gradient of the whole step, as backward leaves it.
  void finish();

  /// Bytes that this rank sent in the last step.
  int64_t dense_bytes() const { return dense_bytes_; }
  int64_t row_bytes() const { return row_bytes_; }
  /// Distinct rows of tables that have a gradient in this rank's shards of the last step; not counted for one shard.
  int64_t own_rows() const { return own_rows_; }
  /// Numbers in all dense buckets: one for each of the parameters' numbers and one for each parameter, telling whether
  /// any shard has a gradient for it, and what fills each bucket up to a multiple of N.
  int64_t dense_numbers() const;

 private:
  struct Bucket {
    std::vector<Var> params;
    int64_t numbers = 0, block = 0;  // block: a rank's slice
    int64_t awaited = 0;             // parameters that backward has not finished with
    std::vector<Tensor> sums{};      // of the subtrees so far, the largest first
    Tensor received{};
    int64_t ticket = 0;
  };
  struct Table {
    Var param;
    int64_t width;
    std::vector<SparseGradient> sums{};
  };
  void next_shard();
  /// Takes what backward did not reach.
  void end_shard();
  void leaf_done(LeafId leaf);
  void take(Bucket& bucket);
  void take(Table& table);
  void exchange_rows();
  void exchange_buckets();
  void put_back(const Bucket& bucket, const Tensor& sum);

  Communicator& world_;
  int64_t shards_, own_;  // of a step, and of them this rank's
  std::vector<Bucket> buckets_;
  std::vector<Table> tables_;
  std::unordered_map<LeafId, std::size_t> bucket_of_;
  int64_t shard_ = 0;     // of the rank's own
  std::size_t next_ = 0;  // bucket to take
  int64_t dense_bytes_ = 0, row_bytes_ = 0, own_rows_ = 0;
};

}  // namespace seminar::inline SEMINAR_PRECISION
