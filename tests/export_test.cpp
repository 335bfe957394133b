// Exported files: what they hold, and which are refused.
#include <doctest/doctest.h>

#include <cstring>

#include "seminar/evaluation/attention_profile.h"
#include "tests/runtime_answers.h"

using namespace seminar;

TEST_SUITE("runtime") {
  TEST_CASE("channels have their names; a text is read as far as the model reads") {
    ModelSettings settings = small_settings();
    settings.text_length = 2;
    const ExportedModel e(settings);
    std::vector<std::string> names;
    for (int32_t c = 0; c < 3; ++c) {
      const char* name = nullptr;
      std::size_t length = 0;
      REQUIRE(seminar_channel_name(e.runtime.get(), c, &name, &length) == SEMINAR_OK);
      names.emplace_back(name, length);
    }
    CHECK(names == channel_names(*e.model));
    for (const int32_t channel : {-1, 3})
      CHECK(seminar_channel_name(e.runtime.get(), channel, nullptr, nullptr) == SEMINAR_BAD_ARGUMENT);
    float two[8], longer[8], other[8];
    REQUIRE(seminar_query_encode(e.runtime.get(), "red old", 7, two) == SEMINAR_OK);
    REQUIRE(seminar_query_encode(e.runtime.get(), "red old blue big", 16, longer) == SEMINAR_OK);
    REQUIRE(seminar_query_encode(e.runtime.get(), "red blue", 8, other) == SEMINAR_OK);
    CHECK(std::equal(two, two + 8, longer));
    CHECK_FALSE(std::equal(two, two + 8, other));
  }

  TEST_CASE("int8: the largest number of a row comes back as it was") {
    const ExportedModel full, small(small_settings(), "int8");
    const SafetensorsFile f32(full.path), int8(small.path);
    const auto numbers = f32.view<float>("query.vectors"), scales = int8.view<float>("query.vectors.scale");
    const auto coded = int8.view<int8_t>("query.vectors");
    const std::size_t width = 8;
    REQUIRE(scales.size() == numbers.size() / width);
    for (std::size_t row = 0; row < scales.size(); ++row) {
      std::size_t most = row * width;
      for (std::size_t i = most; i < (row + 1) * width; ++i)
        if (std::abs(numbers[i]) > std::abs(numbers[most])) most = i;
      CHECK(scales[row] * static_cast<float>(coded[most]) == doctest::Approx(numbers[most]).epsilon(1e-6));
    }
  }

  TEST_CASE("a file of another version is told apart from one that is no model") {
    const ExportedModel e;
    const auto opened = [&](const std::string& from, const std::string& to) {
      std::string text = read_file(e.path);
      const std::size_t at = text.find(from);
      REQUIRE(at != std::string::npos);
      text.replace(at, from.size(), to);
      write_file(e.folder / "other", text);
      seminar_model* model = nullptr;
      const seminar_status status = seminar_model_open((e.folder / "other").c_str(), nullptr, &model);
      seminar_model_close(model);
      return status;
    };
    CHECK(opened("seminar-runtime-1", "seminar-runtime-2") == SEMINAR_UNSUPPORTED);
    CHECK(std::string(seminar_last_error())
              .find("format 'seminar-runtime-2' of another version of seminar: this one "
                    "reads 'seminar-runtime-1'") != std::string::npos);
    CHECK(opened("seminar-runtime-1", "something-else--1") == SEMINAR_BAD_FILE);
    CHECK(std::string(seminar_last_error()).find("not a model of 'seminar export'") != std::string::npos);
  }

  TEST_CASE("vectors that are not numbers are found when they are used") {
    const ExportedModel e;
    std::vector<std::byte> bytes = bytes_of(e.path);
    const SafetensorsFile file(e.path);
    // The file is mapped elsewhere; its end is where the last tensor ends.
    const std::byte *at = file.entry("query.vectors").bytes.data(), *end = at;
    for (const auto& [name, entry] : file.entries()) end = std::max(end, entry.bytes.data() + entry.bytes.size());
    const float nan = NAN;
    std::memcpy(bytes.data() + (std::ssize(bytes) - (end - at)), &nan, sizeof nan);
    seminar_model* model = nullptr;
    REQUIRE(seminar_model_open_memory(bytes.data(), bytes.size(), nullptr, &model) == SEMINAR_OK);
    const ModelHandle handle(model);
    const UserHandle user = make_user(model, e.options());
    const seminar_pair pair{1, 0, nullptr};
    float score = 0;
    CHECK(seminar_user_append(user.get(), &pair) == SEMINAR_OK);
    CHECK(seminar_rank(user.get(), &pair, 1, &score, nullptr) == SEMINAR_BAD_FILE);
  }

  TEST_CASE("export refuses what the runtime could not use") {
    const TinyData tiny;
    const TemporaryFolder folder;
    const auto model = random_model(small_settings(), tiny.data, 3);
    const std::string path = folder / "out";
    CHECK_THROWS_WITH_AS(export_model(*model, tiny.data, nullptr, {"f16", 10, 5}, path),
                         "--dtype: must be f32, bf16 or int8: 'f16'", Error);
    CHECK_THROWS_WITH_AS(export_model(*model, tiny.data, nullptr, {"f32", 10, 11}, path),
                         "--k: must be at most --history, 10: 11", Error);
    Tensor weight = model->head.mlp.layers[0].weight.var().value();
    weight.write()[0] = NAN;
    CHECK_THROWS_WITH_AS(export_model(*model, tiny.data, nullptr, {"f32", 10, 5}, path),
                         "export: 'head.in': number 0 is nan: the model is not fit for use", Error);
    CHECK_FALSE(file_exists(path));
    for (const int64_t length : {int64_t{0}, int64_t{1000001}})
      CHECK_THROWS_WITH_AS(export_model(*random_model(small_settings(), tiny.data, 3), tiny.data, nullptr,
                                        {"f32", length, length}, path),
                           fmt::format("export: history must be from 1 to 1000000: {}", length).c_str(), Error);
  }

  TEST_CASE("what export writes the runtime opens: 15 item channels with codes in int8; 16 are refused") {
    for (const int vectors : {13, 14}) {
      const TemporaryFolder folder;
      DatasetBuilder builder = tiny_builder();
      for (int channel = 0; channel < vectors; ++channel)
        for (int32_t item = 0; item < 30; ++item) {
          const float values[] = {static_cast<float>(item % 5 - channel), static_cast<float>(item % 3 + 1)};
          builder.add_features(fmt::format("vectors{}", channel), item, values);
        }
      builder.write(folder / "data");
      const Dataset data = Dataset::open(folder / "data");
      const auto model = random_model(small_settings("gate", "bag"), data, 3);
      QuantizeOptions options;
      options.sub_quantizers = 4;
      options.centroids = 8;
      const QuantizedChannels codes = quantize_model(*model, data, options);
      const std::string path = folder / "out";
      if (vectors == 14) {
        CHECK_THROWS_WITH_AS(export_model(*model, data, &codes, {"int8", 12, 4}, path),
                             "export: channels must be from 2 to 16: 17", Error);
        CHECK_FALSE(file_exists(path));
        continue;
      }
      export_model(*model, data, &codes, {"int8", 12, 4}, path);
      const ModelHandle opened = open_model(path);
      seminar_model_info info;
      check_runtime(seminar_model_describe(opened.get(), &info));
      CHECK(info.channels == 16);
      const UserHandle user = make_user(opened.get(), {12, 4, 1, nullptr});
      const seminar_pair pair{3, 1, nullptr};
      float score = 0;
      CHECK(seminar_user_append(user.get(), &pair) == SEMINAR_OK);
      CHECK(seminar_rank(user.get(), &pair, 1, &score, nullptr) == SEMINAR_OK);
    }
  }
}
