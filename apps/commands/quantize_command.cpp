// seminar quantize
#include <fmt/format.h>

#include <cmath>

#include "apps/cli.h"
#include "seminar/retrieval/quantized_model.h"
#include "seminar/training/model_file.h"
#include "tensor/gemm.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct QuantizeArguments {
  std::string data, model, out;
  QuantizeOptions options;
};

// How much of a channel's variance its codes keep, from 1 down.
double kept_variance(const ProductQuantizer& q, const Tensor& x, const std::vector<ProductQuantizer::Code>& codes) {
  const Tensor back = q.decode(codes);
  const int64_t n = x.size(0), d = x.size(1);
  double error = 0, square = 0;
  std::vector<double> mean(static_cast<std::size_t>(d), 0);
  for (int64_t i = 0; i < n * d; ++i) mean[i % d] += static_cast<double>(x.data()[i]) / static_cast<double>(n);
  for (int64_t i = 0; i < n * d; ++i) {
    error += std::pow(static_cast<double>(x.data()[i] - back.data()[i]), 2);
    square += std::pow(static_cast<double>(x.data()[i]) - mean[i % d], 2);
  }
  return square > 0 ? 1 - error / square : 1;
}

void run(const QuantizeArguments& a) {
  const Dataset data = Dataset::open(a.data);
  const std::unique_ptr<Model> model = load_model(a.model, data);
  const SeminarModel* seminar = dynamic_cast<const SeminarModel*>(model.get());
  check(seminar, "{}: a {} model has no GSU to quantize for", a.model, model->kind());
  check(seminar->settings().dim % a.options.sub_quantizers == 0, "--sub-quantizers: must divide --dim {}: {}",
        seminar->settings().dim, a.options.sub_quantizers);
  const QuantizedChannels channels = quantize_model(*seminar, data, a.options);
  save_quantized(channels, *seminar, a.out);
  // The channels as they are coded, under the transform.
  ChannelTables tables = channel_tables(*seminar, data);
  tables.query = matmul(tables.query, channels.transform.key);
  for (Tensor& t : tables.item) t = matmul(t, channels.transform.key);
  const auto& quantizers = channels.quantizer->channels();
  print_out("query: {} vectors, {:.1f} % of the variance kept\n", tables.query.size(0),
            100 * kept_variance(quantizers[0], tables.query, channels.query));
  for (std::size_t m = 0; m < tables.item.size(); ++m)
    print_out("item channel {}: {} vectors, {:.1f} % of the variance kept\n", m, tables.item[m].size(0),
              100 * kept_variance(quantizers[m + 1], tables.item[m], channels.item[m]));
  const double bits = static_cast<double>(std::ssize(quantizers) * a.options.sub_quantizers) *
                      std::log2(static_cast<double>(a.options.centroids));
  print_out("{} x {} codes a channel, {:.1f} bytes a behaviour, written to {}\n", a.options.sub_quantizers,
            a.options.centroids, bits / 8, a.out);
}

}  // namespace

void add_quantize_command(CLI::App& app) {
  auto a = std::make_shared<QuantizeArguments>();
  CLI::App* command =
      app.add_subcommand("quantize", "Train codebooks on a model's channels and code all items and queries");
  add_input(*command, "--data", a->data, "data set folder", "FOLDER")->required();
  add_input(*command, "--model", a->model, "SEMINAR model file")->required();
  add_output(*command, "--out", a->out, "file for codebooks and codes")->required();
  add_option(*command, "--sub-quantizers", a->options.sub_quantizers, "sub-quantizers S per channel", {1, 1024});
  add_option(*command, "--centroids", a->options.centroids, "centroids per sub-quantizer",
             {1, ProductQuantizer::max_centroids});
  add_option(*command, "--iterations", a->options.iterations, "k-means rounds", {1, 100000});
  add_option(*command, "--seed", a->options.seed, "seed of the codebooks", from_0);
  add_threads(*command);
  command->callback([a] { run(*a); });
  command->footer("Example:\n  seminar quantize --data data --model model.safetensors --out codes.safetensors");
}

}  // namespace seminar
