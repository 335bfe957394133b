// All settings, each listed once: flags, TOML names, --help, the printed table and the model file's header come from
// it.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace seminar {

/// Who needs a setting: it decides where --help shows it and which commands take it. Settings that only some kinds of
/// model read are listed with those kinds (model_file.h).
enum class SettingUse {
  usual,       ///< of the model or of training
  expert,      ///< the same, seldom changed
  reading,     ///< how a model reads histories, in training and in evaluation
  running,     ///< of every run, whatever it does
  evaluation,  ///< of evaluation, and of the validation within training
};

/// What a setting may be, for --help and for checking.
struct SettingInfo {
  const char* name;  ///< as in --name and in TOML
  const char* help;
  double low = 0, high = 0;          ///< range of a number
  std::vector<std::string> choices;  ///< of a text
  SettingUse use = SettingUse::usual;
};

/// What shapes the model: stored with it, and needed to read it again.
struct ModelSettings {
  int64_t dim = 64;
  int64_t heads = 4;
  std::string text = "transformer";
  int64_t text_layers = 1;
  int64_t text_heads = 4;
  int64_t text_length = 12;
  std::string tokens = "words";
  int64_t vocabulary = 4096;
  std::string query = "bag";
  std::string features = "all";
  std::string norms = "raw";
  std::string projections = "trained";
  std::string fusion = "lambda";
  double lambda = 0.5;
  int64_t hidden = 64;
  int64_t ages = 16;
  std::string form = "faithful";
  int64_t hash_bits = 0;
  int64_t hash_width = 3;
  int64_t blocks = 2;
  int64_t positions = 200;
  std::string history_mean = "on";
  std::string side = "none";
  std::string search_by = "pair";

  void visit(auto&& f) {
    f(SettingInfo{"dim", "width d of every channel", 4, 1024, {}}, dim);
    f(SettingInfo{"heads", "attention heads H, each d wide", 1, 64, {}}, heads);
    f(SettingInfo{"text", "text encoder", 0, 0, {"transformer", "bag"}}, text);
    f(SettingInfo{"text-layers", "blocks of the text Transformer", 1, 48, {}, SettingUse::expert}, text_layers);
    f(SettingInfo{"text-heads", "heads of the text Transformer", 1, 64, {}, SettingUse::expert}, text_heads);
    f(SettingInfo{"text-length", "tokens of a text that are read", 1, 512, {}, SettingUse::expert}, text_length);
    f(SettingInfo{"tokens", "a text's tokens: its words, or byte pairs", 0, 0, {"words", "bpe"}}, tokens);
    f(SettingInfo{"vocabulary", "tokens with --tokens bpe, at most", 258, 1 << 20, {}, SettingUse::expert}, vocabulary);
    f(SettingInfo{"query", "query encoder: mean of token vectors, or the text encoder", 0, 0, {"bag", "transformer"}},
      query);
    f(SettingInfo{"features",
                  "ready-made item vectors as channels: brought to one scale, as they are, or not at all",
                  0,
                  0,
                  {"all", "raw", "none"}},
      features);
    f(SettingInfo{"norms",
                  "channel vectors in fusion and attention: as they are, or unit vectors",
                  0,
                  0,
                  {"raw", "unit"},
                  SettingUse::expert},
      norms);
    f(SettingInfo{"projections",
                  "W^Q, W^K, W^V of attention; frozen: random, as the authors' are",
                  0,
                  0,
                  {"trained", "frozen"},
                  SettingUse::expert},
      projections);
    f(
        SettingInfo{
            "fusion", "channel weights: fixed lambda for the query, or a gate on the pair", 0, 0, {"lambda", "gate"}},
        fusion);
    f(SettingInfo{"lambda", "weight of the query channel with --fusion lambda", 0, 1, {}}, lambda);
    f(SettingInfo{"hidden", "width of the hidden layer of the heads", 1, 4096, {}}, hidden);
    f(SettingInfo{"ages",
                  "embeddings of a behaviour's age, by powers of √2 (0: no position information)",
                  0,
                  64,
                  {},
                  SettingUse::expert},
      ages);
    f(SettingInfo{"form",
                  "a baseline as its own paper has it, or as SEMINAR's authors coded it",
                  0,
                  0,
                  {"faithful", "authors"},
                  SettingUse::expert},
      form);
    f(SettingInfo{"hash-bits",
                  "bits of the hash (0: 64 for eta, 16 in the authors' form, 48 for sdim)",
                  0,
                  4096,
                  {},
                  SettingUse::expert},
      hash_bits);
    f(SettingInfo{"hash-width", "bits of one of sdim's hashes that must agree", 1, 8, {}, SettingUse::expert},
      hash_width);
    f(SettingInfo{"blocks", "blocks of sasrec's Transformer", 1, 48, {}}, blocks);
    f(SettingInfo{"positions", "latest behaviours that sasrec reads, a vector for each place", 1, 100000, {}},
      positions);
    f(SettingInfo{"history-mean",
                  "the mean of the history among the head's inputs; the paper has none",
                  0,
                  0,
                  {"on", "off"},
                  SettingUse::expert},
      history_mean);
    f(
        SettingInfo{
            "side",
            "the head's inputs besides the sequence: user attributes, counts of the user with the item, the moment",
            0,
            0,
            {"none", "user", "u2i", "context", "all"}},
        side);
    f(SettingInfo{"search-by",
                  "what of the target searches the history",
                  0,
                  0,
                  {"pair", "item", "query"},
                  SettingUse::expert},
      search_by);
  }
};

/// How a model is trained and evaluated.
struct RunSettings {
  int64_t seed = 42;
  int64_t threads = 0;
  int64_t history = 200;
  int64_t k = 50;
  int64_t k1 = 100;
  std::string gsu = "exact";
  int64_t batch = 256;
  int64_t shards = 1;
  int64_t epochs = 2;
  int64_t patience = 0;
  double lr = 3e-3;
  int64_t negatives = 4;
  std::string negative_queries = "auto";
  int64_t targets = 100;
  int64_t window = 0;
  double hide_query = 0.5;
  double dropout = 0.1;
  std::string ctr_loss = "bce";
  double next_weight = 1.0;
  double align_weight = 1.0;
  double relevance_weight = 1.0;
  double search_weight = 1.0;
  std::string align_loss = "clip";
  std::string relevance_loss = "bce";
  int64_t position_negatives = 1;
  int64_t chunks = 5;
  double weight_decay = 0;
  std::string freeze = "none";
  std::string restore = "embeddings";
  std::string task = "ctr";
  std::string keep = "best";
  int64_t eval_negatives = 99;
  int64_t eval_seed = 42;

  void visit(auto&& f) {
    f(SettingInfo{"seed", "seed of training: of the first parameters and of every draw", 0, 9e15, {}}, seed);
    f(SettingInfo{"threads", "threads (0: all cores)", 0, 1024, {}, SettingUse::running}, threads);
    f(SettingInfo{"history", "behaviours L that are looked at", 1, 100000, {}, SettingUse::reading}, history);
    f(SettingInfo{"k", "behaviours K that the GSU keeps", 1, 100000, {}, SettingUse::reading}, k);
    f(SettingInfo{"k1", "behaviours that qin's first stage keeps", 1, 100000, {}, SettingUse::reading}, k1);
    f(SettingInfo{"gsu",
                  "how behaviours are retrieved",
                  0,
                  0,
                  {"exact", "int8", "int4", "pq", "lsh", "hnsw", "random", "recent"},
                  SettingUse::reading},
      gsu);
    f(SettingInfo{"batch", "targets a step", 1, 65536, {}, SettingUse::running}, batch);
    f(SettingInfo{"shards",
                  "parts of a batch, each of its own users, that are computed one by one or by ranks",
                  1,
                  4096,
                  {},
                  SettingUse::expert},
      shards);
    f(SettingInfo{"epochs", "passes over the training targets", 0, 10000, {}}, epochs);
    f(SettingInfo{"patience",
                  "epochs without a better validation NDCG@10 after which training ends (0: never)",
                  0,
                  10000,
                  {}},
      patience);
    f(SettingInfo{"lr", "Adam's learning rate", 0, 10, {}}, lr);
    f(SettingInfo{"negatives", "sampled negatives a target", 1, 1000, {}}, negatives);
    f(
        SettingInfo{
            "negative-queries",
            "query of a negative: the target's, one of the user's own earlier ones, that of any other search; auto: "
            "any in pretraining, shared else",
            0,
            0,
            {"auto", "shared", "own", "any"},
            SettingUse::expert},
        negative_queries);
    f(SettingInfo{"targets", "training targets a user and epoch, drawn anew (0: all N-3)", 0, 1000000, {}}, targets);
    f(SettingInfo{"window",
                  "training targets only among a user's last ones, this many (0: all)",
                  0,
                  1000000,
                  {},
                  SettingUse::expert},
      window);
    f(SettingInfo{"hide-query", "share of training targets whose query is hidden", 0, 1, {}}, hide_query);
    f(SettingInfo{"dropout", "dropout in encoders and heads", 0, 0.95, {}}, dropout);
    f(SettingInfo{"ctr-loss",
                  "cross entropy of the candidates: each for itself, or of their softmax",
                  0,
                  0,
                  {"bce", "softmax"},
                  SettingUse::expert},
      ctr_loss);
    f(SettingInfo{"next-weight", "weight of the next-pair loss", 0, 100, {}, SettingUse::expert}, next_weight);
    f(SettingInfo{"align-weight", "weight of the alignment loss", 0, 100, {}, SettingUse::expert}, align_weight);
    f(SettingInfo{"relevance-weight", "weight of the query-item loss", 0, 100, {}, SettingUse::expert},
      relevance_weight);
    f(SettingInfo{"search-weight",
                  "weight of the loss that teaches what retrieves: GSU, sim, qin",
                  0,
                  100,
                  {},
                  SettingUse::expert},
      search_weight);
    f(SettingInfo{"align-loss",
                  "the paper's CLIP loss, or what the authors' code does",
                  0,
                  0,
                  {"clip", "authors"},
                  SettingUse::expert},
      align_loss);
    f(SettingInfo{"relevance-loss",
                  "the paper's cross entropy, or what the authors' code does (of the wrong sign)",
                  0,
                  0,
                  {"bce", "authors"},
                  SettingUse::expert},
      relevance_loss);
    f(SettingInfo{"position-negatives",
                  "sampled negatives at each position that sasrec learns from",
                  1,
                  1000,
                  {},
                  SettingUse::expert},
      position_negatives);
    f(SettingInfo{"chunks", "chunks N_ch of the alignment loss", 1, 100000, {}, SettingUse::expert}, chunks);
    f(SettingInfo{"weight-decay", "AdamW's decay of dense parameters and touched rows", 0, 10, {}}, weight_decay);
    f(SettingInfo{"restore",
                  "what a model takes over from the PSU of --init: embeddings and encoders, or all that both have",
                  0,
                  0,
                  {"embeddings", "all"},
                  SettingUse::expert},
      restore);
    f(SettingInfo{"task",
                  "what is learned: clicks, or the ranking of personalised search",
                  0,
                  0,
                  {"ctr", "psr"},
                  SettingUse::reading},
      task);
    f(SettingInfo{"freeze",
                  "what keeps its --init parameters: nothing, or the text and query encoder (encoded once)",
                  0,
                  0,
                  {"none", "text"},
                  SettingUse::expert},
      freeze);
    f(SettingInfo{"keep",
                  "the epoch that is kept: of the best validation NDCG@10, or the last",
                  0,
                  0,
                  {"best", "last"},
                  SettingUse::expert},
      keep);
    f(SettingInfo{"eval-negatives",
                  "sampled negatives a user in validation and evaluation (0: all items)",
                  0,
                  100000,
                  {},
                  SettingUse::evaluation},
      eval_negatives);
    f(SettingInfo{"eval-seed",
                  "seed of the candidates and users that evaluation and validation draw",
                  0,
                  9e15,
                  {},
                  SettingUse::evaluation},
      eval_seed);
  }
};

/// Throws Error `--name: must be …: value` unless the value is in the setting's range.
void check_range(const SettingInfo& info, double value);
void check_choice(const SettingInfo& info, const std::string& value);
/// The same for all settings of a struct.
template <class S>
void check_ranges(S& settings) {
  settings.visit([](const SettingInfo& info, auto& value) {
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(value)>, std::string>)
      check_choice(info, value);
    else
      check_range(info, static_cast<double>(value));
  });
}

/// Throws Error for the first setting outside its range or choices.
void check_settings(ModelSettings& settings);
void check_settings(RunSettings& settings);
/// The settings as a JSON object, in order.
std::string settings_json(ModelSettings& settings);
std::string settings_json(RunSettings& settings);
/// Reads what settings_json wrote. A setting that an older file does not have keeps its default. Throws Error naming
/// `where` for unknown names and wrong types.
ModelSettings model_settings_from_json(const std::string& text, const std::string& where);
RunSettings run_settings_from_json(const std::string& text, const std::string& where);

}  // namespace seminar
