#include "seminar/clip/image_patches.h"

#include "autograd/ops.h"

namespace seminar::inline SEMINAR_PRECISION {

Var image_patches(const Var& images, int64_t patch) {
  check_inputs("image_patches", {images});
  check(images.rank() == 4 && patch >= 1 && images.size(2) % patch == 0 && images.size(3) % patch == 0,
        "image_patches: patches of {} do not cut images {}", patch, images.shape());
  const int64_t batch = images.size(0), channels = images.size(1), rows = images.size(2) / patch,
                columns = images.size(3) / patch;
  const Var cut = reshape(images, {batch, channels, rows, patch, columns, patch});
  const Var by_patch = swap_axes(swap_axes(swap_axes(cut, 1, 2), 2, 4), 3, 4);  // [B, rows, columns, C, patch, patch]
  return reshape(by_patch, {batch, rows * columns, channels * patch * patch});
}

}  // namespace seminar::inline SEMINAR_PRECISION
