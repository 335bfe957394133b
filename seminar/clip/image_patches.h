// Pictures as rows of patches, for vision Transformers.
#pragma once

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Square patches of images: [B, C, H, W] -> [B, (H / p)(W / p), C p²], patch by patch in reading order. Throws Error
/// if p does not divide H and W. With a Linear after it, a ViT's patch embedding.
Var image_patches(const Var& images, int64_t patch);

}  // namespace seminar::inline SEMINAR_PRECISION
