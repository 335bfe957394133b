// A small data set with known contents, in a temporary folder that goes with the object.
#pragma once

#include <string>
#include <vector>

#include "seminar/data/dataset_builder.h"
#include "seminar/settings.h"
#include "tests/temporary_folder.h"

namespace seminar::inline SEMINAR_PRECISION {

/// 12 users, 30 items, histories of 2 to 18 actions, every third with a query. Item 7 has no words, item 8 no
/// attributes.
inline DatasetBuilder tiny_builder() {
  DatasetBuilder builder;
  builder.info.kind = "tiny";
  const char* words[] = {"red", "green", "blue", "old", "new", "big"};
  const char* genres[] = {"Drama", "Comedy", "Action"};
  for (int i = 1; i <= 30; ++i) {
    std::vector<std::string> attributes;
    if (i != 8) attributes = {genres[i % 3], genres[(i + i / 3) % 3]};
    const int32_t item = builder.item(fmt::format("{}", 100 + i));
    builder.describe_item(item, fmt::format("Item {}", i),
                          i == 7 ? "" : fmt::format("{} {} {}", words[i % 6], words[i / 6 % 6], words[(i * 5 + 1) % 6]),
                          attributes);
  }
  for (int u = 0; u < 12; ++u) {
    const int32_t user = builder.user(fmt::format("{}", u + 1));
    for (int p = 0; p < 2 + (u * 7) % 17; ++p)
      builder.add_event(user, (u * 3 + p * 5 + p / 6) % 30, p % 3 == 0 ? builder.queries.id(words[(u + p) % 6]) : 0,
                        1000 + p, builder.events());
  }
  return builder;
}

/// tiny_builder() on disk, opened.
struct TinyData {
  TemporaryFolder folder;
  Dataset data;
  TinyData() : data(make(folder / "data")) {}

 private:
  static Dataset make(const std::string& dir) {
    tiny_builder().write(dir);
    return Dataset::open(dir);
  }
};

/// Settings of a model and a run that take a moment.
inline ModelSettings small_settings(const std::string& fusion = "lambda", const std::string& text = "transformer") {
  ModelSettings s;
  s.dim = 8;
  s.heads = 2;
  s.text_heads = 2;
  s.hidden = 8;
  s.fusion = fusion;
  s.text = text;
  return s;
}

inline RunSettings small_run() {
  RunSettings run;
  run.history = 12;
  run.k = 4;
  run.batch = 16;
  run.epochs = 2;
  run.negatives = 2;
  run.dropout = 0.1;
  run.hide_query = 0.5;
  run.chunks = 3;
  run.eval_negatives = 9;
  return run;
}

}  // namespace seminar::inline SEMINAR_PRECISION
