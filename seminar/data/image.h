// Pictures: PNG and JPEG files as RGB bytes, resized as CLIP's preprocessing does (Pillow's bicubic with antialiasing,
// bit for bit), as input of a vision Transformer.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace seminar {

/// RGB bytes, row by row.
struct Image {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3]
};

/// Pictures larger than this are refused before they are decoded.
constexpr int64_t max_image_pixels = 64'000'000;

/// Decodes a PNG or JPEG file held in memory: grey, palette, alpha (dropped, as CLIP does), 16 bits and CMYK become
/// RGB as in Pillow. Throws Error `name: what is wrong` for broken, truncated and too large pictures.
Image decode_image(std::span<const std::byte> file, const std::string& name);
/// The same from a file.
Image load_image(const std::string& path);

/// The shorter side becomes `size`, then the middle `size` x `size` is cut out; only what is cut out is computed.
Image resize_and_crop(const Image& image, int64_t size);
/// The part of the picture at (top, left) of the given height and width, as size x size; all of it by default.
Image resize_box(const Image& image, double top, double left, double height, double width, int64_t size);

/// What is taken off and divided by in each channel, of colours in [0, 1]: CLIP's, unless a model says otherwise.
struct ChannelScale {
  std::array<double, 3> mean{0.48145466, 0.4578275, 0.40821073}, std{0.26862954, 0.26130258, 0.27577711};
};

inline namespace SEMINAR_PRECISION {
/// Writes (x / 255 - mean) / std by channel to out [3, height, width].
void normalise_image(const Image& image, const ChannelScale& scale, real* out);
}  // namespace SEMINAR_PRECISION

}  // namespace seminar
