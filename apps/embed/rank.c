/* The smallest program around libseminar, in C: ranks items for somebody who had others.
 *   rank_static MODEL HISTORY CANDIDATES       item ids separated by commas, the history oldest first */
#include <seminar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop_on_error(seminar_status status) {
  if (status == SEMINAR_OK) return;
  fprintf(stderr, "%s\n", seminar_last_error());
  exit(2);
}

/* The pairs of a list of item ids, without queries; the caller frees them. */
static seminar_pair* read_items(const seminar_model* model, const char* list, size_t* count) {
  seminar_pair* pairs = NULL;
  *count = 0;
  while (*list != 0) {
    const size_t length = strcspn(list, ",");
    seminar_pair pair = {0, 0, NULL};
    stop_on_error(seminar_item_find(model, list, length, &pair.item));
    pairs = realloc(pairs, (*count + 1) * sizeof *pairs);
    if (!pairs) exit(2);
    pairs[(*count)++] = pair;
    list += length;
    list += *list == ',';
  }
  return pairs;
}

int main(int argc, char** argv) {
  seminar_model* model = NULL;
  seminar_user* user = NULL;
  size_t behaviours, candidates;
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL HISTORY CANDIDATES (item ids separated by commas)\n", argv[0]);
    return 2;
  }
  if (seminar_abi_version() != SEMINAR_ABI_VERSION) {
    fprintf(stderr, "seminar.h and the library are of different versions\n");
    return 2;
  }
  stop_on_error(seminar_model_open(argv[1], NULL, &model));
  stop_on_error(seminar_user_create(model, NULL, &user));
  seminar_pair* history = read_items(model, argv[2], &behaviours);
  for (size_t i = 0; i < behaviours; ++i) stop_on_error(seminar_user_append(user, &history[i]));

  seminar_pair* pairs = read_items(model, argv[3], &candidates);
  float* scores = malloc(candidates * sizeof *scores + 1);
  if (!scores) return 2;
  stop_on_error(seminar_rank(user, pairs, candidates, scores, NULL));
  for (size_t i = 0; i < candidates; ++i) {
    const char* title;
    size_t length;
    stop_on_error(seminar_item_text(model, pairs[i].item, NULL, NULL, &title, &length));
    printf("%9.5f  %.*s\n", (double)scores[i], (int)length, title);
  }
  free(scores);
  free(pairs);
  free(history);
  seminar_user_destroy(user);
  seminar_model_close(model);
  return 0;
}
