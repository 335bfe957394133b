// seminar inspect
#include <fmt/format.h>

#include <cmath>

#include "apps/cli.h"
#include "tensor/safetensors.h"

namespace seminar {

void add_inspect_command(CLI::App& app) {
  auto path = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("inspect", "Print what a safetensors file holds: metadata, tensors, shapes, norms");
  command->add_option("file", *path, "a .safetensors file")->required();
  command->callback([path] {
    const SafetensorsFile file(*path);
    for (const auto& [key, value] : file.metadata()) fmt::print("{}: {}\n", key, value);
    int64_t total = 0;
    for (const auto& [name, entry] : file.entries()) {
      total += entry.shape.numel();
      const bool numbers = entry.dtype == Dtype::f32 || entry.dtype == Dtype::f64;
      double square = 0;
      if (numbers)
        for (real x : file.tensor(name).to_vector()) square += static_cast<double>(x) * static_cast<double>(x);
      fmt::print("{:<40} {:<20} {}\n", name, fmt::format("{}", entry.shape),
                 numbers ? fmt::format("norm {:.4f}", std::sqrt(square)) : "integers");
    }
    fmt::print("{} tensors, {} numbers\n", file.entries().size(), total);
  });
}

}  // namespace seminar
