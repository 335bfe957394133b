// The C API (seminar.h): checks handles and null pointers, then calls Model and User.
#include <atomic>
#include <new>

#include "seminar/runtime/finder.h"
#include "seminar/runtime/map_file.h"
#include "seminar/runtime/user.h"

// The first word of a handle tells its kind; closed ones lose it.
struct seminar_model {
  static constexpr uint64_t kind = 0x6c65646f6d6d6573;
  uint64_t mark = kind;
  seminar::runtime::MappedBytes file;
  seminar::runtime::Model model;
  std::atomic<int32_t> holders{1};  // the caller until it closes the model, and its users
};

struct seminar_user {
  static constexpr uint64_t kind = 0x726573756d6d6573;
  uint64_t mark = kind;
  seminar_model* model = nullptr;
  seminar::runtime::User user;
};

struct seminar_finder {
  static constexpr uint64_t kind = 0x7265646e69666d73;
  uint64_t mark = kind;
  seminar_model* model = nullptr;
  seminar::runtime::Finder finder;
};

namespace seminar::runtime {
namespace {

template <class Handle>
seminar_status check_handle(const Handle* handle, const char* what) {
  if (handle && handle->mark == Handle::kind) return SEMINAR_OK;
  return failed(SEMINAR_BAD_ARGUMENT, "%s: %s", what, handle ? "not a handle of that kind, or closed" : "null");
}

seminar_status null_argument(const char* what) { return failed(SEMINAR_BAD_ARGUMENT, "%s: null", what); }

// Opens `file`, which the new model then owns.
seminar_status open(MappedBytes file, const char* path, const seminar_allocator* allocator, seminar_model** out) {
  Memory memory;
  seminar_status status = memory.use(allocator);
  void* place = status == SEMINAR_OK ? memory.take(sizeof(seminar_model)) : nullptr;
  if (status == SEMINAR_OK && !place) status = failed(SEMINAR_NO_MEMORY, "%s: no memory", path);
  if (status != SEMINAR_OK) {
    unmap(file);
    return status;
  }
  seminar_model* model = new (place) seminar_model;
  model->file = file;
  model->model.memory = memory;
  status = model->model.read(file.data, file.size, path);
  if (status == SEMINAR_OK)
    *out = model;
  else
    seminar_model_close(model);
  return status;
}

// Gives the model back when nobody holds it any more.
void let_go(seminar_model* model) {
  if (model->holders.fetch_sub(1) > 1) return;
  const Memory memory = model->model.memory;
  model->model.release();
  unmap(model->file);
  memory.give(model);
}

// A user or finder of the model, made by `create(it)`; holds the model.
template <class Handle, class Create>
seminar_status make(const seminar_model* model, const char* what, Handle** out, const Create& create) {
  const Memory& memory = model->model.memory;
  void* place = memory.take(sizeof(Handle));
  if (!place) return failed(SEMINAR_NO_MEMORY, "%s: no memory", what);
  Handle* made = new (place) Handle;
  made->model = const_cast<seminar_model*>(model);
  if (const seminar_status status = create(*made); status != SEMINAR_OK) {
    memory.give(made);
    return status;
  }
  made->model->holders.fetch_add(1);
  *out = made;
  return SEMINAR_OK;
}

// Gives a user or finder back.
template <class Handle, class Part>
void destroy(Handle* handle, const char* what, Part Handle::*part) {
  if (!handle || check_handle(handle, what) != SEMINAR_OK) return;
  const Memory memory = (handle->*part).memory();
  seminar_model* model = handle->model;
  handle->mark = 0;
  (handle->*part).release();
  memory.give(handle);
  let_go(model);
}

seminar_status give(std::string_view text, const char** out, size_t* length) {
  if (out) *out = text.data();
  if (length) *length = text.size();
  return SEMINAR_OK;
}

}  // namespace
}  // namespace seminar::runtime

using namespace seminar::runtime;

#define SEMINAR_CHECK(call) \
  if (const seminar_status status = call; status != SEMINAR_OK) return status

extern "C" {

int seminar_abi_version(void) { return SEMINAR_ABI_VERSION; }
const char* seminar_version(void) { return SEMINAR_VERSION; }
const char* seminar_last_error(void) { return last_failure(); }

seminar_status seminar_model_open(const char* path, const seminar_allocator* allocator, seminar_model** model) {
  if (!path) return null_argument("path");
  if (!model) return null_argument("model");
  MappedBytes file;
  SEMINAR_CHECK(map_file(path, file));
  return open(file, path, allocator, model);
}

seminar_status seminar_model_open_memory(const void* data, size_t bytes, const seminar_allocator* allocator,
                                         seminar_model** model) {
  if (!data) return null_argument("data");
  if (!model) return null_argument("model");
  if (reinterpret_cast<uintptr_t>(data) % 8 != 0)
    return failed(SEMINAR_BAD_ARGUMENT, "data: must be aligned to 8 bytes: %p", data);
  return open({static_cast<const std::byte*>(data), bytes, false}, "memory", allocator, model);
}

void seminar_model_close(seminar_model* model) {
  if (!model || check_handle(model, "model") != SEMINAR_OK) return;
  model->mark = 0;
  let_go(model);
}

seminar_status seminar_model_describe(const seminar_model* model, seminar_model_info* info) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!info) return null_argument("info");
  const Model& m = model->model;
  *info = {static_cast<int32_t>(m.item_count() - 1),
           static_cast<int32_t>(m.queries.rows),
           m.channels,
           static_cast<int32_t>(m.width),
           m.heads,
           static_cast<int32_t>(m.history),
           static_cast<int32_t>(m.k),
           m.has_codes(),
           m.word_vectors.rows > 0};
  return SEMINAR_OK;
}

seminar_status seminar_model_weights(const seminar_model* model, float* weights) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!weights) return null_argument("weights");
  const Model& m = model->model;
  if (m.gate_query) return failed(SEMINAR_UNSUPPORTED, "the model has a gate: its weights differ from pair to pair");
  for (int c = 0; c < m.channels; ++c) weights[c] = m.weights[c] * (c == 0 ? 1 : 1 - m.weights[0]);
  return SEMINAR_OK;
}

seminar_status seminar_channel_name(const seminar_model* model, int32_t channel, const char** name, size_t* length) {
  SEMINAR_CHECK(check_handle(model, "model"));
  const Model& m = model->model;
  if (channel < 0 || channel >= m.channels)
    return failed(SEMINAR_BAD_ARGUMENT, "channel must be from 0 to %d: %d", m.channels - 1, channel);
  if (m.channel_names.count == 0)
    return failed(SEMINAR_UNSUPPORTED, "the file does not name its channels: write it again with 'seminar export'");
  return give(m.channel_names[channel], name, length);
}

seminar_status seminar_item_find(const seminar_model* model, const char* name, size_t length, int32_t* item) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!name) return null_argument("name");
  if (!item) return null_argument("item");
  const int32_t found = model->model.item_names.find({name, length});
  if (found <= 0) return failed(SEMINAR_NOT_FOUND, "no item '%.*s'", static_cast<int>(length < 64 ? length : 64), name);
  *item = found;
  return SEMINAR_OK;
}

seminar_status seminar_item_text(const seminar_model* model, int32_t item, const char** name, size_t* name_length,
                                 const char** title, size_t* title_length) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (item < 1 || item >= model->model.item_count())
    return failed(SEMINAR_BAD_ARGUMENT, "item must be from 1 to %lld: %d",
                  static_cast<long long>(model->model.item_count() - 1), item);
  give(model->model.item_names[item], name, name_length);
  return give(model->model.titles[item], title, title_length);
}

seminar_status seminar_query_find(const seminar_model* model, const char* text, size_t length, int32_t* query) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!text) return null_argument("text");
  if (!query) return null_argument("query");
  const int32_t found = model->model.query_texts.find({text, length});
  if (found < 0) return failed(SEMINAR_NOT_FOUND, "no query '%.*s'", static_cast<int>(length < 64 ? length : 64), text);
  *query = found;
  return SEMINAR_OK;
}

seminar_status seminar_query_text(const seminar_model* model, int32_t query, const char** text, size_t* length) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (query < 0 || query >= model->model.queries.rows)
    return failed(SEMINAR_BAD_ARGUMENT, "query must be from 0 to %lld: %d",
                  static_cast<long long>(model->model.queries.rows - 1), query);
  return give(model->model.query_texts[query], text, length);
}

seminar_status seminar_query_encode(const seminar_model* model, const char* text, size_t length, float* vector) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!text) return null_argument("text");
  if (!vector) return null_argument("vector");
  return model->model.encode_text({text, length}, vector);
}

seminar_status seminar_user_defaults(const seminar_model* model, seminar_user_options* options) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!options) return null_argument("options");
  const Model& m = model->model;
  *options = {static_cast<int32_t>(m.history), static_cast<int32_t>(m.k < m.history ? m.k : m.history), 0, nullptr};
  return SEMINAR_OK;
}

seminar_status seminar_user_create(const seminar_model* model, const seminar_user_options* options,
                                   seminar_user** user) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!user) return null_argument("user");
  seminar_user_options defaults;
  if (!options) {
    SEMINAR_CHECK(seminar_user_defaults(model, &defaults));
    options = &defaults;
  }
  return make(model, "user", user, [&](seminar_user& made) { return made.user.create(model->model, *options); });
}

void seminar_user_destroy(seminar_user* user) { destroy(user, "user", &seminar_user::user); }

seminar_status seminar_user_append(seminar_user* user, const seminar_pair* behaviour) {
  SEMINAR_CHECK(check_handle(user, "user"));
  if (!behaviour) return null_argument("behaviour");
  return user->user.append(*behaviour);
}

seminar_status seminar_user_clear(seminar_user* user) {
  SEMINAR_CHECK(check_handle(user, "user"));
  user->user.clear();
  return SEMINAR_OK;
}

seminar_status seminar_user_length(const seminar_user* user, int32_t* length) {
  SEMINAR_CHECK(check_handle(user, "user"));
  if (!length) return null_argument("length");
  *length = static_cast<int32_t>(user->user.length());
  return SEMINAR_OK;
}

seminar_status seminar_rank(seminar_user* user, const seminar_pair* candidates, size_t n, float* scores,
                            const seminar_reasons* reasons) {
  SEMINAR_CHECK(check_handle(user, "user"));
  if (n == 0) return SEMINAR_OK;
  if (!candidates) return null_argument("candidates");
  if (!scores) return null_argument("scores");
  return user->user.rank(candidates, n, scores, reasons ? *reasons : seminar_reasons{});
}

seminar_status seminar_finder_create(const seminar_model* model, seminar_finder** finder) {
  SEMINAR_CHECK(check_handle(model, "model"));
  if (!finder) return null_argument("finder");
  return make(model, "finder", finder, [&](seminar_finder& made) { return made.finder.create(model->model); });
}

void seminar_finder_destroy(seminar_finder* finder) { destroy(finder, "finder", &seminar_finder::finder); }

seminar_status seminar_top(seminar_finder* finder, seminar_user* user, const seminar_pair* query, size_t n,
                           const seminar_filter* filter, int32_t* items, float* scores, size_t* found) {
  SEMINAR_CHECK(check_handle(finder, "finder"));
  SEMINAR_CHECK(check_handle(user, "user"));
  if (!items) return null_argument("items");
  if (!scores) return null_argument("scores");
  if (!found) return null_argument("found");
  return finder->finder.top(user->user, query ? *query : seminar_pair{}, n, filter ? *filter : seminar_filter{}, items,
                            scores, found);
}

}  // extern "C"
