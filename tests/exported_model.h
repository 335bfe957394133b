// A random model of the tiny data, exported with codes, and both as files and open.
#pragma once

#include <cstdlib>
#include <limits>

#include "apps/serve/runtime_scorer.h"
#include "seminar/export.h"
#include "seminar/retrieval/batch_retriever.h"
#include "tests/runtime/random_model.h"

namespace seminar {

struct ExportedModel {
  static constexpr int64_t history = 12, k = 4;
  TinyData tiny;
  TemporaryFolder folder;
  std::unique_ptr<SeminarModel> model;
  std::shared_ptr<const QuantizedChannels> codes;
  std::string path;
  ModelHandle runtime;

  explicit ExportedModel(const ModelSettings& settings = small_settings(), const std::string& dtype = "f32")
      : model(random_model(settings, tiny.data, 3)), path(folder / "model.safetensors") {
    QuantizeOptions options;
    options.sub_quantizers = 4;
    options.centroids = 8;
    codes = std::make_shared<QuantizedChannels>(quantize_model(*model, tiny.data, options));
    export_model(*model, tiny.data, codes.get(), {dtype, history, k}, path);
    runtime = open_model(path);
  }
  /// What a user gets who does not ask for anything else.
  seminar_user_options options() const {
    seminar_user_options o;
    check_runtime(seminar_user_defaults(runtime.get(), &o));
    return o;
  }
};

/// An allocator for the runtime that counts its pieces of memory, and has at most `limit` of them to give.
struct CountingAllocator {
  int64_t limit = std::numeric_limits<int64_t>::max(), taken = 0, given_back = 0;
  int64_t held() const { return taken - given_back; }
  seminar_allocator hooks() {
    return {[](void* self, std::size_t bytes) -> void* {
              CountingAllocator& a = *static_cast<CountingAllocator*>(self);
              if (a.taken == a.limit) return nullptr;
              ++a.taken;
              return std::malloc(bytes);
            },
            [](void* self, void* memory) {
              ++static_cast<CountingAllocator*>(self)->given_back;
              std::free(memory);
            },
            this};
  }
};

}  // namespace seminar
