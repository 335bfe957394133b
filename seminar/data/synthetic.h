// A generator of data sets whose truth is known: which behaviours matter for a target, which items are old, what a
// query tells. Every claim of the paper can be tested on it with the effect switched on and off.
#pragma once

#include "seminar/data/dataset_builder.h"
#include "seminar/settings.h"

namespace seminar::inline SEMINAR_PRECISION {

struct SyntheticSettings {
  int64_t seed = 1;
  int64_t users = 1000;
  int64_t items = 5000;
  int64_t topics = 24;
  int64_t min_length = 50;
  int64_t max_length = 500;
  int64_t interests = 3;
  double drift = 0.01;
  double recall = 0.2;
  double fit = 0.8;
  double popularity = 0.8;
  double repeat = 1;
  double search_share = 0.26;
  double query_truth = 0.9;
  double text_truth = 0.7;
  double attribute_truth = 1;
  double old_share = 0.2;
  int64_t old_vanish = 1;
  int64_t feature_width = 16;
  double noise = 0.7;
  double noise_attribute = 0.7;
  double norm_text = 1;
  double norm_image = 2;
  double norm_attribute = 4;
  int64_t picture_size = 16;
  int64_t exposures = 20;

  void visit(auto&& f) {
    f(SettingInfo{"seed", "seed of every random draw", 0, 9e15, {}}, seed);
    f(SettingInfo{"users", "users", 1, 1e7, {}}, users);
    f(SettingInfo{"items", "items", 10, 1e8, {}}, items);
    f(SettingInfo{"topics", "latent topics of items and interests", 2, 1000, {}}, topics);
    f(SettingInfo{"min-length", "shortest history; lengths are log-uniform", 4, 1e6, {}}, min_length);
    f(SettingInfo{"max-length", "longest history", 4, 1e6, {}}, max_length);
    f(SettingInfo{"interests", "topics a user is interested in at a time", 1, 100, {}}, interests);
    f(SettingInfo{"drift", "chance per behaviour that an interest is replaced", 0, 1, {}}, drift);
    f(SettingInfo{"recall", "chance that a behaviour returns to a former interest", 0, 1, {}}, recall);
    f(SettingInfo{"fit", "chance that the item is of the intent's topic, else any popular item", 0, 1, {}}, fit);
    f(SettingInfo{"popularity", "exponent of Zipf's law among the items of a topic", 0, 5, {}}, popularity);
    f(SettingInfo{"repeat", "chance that an item the user has had may come again, else another is drawn", 0, 1, {}},
      repeat);
    f(SettingInfo{"search-share", "share of the behaviours that are searches", 0, 1, {}}, search_share);
    f(SettingInfo{"query-truth", "chance that a query is about the intent, else about any topic", 0, 1, {}},
      query_truth);
    f(SettingInfo{"text-truth", "chance that a word of an item is its topic's, else a common one", 0, 1, {}},
      text_truth);
    f(
        SettingInfo{
            "attribute-truth", "chance that an item's category and brand are its topic's, else any topic's", 0, 1, {}},
        attribute_truth);
    f(SettingInfo{"old-share", "share of the items that occur only in the first third of the time", 0, 0.9, {}},
      old_share);
    f(SettingInfo{"old-vanish", "0: those items stay; they are old by name only", 0, 1, {}}, old_vanish);
    f(SettingInfo{"feature-width", "width of ready-made item vectors (0: none)", 0, 4096, {}}, feature_width);
    f(SettingInfo{"noise", "length of the noise on a unit topic vector, text and image", 0, 100, {}}, noise);
    f(SettingInfo{"noise-attribute", "the same, attribute", 0, 100, {}}, noise_attribute);
    f(SettingInfo{"norm-text", "length of the text vectors", 0.01, 100, {}}, norm_text);
    f(SettingInfo{"norm-image", "length of the image vectors", 0.01, 100, {}}, norm_image);
    f(SettingInfo{"norm-attribute", "length of the attribute vectors", 0.01, 100, {}}, norm_attribute);
    f(SettingInfo{"picture-size", "width and height of the pictures (0: none)", 0, 256, {}}, picture_size);
    f(SettingInfo{"exposures", "items shown to a user after the history, clicked or not", 0, 1000, {}}, exposures);
  }
};

/// Generates and writes the data folder `dir`. The same options give the same bytes. truth.safetensors holds
/// `intent` [N] (the topic each behaviour was meant for), `topic` [I+1] and `old` [I+1] of items: for a target with
/// intent z, the behaviours that matter are those with intent z. `progress` is told users done of all.
void generate_dataset(const SyntheticSettings& options, const std::string& dir,
                      const std::function<void(int64_t done, int64_t total)>& progress);

}  // namespace seminar::inline SEMINAR_PRECISION
