// Ops that read rows of tables by index. Their table gradients are sparse where the table is a leaf that asks for it.
#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

// y[i] = table[ids[i]]:  dtable[ids[i]] += g[i]
Var embedding(const Var& table, const Ids& ids) {
  check_inputs("embedding", {table});
  return record("embedding", gather_rows("embedding", table.value(), ids), {table},
                [ids](const Tensor& g, Sink in) { in.add_sparse(0, ids, g); });
}
OP_ROW(embedding,
       {.samples =
            [](Rng& rng) {
              const Ids ids({2, 3}, {4, 0, 4, 1, 1, 4});
              return std::vector<OpSample>{
                  {{Tensor::normal({5, 6}, rng)},
                   [ids](std::span<const Var> in) { return embedding(in[0], ids); },
                   [ids](std::span<const Tensor> in) {
                     return tabulate({2, 3, 6}, [&](int64_t i) { return in[0].at({ids[i / 6], i % 6}); });
                   }},
                  {{Tensor::normal({1, 1}, rng)}, [](std::span<const Var> in) { return embedding(in[0], Ids({0})); }},
                  {{Tensor::normal({3, 2}, rng)}, [](std::span<const Var> in) { return embedding(in[0], Ids()); }}};
            },
        .errors = {{[] {
                      embedding(Tensor::zeros({3, 2}), Ids({0, 3}));
                    },
                    "embedding: index 3 outside a table of 3 rows"},
                   {[] {
                      embedding(Tensor::zeros({3, 2}), Ids({-1}));
                    },
                    "embedding: index -1"},
                   {[] { embedding(Tensor::zeros({3}), Ids({0})); }, "embedding: the table must have two axes"}}});

// y[n] = mean of table[ids[j]] over the bag's j:  dtable[ids[j]] += g[n] / size of bag n
Var embedding_bag(const Var& table, const Ids& ids, const Ids& offsets) {
  check_inputs("embedding_bag", {table});
  check(table.rank() == 2, "embedding_bag: the table must have two axes, not shape {}", table.shape());
  check(offsets.numel() >= 1 && offsets[0] == 0 && offsets[offsets.numel() - 1] == ids.numel(),
        "embedding_bag: bags must cover all {} ids", ids.numel());
  const int64_t bags = offsets.numel() - 1, width = table.size(1), count = table.size(0);
  for (int64_t n = 0; n < bags; ++n)
    check(offsets[n] <= offsets[n + 1], "embedding_bag: bag {} ends before it starts", n);
  const Tensor source = table.value().contiguous();
  Tensor y = Tensor::zeros({bags, width});
  parallel_for(bags, row_grain(4 * width), [&, out = y.write(), x = source.data()](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const real weight = 1 / static_cast<real>(offsets[n + 1] - offsets[n]);
      for (int64_t j = offsets[n]; j < offsets[n + 1]; ++j) {
        check(ids[j] >= 0 && ids[j] < count, "embedding_bag: index {} outside a table of {} rows", ids[j], count);
        kernels().axpy(width, weight, x + ids[j] * width, out + n * width);
      }
    }
  });
  return record("embedding_bag", y, {table}, [ids, offsets, width](const Tensor& g, Sink in) {
    Tensor rows = Tensor::empty({ids.numel(), width});
    parallel_for(offsets.numel() - 1, row_grain(4 * width), [&, out = rows.write()](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const real weight = 1 / static_cast<real>(offsets[n + 1] - offsets[n]);
        for (int64_t j = offsets[n]; j < offsets[n + 1]; ++j)
          kernels().binary(Binary::mul, width, out + j * width, g.data() + n * width, 1, &weight, 0);
      }
    });
    in.add_sparse(0, ids, rows);
  });
}
OP_ROW(embedding_bag,
       {.samples =
            [](Rng& rng) {
              const Ids ids({3, 1, 1, 0}), offsets({0, 2, 2, 4});
              return std::vector<OpSample>{
                  {{Tensor::normal({4, 5}, rng)},
                   [=](std::span<const Var> in) { return embedding_bag(in[0], ids, offsets); },
                   [=](std::span<const Tensor> in) {
                     return tabulate({3, 5}, [&](int64_t i) {
                       const auto row = [&](int64_t id) { return in[0].at({id, i % 5}); };
                       return i / 5 == 0 ? (row(3) + row(1)) / 2 : i / 5 == 1 ? 0 : (row(1) + row(0)) / 2;
                     });
                   }},
                  {{Tensor::normal({2, 3}, rng)}, [](std::span<const Var> in) {
                     return embedding_bag(in[0], Ids(), Ids({0, 0}));
                   }}};
            },
        .errors = {{[] {
                      embedding_bag(Tensor::zeros({3, 2}), Ids({0, 1}), Ids({0, 1}));
                    },
                    "embedding_bag: bags must cover all 2 ids"},
                   {[] {
                      embedding_bag(Tensor::zeros({3, 2}), Ids({0, 7}), Ids({0, 2}));
                    },
                    "embedding_bag: index 7"},
                   {[] {
                      embedding_bag(Tensor::zeros({3, 2}), Ids({0, 1}), Ids({0, 5000, 2}));
                    },
                    "embedding_bag: bag 1 ends before"},
                   {[] {
                      embedding_bag(Tensor::zeros({3, 2}), Ids({0, 1}), Ids({0, 2, 1, 2}));
                    },
                    "embedding_bag: bag 1 ends before"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
