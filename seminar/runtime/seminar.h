/* seminar.h: rank candidates with a trained SEMINAR model, from C or any language that calls C.
 *
 *   seminar_model *model;
 *   seminar_user *user;
 *   if (seminar_model_open("model.safetensors", NULL, &model) != SEMINAR_OK) puts(seminar_last_error());
 *   seminar_user_create(model, NULL, &user);
 *   seminar_user_append(user, &(seminar_pair){.item = 7, .query = 0});
 *   seminar_rank(user, candidates, count, scores, NULL);
 *   seminar_user_destroy(user);
 *   seminar_model_close(model);
 *
 * The file comes from `seminar export`. A model is read-only and may be shared by threads; a user belongs to one thread
 * at a time. Nothing is printed, no exception leaves the library, and after seminar_user_create nothing is allocated.
 * Functions check their arguments: a null pointer, a handle of another kind or a number out of range is
 * SEMINAR_BAD_ARGUMENT, and what was to be written is not touched. A handle must not be used after it was closed.
 * The library keeps no pointer that it is given, except the allocator's and that of seminar_model_open_memory.
 */
#ifndef SEMINAR_H
#define SEMINAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __GNUC__
#define SEMINAR_API __attribute__((visibility("default")))
#else
#define SEMINAR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Changes when a program must be compiled again: compare with seminar_abi_version(). */
#define SEMINAR_ABI_VERSION 1

typedef enum seminar_status {
  SEMINAR_OK = 0,
  SEMINAR_BAD_ARGUMENT = 1, /**< a null pointer, a wrong handle, a number out of range */
  SEMINAR_BAD_FILE = 2,     /**< cannot be read, not of `seminar export`, or damaged */
  SEMINAR_NO_MEMORY = 3,
  SEMINAR_NOT_FOUND = 4,  /**< no item of that id, no query of that text */
  SEMINAR_UNSUPPORTED = 5 /**< this model cannot do that */
} seminar_status;

/** The SEMINAR_ABI_VERSION that the library was compiled with. */
SEMINAR_API int seminar_abi_version(void);
/** The library's version, like "0.1.0". */
SEMINAR_API const char* seminar_version(void);
/** What was wrong in the last call of this thread that did not return SEMINAR_OK, in one line; "" before that. Valid
 *  until the thread's next such call. */
SEMINAR_API const char* seminar_last_error(void);

/** Where memory comes from. `allocate` returns `bytes` bytes aligned for any type, or null; `release` gets what it
 *  returned. Both are called with `context`. */
typedef struct seminar_allocator {
  void* (*allocate)(void* context, size_t bytes);
  void (*release)(void* context, void* memory);
  void* context;
} seminar_allocator;

/** A model: read-only after it was opened, shared by threads without locks. */
typedef struct seminar_model seminar_model;

/** Opens a file of `seminar export`. It is mapped: pages are read when first used and shared between processes. The
 *  file must stay as it is while the model is open. `allocator` may be null (malloc); it is kept for the model's users
 *  too. Not in WebAssembly. */
SEMINAR_API seminar_status seminar_model_open(const char* path, const seminar_allocator* allocator,
                                              seminar_model** model);
/** The same for a file that stands in memory, aligned to 8 bytes. It is not copied: it must outlive the model and its
 *  users. */
SEMINAR_API seminar_status seminar_model_open_memory(const void* data, size_t bytes, const seminar_allocator* allocator,
                                                     seminar_model** model);
/** Closes a model: it is no longer a handle. Its memory, its file and the bytes of seminar_model_open_memory stay in
 * use until its last user is destroyed. Null is allowed. */
SEMINAR_API void seminar_model_close(seminar_model* model);

/** What a model is made of. */
typedef struct seminar_model_info {
  int32_t items;       /**< ids 1 .. items; 0 is no item */
  int32_t queries;     /**< ids 0 .. queries - 1; 0 is the empty query of an item that was browsed */
  int32_t channels;    /**< C: the query's, then those of the items */
  int32_t width;       /**< d */
  int32_t heads;       /**< H */
  int32_t history;     /**< L: behaviours it was trained to look at */
  int32_t k;           /**< K: behaviours it was trained to retrieve */
  int32_t has_codes;   /**< whether behaviours can be retrieved by product-quantization codes */
  int32_t reads_texts; /**< whether seminar_query_encode works */
} seminar_model_info;
SEMINAR_API seminar_status seminar_model_describe(const seminar_model* model, seminar_model_info* info);

/** The weights γ that the model gives the `channels` channels of an average pair, query first: what
 *  seminar_user_options.channel_weights replaces. SEMINAR_UNSUPPORTED for a model with a gate: its weights differ from
 *  pair to pair. */
SEMINAR_API seminar_status seminar_model_weights(const seminar_model* model, float* weights);

/** The name of a channel, 0 for the query's: bytes of the file, not ended by 0. SEMINAR_UNSUPPORTED for a file of an
 *  older 'seminar export'. */
SEMINAR_API seminar_status seminar_channel_name(const seminar_model* model, int32_t channel, const char** name,
                                                size_t* length);

/** The id of an item by its name in the data set (`length` bytes; need not end in 0). */
SEMINAR_API seminar_status seminar_item_find(const seminar_model* model, const char* name, size_t length,
                                             int32_t* item);
/** An item's name in the data set and its title: bytes of the file, not ended by 0. Either pair may be null. */
SEMINAR_API seminar_status seminar_item_text(const seminar_model* model, int32_t item, const char** name,
                                             size_t* name_length, const char** title, size_t* title_length);
/** The id of a query by its text; SEMINAR_NOT_FOUND for another text, for which there is seminar_query_encode. */
SEMINAR_API seminar_status seminar_query_find(const seminar_model* model, const char* text, size_t length,
                                              int32_t* query);
/** A query's text. */
SEMINAR_API seminar_status seminar_query_text(const seminar_model* model, int32_t query, const char** text,
                                              size_t* length);
/** The vector [d] of a text that was never asked before, for seminar_pair.query_vector; words that the model does not
 *  know take no part. SEMINAR_NOT_FOUND if it knows none of them, SEMINAR_UNSUPPORTED if its query encoder is a
 *  Transformer or reads byte pairs. */
SEMINAR_API seminar_status seminar_query_encode(const seminar_model* model, const char* text, size_t length,
                                                float* vector);

/** An item with the query under which it was found: a behaviour, or a candidate. */
typedef struct seminar_pair {
  int32_t item;              /**< 1 .. items */
  int32_t query;             /**< 0 .. queries - 1; 0 for none */
  const float* query_vector; /**< [d]: used in place of `query` if it is not null */
} seminar_pair;

/** How a user is ranked for. Start from seminar_user_defaults. */
typedef struct seminar_user_options {
  int32_t history; /**< behaviours that are kept, 1 .. 1000000; an older one goes when a new one comes */
  int32_t k;       /**< behaviours that are retrieved for a candidate, 1 .. 1000000; those that there are */
  int32_t codes;   /**< not 0: retrieve by product-quantization codes; 0: by exact scores */
  const float* channel_weights; /**< [C] weights γ from 0 to 1, query first, in place of the model's; null: the model's.
                                     The items' share 1 - γ_query goes to the channels that an item has. */
} seminar_user_options;
/** The model's own settings: its history and K, exact retrieval. */
SEMINAR_API seminar_status seminar_user_defaults(const seminar_model* model, seminar_user_options* options);

/** A user's coded history, with the memory that ranking needs. */
typedef struct seminar_user seminar_user;

/** Makes a user without history. `options` may be null: the defaults. They and the weights are copied. */
SEMINAR_API seminar_status seminar_user_create(const seminar_model* model, const seminar_user_options* options,
                                               seminar_user** user);
/** Null is allowed. */
SEMINAR_API void seminar_user_destroy(seminar_user* user);
/** Adds a behaviour, the newest. Takes microseconds, whatever the length of the history. The query's vector is copied.
 */
SEMINAR_API seminar_status seminar_user_append(seminar_user* user, const seminar_pair* behaviour);
/** Forgets all behaviours. */
SEMINAR_API seminar_status seminar_user_clear(seminar_user* user);
/** How many behaviours there are. */
SEMINAR_API seminar_status seminar_user_length(const seminar_user* user, int32_t* length);

/** Why a candidate got its score. Both may be null. */
typedef struct seminar_reasons {
  int32_t*
      retrieved;    /**< [n, k]: the retrieved behaviours, best first, 0 for the oldest that is kept; -1 beyond them */
  float* attention; /**< [n, H, k]: what each head gives each of them, summing to 1; 0 beyond them */
} seminar_reasons;

/** Scores n candidates, higher is better. Scores order the candidates of a user. They are not probabilities: training
 * saw a few sampled negatives for each positive, not the catalogue. `reasons` may be null. A candidate that is wrong is
 *  named by its index in the message, and nothing is written. SEMINAR_BAD_FILE if a score is not a number, which a
 * whole file never gives. */
SEMINAR_API seminar_status seminar_rank(seminar_user* user, const seminar_pair* candidates, size_t n, float* scores,
                                        const seminar_reasons* reasons);

/** Finds the best items of the whole catalogue, for all users of a model. It holds a key of every item (about d + 25
 *  bytes each) and working memory; of one thread at a time. */
typedef struct seminar_finder seminar_finder;
SEMINAR_API seminar_status seminar_finder_create(const seminar_model* model, seminar_finder** finder);
/** Null is allowed. */
SEMINAR_API void seminar_finder_destroy(seminar_finder* finder);

/** Which items may be found. Bit i % 8 of byte i / 8 is item i. */
typedef struct seminar_filter {
  const uint8_t* allow; /**< only these; null: all */
  const uint8_t* deny;  /**< not these; null: none */
  size_t bytes;         /**< of each list: items / 8 + 1 */
  int32_t with_seen;    /**< not 0: also items of the user's history */
} seminar_filter;

/** The best n items for a user, best first, with their scores. `query` says under which query (its item is not looked
 * at; null: none), `filter` may be null: all but the user's own. All items are scored cheaply, and some thousand of
 * them as seminar_rank does: the scores are exact, and items that belong among the best may be missed. `found` gets how
 * many there are, fewer than n if the filter leaves fewer. `items` and `scores` have room for n. Nothing is allocated.
 */
SEMINAR_API seminar_status seminar_top(seminar_finder* finder, seminar_user* user, const seminar_pair* query, size_t n,
                                       const seminar_filter* filter, int32_t* items, float* scores, size_t* found);

#ifdef __cplusplus
}
#endif

#endif
