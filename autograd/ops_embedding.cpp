// Ops that read rows of tables by index. Their table gradients are rows, not dense tables, where the table is a
// parameter that asks for it (Node::row_gradient).
#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

// y[i] = table[ids[i]]:  dtable[ids[i]] += g[i]
Var embedding(const Var& table, const Ids& ids) {
  return record("embedding", gather_rows("embedding", table.value(), ids), {table},
                [ids](const Tensor& g, Sink in) { in.rows(0, ids, g); });
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
Var embedding_bag(const Var& table, const Ids& ids, const Ids& start) {
  check(table.rank() == 2, "embedding_bag: the table must have two axes, not shape {}", table.shape());
  check(start.numel() >= 1 && start[0] == 0 && start[start.numel() - 1] == ids.numel(),
        "embedding_bag: bags must cover all {} ids", ids.numel());
  const int64_t bags = start.numel() - 1, width = table.size(1), count = table.size(0);
  const Tensor source = table.value().contiguous();
  Tensor y = Tensor::zeros({bags, width});
  parallel_for(bags, row_grain(4 * width), [&, out = y.write(), x = source.data()](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      check(start[n] <= start[n + 1], "embedding_bag: bag {} ends before it starts", n);
      const real share = 1 / static_cast<real>(start[n + 1] - start[n]);
      for (int64_t j = start[n]; j < start[n + 1]; ++j) {
        check(ids[j] >= 0 && ids[j] < count, "embedding_bag: index {} outside a table of {} rows", ids[j], count);
        kernels().axpy(width, share, x + ids[j] * width, out + n * width);
      }
    }
  });
  return record("embedding_bag", y, {table}, [ids, start, width](const Tensor& g, Sink in) {
    Tensor rows = Tensor::empty({ids.numel(), width});
    parallel_for(start.numel() - 1, row_grain(4 * width), [&, out = rows.write()](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const real share = 1 / static_cast<real>(start[n + 1] - start[n]);
        for (int64_t j = start[n]; j < start[n + 1]; ++j)
          kernels().binary(Binary::mul, width, out + j * width, g.data() + n * width, 1, &share, 0);
      }
    });
    in.rows(0, ids, rows);
  });
}
OP_ROW(embedding_bag,
       {.samples =
            [](Rng& rng) {
              const Ids ids({3, 1, 1, 0}), start({0, 2, 2, 4});
              return std::vector<OpSample>{
                  {{Tensor::normal({4, 5}, rng)},
                   [=](std::span<const Var> in) { return embedding_bag(in[0], ids, start); },
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
                      embedding_bag(Tensor::zeros({3, 2}), Ids({0, 1}), Ids({0, 2, 1, 2}));
                    },
                    "embedding_bag: bag 1 ends before"}}});

namespace {

constexpr int64_t ahead = 8;  // rows that stand anywhere in memory are asked for so many rows before they are needed

}  // namespace

// y[n] = Σ_c γ[n,c] X_c[id_c[n]]:  dγ[n,c] = g[n] · X_c[id_c[n]],  dX_c[id_c[n]] += γ[n,c] g[n]. Saves γ and the
// tables.
Var weighted_gather(const Var& gamma, std::span<const Var> tables, std::span<const Ids> ids) {
  const int64_t channels = static_cast<int64_t>(tables.size());
  check(channels > 0 && tables.size() == ids.size() && gamma.rank() == 2 && gamma.size(1) == channels,
        "weighted_gather: gamma {} for {} tables and {} lists of ids", gamma.shape(), tables.size(), ids.size());
  const int64_t count = gamma.size(0), width = tables[0].size(-1);
  std::vector<Saved> saved;
  for (int64_t c = 0; c < channels; ++c) {
    check(tables[c].rank() == 2 && tables[c].size(1) == width && ids[c].numel() == count,
          "weighted_gather: channel {}: table {}, {} ids for gamma {}", c, tables[c].shape(), ids[c].numel(),
          gamma.shape());
    for (int32_t id : ids[c].span())
      check(id >= 0 && id < tables[c].size(0), "weighted_gather: channel {}: index {} outside a table of {} rows", c,
            id, tables[c].size(0));
    saved.emplace_back(tables[c].value().contiguous());
  }
  const Tensor weights = gamma.value().contiguous();
  Tensor y = Tensor::empty({count, width});
  parallel_for(count, row_grain(width * channels),
               [&, out = y.write(), w = weights.data()](int64_t begin, int64_t end) {
                 std::vector<const real*> tables_data, rows(static_cast<std::size_t>(channels));
                 for (const Saved& table : saved) tables_data.push_back(table->data());
                 for (int64_t n = begin; n < end; ++n) {
                   for (int64_t c = 0; c < channels; ++c) {
                     rows[c] = tables_data[c] + int64_t{ids[c][n]} * width;
                     if (n + ahead < end) prefetch(tables_data[c] + int64_t{ids[c][n + ahead]} * width, width);
                   }
                   kernels().weighted_sum(width, channels, w + n * channels, rows.data(), false, out + n * width);
                 }
               });
  std::vector<Var> inputs{gamma};
  inputs.insert(inputs.end(), tables.begin(), tables.end());
  std::vector<Ids> kept(ids.begin(), ids.end());
  return record(
      "weighted_gather", y, inputs,
      [kept = std::move(kept), saved = std::move(saved), weights = Saved(weights), channels, count, width](
          const Tensor& g, Sink in) {
        const real* w = weights->data();
        if (in.needs(0)) {
          real* dw = in.acc(0).write();
          parallel_for(count, row_grain(width * channels), [&](int64_t begin, int64_t end) {
            for (int64_t n = begin; n < end; ++n)
              for (int64_t c = 0; c < channels; ++c) {
                const real* table = saved[c]->data();
                if (n + ahead < end) prefetch(table + int64_t{kept[c][n + ahead]} * width, width);
                dw[n * channels + c] += kernels().dot(width, g.data() + n * width, table + int64_t{kept[c][n]} * width);
              }
          });
        }
        std::vector<bool> done(static_cast<std::size_t>(channels));
        for (int64_t c = 0; c < channels; ++c) {
          if (done[c] || !in.needs(static_cast<int>(c) + 1)) continue;
          std::vector<std::pair<int64_t, real*>> same;  // channels that are read by the same ids, and their gradients
          for (int64_t other = c; other < channels; ++other) {
            const int input = static_cast<int>(other) + 1;
            if (!in.needs(input) || kept[other].data() != kept[c].data()) continue;
            same.emplace_back(other, in.acc(input).write());
            done[other] = true;
          }
          const Groups groups = group_by_id(kept[c].span());
          parallel_for(std::ssize(groups.ids), row_grain(4 * width), [&](int64_t begin, int64_t end) {
            std::vector<const real*> rows;
            std::vector<real> shares;
            for (int64_t k = begin; k < end; ++k) {
              rows.clear();
              for (int64_t j = groups.start[k]; j < groups.start[k + 1]; ++j) {
                rows.push_back(g.data() + int64_t{groups.order[j]} * width);
                if (j + ahead < groups.start[end]) prefetch(g.data() + int64_t{groups.order[j + ahead]} * width, width);
              }
              for (const auto& [channel, dx] : same) {
                shares.clear();
                for (int64_t j = groups.start[k]; j < groups.start[k + 1]; ++j)
                  shares.push_back(w[int64_t{groups.order[j]} * channels + channel]);
                kernels().weighted_sum(width, std::ssize(rows), shares.data(), rows.data(), true,
                                       dx + int64_t{groups.ids[k]} * width);
              }
            }
          });
        }
      });
}
OP_ROW(weighted_gather,
       {.samples =
            [](Rng& rng) {
              const std::vector<Ids> ids{Ids({0, 2, 2, 1}), Ids({1, 1, 0, 1})};
              return std::vector<OpSample>{
                  {{Tensor::normal({4, 2}, rng), Tensor::normal({3, 5}, rng), Tensor::normal({2, 5}, rng)},
                   [=](std::span<const Var> in) { return weighted_gather(in[0], in.subspan(1), ids); },
                   [=](std::span<const Tensor> in) {
                     return tabulate({4, 5}, [&](int64_t i) {
                       const int64_t n = i / 5, k = i % 5;
                       return in[0].at({n, 0}) * in[1].at({ids[0][n], k}) + in[0].at({n, 1}) * in[2].at({ids[1][n], k});
                     });
                   }},
                  {{Tensor::normal({0, 1}, rng), Tensor::normal({3, 2}, rng)}, [](std::span<const Var> in) {
                     return weighted_gather(in[0], in.subspan(1), std::vector<Ids>{Ids()});
                   }}};
            },
        .errors = {{[] {
                      weighted_gather(Tensor::zeros({2, 2}), std::vector<Var>{Tensor::zeros({3, 2})},
                                      std::vector<Ids>{Ids({0, 0})});
                    },
                    "weighted_gather: gamma [2, 2] for 1 tables"},
                   {[] {
                      weighted_gather(Tensor::zeros({2, 1}), std::vector<Var>{Tensor::zeros({3, 2})},
                                      std::vector<Ids>{Ids({0, 3})});
                    },
                    "weighted_gather: channel 0: index 3 outside a table of 3 rows"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
