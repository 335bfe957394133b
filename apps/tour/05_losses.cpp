// Chapter 5: the three losses that pretrain the search unit (docs/tour/5-losses.md).
#include <fmt/core.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "nn/clip_loss.h"
#include "nn/optim.h"
#include "seminar/data/synthetic.h"
#include "seminar/model/psu.h"
#include "seminar/training/model_file.h"
#include "tensor/parallel.h"

using namespace seminar;

int main() {
  set_threads(1);  // the steps are so small that a second thread costs more than it brings
  // What a model that knows nothing pays: ln of the number of choices.
  fmt::print("knowing nothing: next pair ln 5 = {:.4f}, relevance ln 2 = {:.4f}\n", std::log(5), std::log(2));

  // The CLIP loss of n = 8 pairs of unit vectors that agree within pairs and are orthogonal between them, scale s.
  Tensor eye = Tensor::zeros({1, 8, 8});
  for (int i = 0; i < 8; ++i) eye.write()[i * 9] = 1;
  for (const int chunks : {1, 2, 4})
    fmt::print("CLIP loss of 8 aligned pairs, s = 2, {} chunk{}: {:.4f}; by hand {:.4f}\n", chunks,
               chunks > 1 ? "s" : "", clip_loss(eye, eye, Tensor::scalar(2), chunks).value().item(),
               chunks * std::log(1 + (8.0 / chunks - 1) * std::exp(-2.0)));
  fmt::print("pairs compared: {} in 1 chunk, {} in 4\n\n", 8 * 8, 4 * 2 * 2);

  // A PSU on generated data whose queries and texts tell the topic: 200 steps of Adam.
  const std::string folder = std::filesystem::temp_directory_path() / fmt::format("seminar-tour-{}", ::getpid());
  SyntheticSettings world;
  world.users = 60, world.items = 200, world.topics = 8, world.min_length = 30, world.max_length = 60;
  world.picture_size = world.feature_width = world.exposures = 0;
  generate_dataset(world, folder, nullptr);
  const Dataset data = Dataset::open(folder);
  ModelSettings settings;
  settings.dim = 16, settings.heads = 2, settings.text = "bag", settings.hidden = 16;
  const auto psu = make_model("psu", settings, data, Rng(1));
  // An eps above the noise of gradients that are zero but for rounding: figures that do not depend on the machine.
  Adam adam(psu->params(), {.lr = 1e-2, .eps = 1e-4});
  RunSettings run;
  run.dropout = 0;
  const EpochTargets epoch(data, 20, 20, 50, Rng(2));
  for (int step = 0; step <= 200; ++step) {
    std::vector<LossPart> parts;
    const Batch batch = make_batch(data, epoch(step % epoch.batches()), {50, 4, 0}, Rng(3));
    const Var loss = psu->loss(data, batch, run, {true, 0, Rng(4).split(static_cast<uint64_t>(step))}, &parts);
    if (step % 100 == 0)
      fmt::print("step {:>3}: next {:.2f}, align {:.2f}, relevance {:.2f}\n", step, parts[0].value, parts[1].value,
                 parts[2].value);
    backward(loss);
    adam.step();
  }
  std::filesystem::remove_all(folder);
}
