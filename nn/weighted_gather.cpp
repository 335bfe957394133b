#include "nn/weighted_gather.h"

#include "autograd/op_row.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

namespace {

constexpr int64_t ahead = 8;  // rows that stand anywhere in memory are asked for so many rows before they are needed

}  // namespace

// y[n] = Σ_c γ[n,c] X_c[id_c[n]]:  dγ[n,c] = g[n] · X_c[id_c[n]],  dX_c[id_c[n]] += γ[n,c] g[n]. Saves γ and the
// tables.
Var weighted_gather(const Var& gamma, std::span<const Var> tables, std::span<const Ids> ids) {
  check_inputs("weighted_gather", {gamma});
  const int64_t channels = std::ssize(tables);
  check(channels > 0 && tables.size() == ids.size() && gamma.rank() == 2 && gamma.size(1) == channels,
        "weighted_gather: gamma {} for {} tables and {} lists of ids", gamma.shape(), tables.size(), ids.size());
  std::vector<VarRef> inputs{gamma};
  inputs.insert(inputs.end(), tables.begin(), tables.end());
  check_inputs("weighted_gather", inputs);
  const int64_t count = gamma.size(0), width = tables[0].rank() == 2 ? tables[0].size(1) : 0;
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
            std::vector<real> row_weights;
            for (int64_t k = begin; k < end; ++k) {
              rows.clear();
              for (int64_t j = groups.offsets[k]; j < groups.offsets[k + 1]; ++j) {
                rows.push_back(g.data() + int64_t{groups.order[j]} * width);
                if (j + ahead < groups.offsets[end])
                  prefetch(g.data() + int64_t{groups.order[j + ahead]} * width, width);
              }
              for (const auto& [channel, dx] : same) {
                row_weights.clear();
                for (int64_t j = groups.offsets[k]; j < groups.offsets[k + 1]; ++j)
                  row_weights.push_back(w[int64_t{groups.order[j]} * channels + channel]);
                kernels().weighted_sum(width, std::ssize(rows), row_weights.data(), rows.data(), true,
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
