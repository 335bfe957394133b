#include "apps/serve/model_service.h"

#include <new>

#include "seminar/data/dataset.h"
#include "tensor/io/file.h"

namespace seminar {

// A model, and rankings that wait for a request: as many as were ever needed at once.
struct ModelService::Loaded {
  std::unique_ptr<std::byte[]> bytes;  // the model stands in them, unless it is mapped
  ModelHandle model;
  std::string checksum;
  std::mutex mutex;
  std::vector<std::unique_ptr<Ranking>> idle;

  std::unique_ptr<Ranking> take(const ModelServiceOptions& o) {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        std::unique_ptr<Ranking> one = std::move(idle.back());
        idle.pop_back();
        return one;
      }
    }
    return std::make_unique<Ranking>(model.get(), o.history, o.limits, o.skip_unknown);
  }
  void give(std::unique_ptr<Ranking> one) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(one));
  }
};

ModelService::ModelService(ModelServiceOptions options) : options_(std::move(options)), loaded_(load()) {}
ModelService::~ModelService() = default;

std::shared_ptr<ModelService::Loaded> ModelService::load() const {
  auto out = std::make_shared<Loaded>();
  const std::string& path = options_.path;
  if (options_.map) {
    out->model = open_model(path);
    out->checksum = file_checksum(path);
  } else {
    FileReader file(path);
    const std::size_t size = file.size();
    out->bytes = std::make_unique_for_overwrite<std::byte[]>(size + 1);
    const std::size_t read = file.read({out->bytes.get(), size + 1});
    check(read == size, "{}: changed while it was read", path);
    seminar_model* model = nullptr;
    const seminar_status status = seminar_model_open_memory(out->bytes.get(), size, nullptr, &model);
    if (status == SEMINAR_NO_MEMORY) throw std::bad_alloc();
    check(status == SEMINAR_OK, "{}: {}", path, seminar_last_error());
    out->model.reset(model);
    out->checksum = checksum({out->bytes.get(), size});
  }
  out->idle.push_back(out->take(options_));  // wrong options show now
  return out;
}

void ModelService::reload() {
  std::shared_ptr<Loaded> fresh = load();
  const std::lock_guard lock(mutex_);
  loaded_.swap(fresh);
}

std::shared_ptr<ModelService::Loaded> ModelService::current() const {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

std::string ModelService::model() const { return current()->checksum; }

RankingService::Reply ModelService::rank(const std::string& request, const Deadline& deadline) noexcept {
  const std::shared_ptr<Loaded> loaded = current();
  try {
    std::unique_ptr<Ranking> ranking = loaded->take(options_);
    std::string body;
    unsigned status = 200;
    try {
      body = ranking->answer(request, deadline);
    } catch (const TooLate& e) {
      status = 503;
      body = error_answer(e);
    } catch (const Error& e) {
      status = 400;
      body = error_answer(e);
    }
    Reply reply{status, body + "\n", loaded->checksum, ranking->candidates(), ranking->seconds()};
    loaded->give(std::move(ranking));
    return reply;
  } catch (const std::bad_alloc&) {
    return {503, "{\"error\":\"out of memory\"}\n"};
  } catch (const std::exception&) {
    return {500, "{\"error\":\"a mistake in the server\"}\n"};
  }
}

}  // namespace seminar
