// A training step of the search unit: gate, target attention and head over L behaviours (paper §3.3.1), from tables of
// distinct queries and items, against libtorch with the formulas as written and with the same algebra.
#include "apps/bench/measure.h"
#include "apps/bench/rival.h"
#include "nn/attention.h"
#include "nn/optim.h"
#include "seminar/model/fusion.h"
#include "seminar/model/head.h"
#include "seminar/model/model.h"
#include "tensor/parallel.h"
#include "tensor/pool.h"

namespace seminar::bench {
namespace {

// What the channels' vectors are looked up in: wants gradients, is not trained here.
struct Tables {
  std::vector<Param> all;
  void visit(auto&& f) const { f("all", all); }
};

struct SearchUnitStep {
  static constexpr int64_t batch = 256, length = 1000, width = 64, heads = 4, items = 20000, queries = 2000;
  Tables tables;
  Fusion fusion;
  TargetAttention attention;
  Head head;
  PairIds history, targets;
  Tensor mask = Tensor::full({batch, length}, 1), labels = Tensor::zeros({batch, 1});
  Adam adam;
  void visit(auto&& f) const {
    f("fusion", fusion);
    f("attention", attention);
    f("head", head);
  }
  explicit SearchUnitStep(Rng rng)
      : fusion(gate(), 3, rng.split("fusion")),
        attention(width, heads, rng.split("attention")),
        head(gate(), rng.split("head")),
        history(draw(batch * length, rng.split("history"))),
        targets(draw(batch, rng.split("targets"))),
        adam(parameters(*this), {}) {
    for (int64_t c = 0; c < 4; ++c)
      tables.all.emplace_back(Tensor::normal({c == 0 ? queries : items, width}, rng, 0.1));
    for (int64_t b = 0; b < batch; b += 2) labels.write()[b] = 1;
  }
  void operator()() {
    const std::vector<Param>& t = tables.all;
    const Channels vectors{t[0], {t[1], t[2], t[3]}, Tensor::full({items, 3}, 1)};
    const Var keys = reshape(fusion(vectors, history), {batch, length, width}),
              asked = reshape(fusion(vectors, targets), {batch, 1, width});
    const Var logits = head.y_hat(attention(asked, keys, mask), masked_mean(keys, mask), asked, Mode());
    backward(bce_with_logits(logits, labels));
    adam.step();
    zero_grad(parameters(tables));
  }

 private:
  static ModelSettings gate() {
    ModelSettings s;
    s.fusion = "gate";
    s.dim = s.hidden = width;
    return s;
  }
  static PairIds draw(int64_t n, Rng rng) {
    std::vector<int32_t> query, item;
    for (int64_t i = 0; i < n; ++i) {
      query.push_back(static_cast<int32_t>(rng.chance(0.25) ? rng.below(queries) : 0));
      item.push_back(static_cast<int32_t>(rng.below(items)));
    }
    return {Ids(std::move(query)), Ids(std::move(item))};
  }
};

// A new step and a new rival, so that nothing else is counted.
Line peak_memory(const std::string& work, const std::string& rivals) {
  constexpr double mega = 1e6;
  const double before = static_cast<double>(pool::stats().live_bytes);
  pool::reset_peak();
  SearchUnitStep step(Rng(1));
  step();
  step();
  Rival torch(rivals + "/torch_rival", "");
  const double at_start = torch.ask("peak");
  for (int i = 0; i < 2; ++i) torch.ask("psu_folded");
  Line line;
  line.work = work + ", peak memory";
  line.rival = "libtorch, the same algebra";
  line.goal = 2;
  line.unit = "MB";
  line.ours = (static_cast<double>(pool::stats().peak_bytes) - before) / mega;
  line.theirs = torch.ask("peak") - at_start;
  line.ratio = line.low = line.high = line.theirs / line.ours;
  line.note = "tensors against growth of resident memory";
  return line;
}

}  // namespace

std::vector<Line> train_suite(const std::string& rivals, int repeats) {
  std::vector<Line> lines;
  SearchUnitStep step(Rng(1));
  const int before = threads();
  const auto with_threads = [&](int count) {
    set_threads(count);
    const double time = time_of([&] { step(); });
    set_threads(before);
    return time;
  };
  const std::string work = "search unit step, L = 1000, batch 256";
  lines.push_back(compare(
      work + ", 2 threads", "1 thread", 1.7, repeats,
      [&] {
        set_threads(2);
        step();
        set_threads(before);
      },
      [&] { return with_threads(1); }));
  Rival torch(rivals + "/torch_rival", "");
  if (torch.missing()) return lines;
  for (const int count : {1, 2}) {
    set_threads(count);
    torch.ask(fmt::format("threads {}", count));
    const std::string on = count == 1 ? ", 1 thread" : ", 2 threads";
    for (const auto& [name, rival, goal] : {std::tuple{"psu_written", "libtorch, formulas as written", 10.0},
                                            {"psu_folded", "libtorch, the same algebra", 2.5}})
      lines.push_back(compare_timed(
          work + on, rival, count == 2 ? goal : 0, repeats, [&] { step(); },
          [&, asked = name] { return torch.ask(asked); }));
    set_threads(before);
  }
  lines.push_back(peak_memory(work, rivals));
  return lines;
}

}  // namespace seminar::bench
