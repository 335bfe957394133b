#include "apps/commands/training_log.h"

#include <nlohmann/json.hpp>

#include "tensor/io/file.h"
#include "tensor/io/json.h"

namespace seminar {
namespace {

constexpr uint64_t max_bytes = uint64_t{1} << 26;

}  // namespace

std::string training_log_path(const std::string& model_path) { return model_path + ".log.json"; }

std::vector<EpochRecord> read_training_log(const std::string& path) {
  const auto json = parse_ordered_json(read_file(path, max_bytes), path);
  std::vector<EpochRecord> epochs;
  try {
    for (const auto& e : json.at("epochs")) {
      EpochRecord record{e.at("epoch").get<int64_t>(), e.at("seconds").get<double>(), {}, 0};
      for (const auto& [name, value] : e.at("loss").items()) record.loss.emplace_back(name, value.get<double>());
      record.valid_ndcg10 = e.at("valid_ndcg@10").get<double>();
      epochs.push_back(std::move(record));
    }
  } catch (const nlohmann::json::exception&) {
    fail("{}: not a log of training: remove it", path);
  }
  return epochs;
}

TrainingLog::TrainingLog(std::string path, bool resume) : path_(std::move(path)) {
  if (resume && !path_.empty() && file_exists(path_)) epochs_ = read_training_log(path_);
}

void TrainingLog::add(const TrainProgress& progress, double seconds) {
  if (sums_.empty())
    for (const LossPart& part : progress.loss) sums_.emplace_back(part.name, 0);
  for (std::size_t i = 0; i < std::min(sums_.size(), progress.loss.size()); ++i)
    sums_[i].second += progress.loss[i].value;
  ++steps_;
  if (!progress.valid) return;
  std::erase_if(epochs_, [&](const EpochRecord& e) { return e.epoch >= progress.epoch; });
  for (auto& [name, sum] : sums_) sum /= static_cast<double>(steps_);
  epochs_.push_back({progress.epoch, seconds, std::move(sums_), progress.valid->ndcg10});
  sums_.clear();
  steps_ = 0;
  if (!path_.empty()) write();
}

void TrainingLog::write() const {
  nlohmann::ordered_json json;
  for (const EpochRecord& e : epochs_) {
    nlohmann::ordered_json loss;
    for (const auto& [name, value] : e.loss) loss[name] = value;
    json["epochs"].push_back(
        {{"epoch", e.epoch}, {"seconds", e.seconds}, {"loss", loss}, {"valid_ndcg@10", e.valid_ndcg10}});
  }
  write_file(path_, json.dump(1) + "\n");
}

}  // namespace seminar
