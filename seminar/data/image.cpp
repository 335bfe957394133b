#include "seminar/data/image.h"

#include <cstdio>
// libjpeg needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstring>
#include <memory>

#include "tensor/error.h"
#include "tensor/io/file.h"

namespace seminar {
namespace {

constexpr uint64_t max_file_bytes = uint64_t{1} << 28;

void check_size(uint64_t width, uint64_t height, const std::string& name) {
  check(width >= 1 && height >= 1 && width <= static_cast<uint64_t>(max_image_pixels) / height,
        "{}: a picture of {} x {} pixels; at most {} million are read", name, width, height,
        max_image_pixels / 1'000'000);
}

// Both libraries leave a broken file by longjmp; what must survive stands in these structs, not on the stack.
struct PngSource {
  std::span<const std::byte> left;
  char message[200] = {};
};

Image decode_png(std::span<const std::byte> file, const std::string& name) {
  PngSource source{file};
  Image image;
  std::vector<png_bytep> rows;
  const auto fail_png = [](png_structp png, png_const_charp message) {
    auto* s = static_cast<PngSource*>(png_get_error_ptr(png));
    std::snprintf(s->message, sizeof s->message, "%s", message);
    png_longjmp(png, 1);
  };
  png_structp png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, fail_png, [](png_structp, png_const_charp) {});
  check(png != nullptr, "{}: libpng cannot start", name);
  png_infop info = png_create_info_struct(png);
  const auto end = [&] { png_destroy_read_struct(&png, &info, nullptr); };
  if (setjmp(png_jmpbuf(png))) {
    end();
    fail("{}: broken PNG: {}", name, source.message);
  }
  png_set_user_limits(png, static_cast<png_uint_32>(max_image_pixels), static_cast<png_uint_32>(max_image_pixels));
  png_set_chunk_malloc_max(png, 1 << 24);
  png_set_read_fn(png, &source, [](png_structp p, png_bytep out, std::size_t bytes) {
    auto* s = static_cast<PngSource*>(png_get_io_ptr(p));
    if (bytes > s->left.size()) png_error(p, "the file ends too early");
    std::memcpy(out, s->left.data(), bytes);
    s->left = s->left.subspan(bytes);
  });
  png_read_info(png, info);
  image.width = png_get_image_width(png, info);
  image.height = png_get_image_height(png, info);
  if (image.width > max_image_pixels / image.height) {
    end();
    check_size(static_cast<uint64_t>(image.width), static_cast<uint64_t>(image.height), name);
  }
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_gray_to_rgb(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != static_cast<std::size_t>(image.width) * 3) png_error(png, "unknown layout");
  image.rgb.resize(static_cast<std::size_t>(image.height * image.width * 3));
  for (int64_t y = 0; y < image.height; ++y) rows.push_back(image.rgb.data() + y * image.width * 3);
  png_read_image(png, rows.data());
  png_read_end(png, nullptr);
  end();
  return image;
}

struct JpegErrors {
  jpeg_error_mgr manager;  // first, so that a pointer to it is one to the struct
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = {};
};

// CMYK is only found in print. Adobe's files hold it inverted, and Pillow takes all to do so, with or without Adobe's
// mark. With inverted inks c and k: k - (255 - c) k / 255, the quotient rounded.
void cmyk_to_rgb(const uint8_t* in, int64_t pixels, uint8_t* out) {
  const auto scaled = [](uint32_t a, uint32_t b) {
    const uint32_t product = a * b + 128;
    return (product + (product >> 8)) >> 8;
  };
  for (int64_t i = 0; i < pixels; ++i)
    for (int64_t c = 0; c < 3; ++c) {
      const uint32_t ink = in[4 * i + c], black = in[4 * i + 3];
      out[3 * i + c] = static_cast<uint8_t>(black - scaled(255 - ink, black));
    }
}

Image decode_jpeg(std::span<const std::byte> file, const std::string& name) {
  jpeg_decompress_struct jpeg{};
  JpegErrors errors{};
  Image image;
  std::vector<uint8_t> line;
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = [](j_common_ptr p) {
    auto* e = reinterpret_cast<JpegErrors*>(p->err);
    e->manager.format_message(p, e->message);
    std::longjmp(e->jump, 1);
  };
  // A warning is damage that the library has papered over, like a truncated file: a picture is whole or refused. Only
  // stray bytes between the parts are common in cameras' files and harmless.
  errors.manager.emit_message = [](j_common_ptr p, int level) {
    if (level < 0 && p->err->msg_code != JWRN_EXTRANEOUS_DATA) p->err->error_exit(p);
  };
  if (setjmp(errors.jump)) {
    jpeg_destroy_decompress(&jpeg);
    fail("{}: broken JPEG: {}", name, errors.message);
  }
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&jpeg, TRUE);
  if (jpeg.image_width > static_cast<uint64_t>(max_image_pixels) / std::max<uint64_t>(1, jpeg.image_height)) {
    const uint64_t width = jpeg.image_width, height = jpeg.image_height;
    jpeg_destroy_decompress(&jpeg);
    check_size(width, height, name);
  }
  const bool cmyk = jpeg.num_components == 4;
  jpeg.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&jpeg);
  image.width = jpeg.output_width;
  image.height = jpeg.output_height;
  image.rgb.resize(static_cast<std::size_t>(image.height * image.width * 3));
  if (cmyk) line.resize(static_cast<std::size_t>(image.width) * 4);
  while (jpeg.output_scanline < jpeg.output_height) {
    uint8_t* row = image.rgb.data() + int64_t{jpeg.output_scanline} * image.width * 3;
    JSAMPROW target = cmyk ? line.data() : row;
    jpeg_read_scanlines(&jpeg, &target, 1);
    if (cmyk) cmyk_to_rgb(line.data(), image.width, row);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return image;
}

// Pillow's resampling: the weights of the source pixels under each output pixel, in 22-bit fixed point. Where the
// picture shrinks, the filter widens with it (antialiasing).
struct Taps {
  int64_t first;
  std::vector<int32_t> weight;
};

constexpr int fraction_bits = 22;

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// Taps of outputs skip .. skip + count - 1 when source [begin, begin + extent) of n pixels becomes `outputs` pixels.
std::vector<Taps> bicubic_taps(int64_t n, double begin, double extent, int64_t outputs, int64_t skip, int64_t count) {
  const double scale = extent / static_cast<double>(outputs), filter = std::max(1.0, scale), support = 2 * filter;
  std::vector<Taps> taps;
  for (int64_t o = skip; o < skip + count; ++o) {
    const double center = begin + (static_cast<double>(o) + 0.5) * scale;
    const int64_t low = std::max<int64_t>(0, static_cast<int64_t>(std::floor(center - support + 0.5))),
                  high = std::min(n, static_cast<int64_t>(std::floor(center + support + 0.5)));
    std::vector<double> w;
    double total = 0;
    for (int64_t x = low; x < high; ++x) {
      w.push_back(bicubic((static_cast<double>(x) - center + 0.5) / filter));
      total += w.back();
    }
    Taps t{low, {}};
    for (const double v : w) {
      const double fixed = (total != 0 ? v / total : v) * (1 << fraction_bits);
      t.weight.push_back(static_cast<int32_t>(std::lround(fixed)));
    }
    taps.push_back(std::move(t));
  }
  return taps;
}

// One direction: `lines` lines of pixels `step` apart, lines `line_step` apart in the source.
void resample(const uint8_t* in, int64_t lines, int64_t step, int64_t line_step, const std::vector<Taps>& taps,
              uint8_t* out, int64_t out_step, int64_t out_line_step) {
  for (int64_t line = 0; line < lines; ++line)
    for (std::size_t o = 0; o < taps.size(); ++o)
      for (int64_t c = 0; c < 3; ++c) {
        const uint8_t* at = in + line * line_step + taps[o].first * step + c;
        int32_t sum = 1 << (fraction_bits - 1);
        for (const int32_t w : taps[o].weight) {
          sum += w * *at;
          at += step;
        }
        out[line * out_line_step + static_cast<int64_t>(o) * out_step + c] =
            static_cast<uint8_t>(std::clamp(sum >> fraction_bits, 0, 255));
      }
}

// Rows first, as Pillow; the result of each direction is rounded to bytes.
Image resample(const Image& image, const std::vector<Taps>& across, const std::vector<Taps>& down) {
  int64_t top = image.height, bottom = 0;
  for (const Taps& t : down) {
    top = std::min(top, t.first);
    bottom = std::max(bottom, t.first + std::ssize(t.weight));
  }
  const int64_t width = std::ssize(across), height = std::ssize(down);
  std::vector<uint8_t> rows(static_cast<std::size_t>((bottom - top) * width * 3));
  resample(image.rgb.data() + top * image.width * 3, bottom - top, 3, image.width * 3, across, rows.data(), 3,
           width * 3);
  Image out{height, width, std::vector<uint8_t>(static_cast<std::size_t>(height * width * 3))};
  resample(rows.data() - top * width * 3, width, width * 3, 3, down, out.rgb.data(), width * 3, 3);
  return out;
}

}  // namespace

Image decode_image(std::span<const std::byte> file, const std::string& name) {
  const auto starts = [&](std::string_view magic) {
    return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
  };
  if (starts("\x89PNG\r\n\x1a\n")) return decode_png(file, name);
  if (starts("\xff\xd8\xff")) return decode_jpeg(file, name);
  fail("{}: neither PNG nor JPEG", name);
}

Image load_image(const std::string& path) {
  const std::string file = read_file(path, max_file_bytes);
  return decode_image(std::as_bytes(std::span(file)), path);
}

Image resize_and_crop(const Image& image, int64_t size) {
  const int64_t shorter = std::min(image.height, image.width);
  const auto taps = [&](int64_t n) {
    const int64_t outputs = n == shorter ? size : size * n / shorter;
    // Half to even, as torchvision's centre crop.
    const int64_t skip = std::llrint(static_cast<double>(outputs - size) / 2);
    return bicubic_taps(n, 0, static_cast<double>(n), outputs, skip, size);
  };
  return resample(image, taps(image.width), taps(image.height));
}

Image resize_box(const Image& image, double top, double left, double height, double width, int64_t size) {
  check(top >= 0 && left >= 0 && height > 0 && width > 0 && top + height <= static_cast<double>(image.height) &&
            left + width <= static_cast<double>(image.width),
        "resize_box: {} x {} at {}, {} of {} x {}", height, width, top, left, image.height, image.width);
  return resample(image, bicubic_taps(image.width, left, width, size, 0, size),
                  bicubic_taps(image.height, top, height, size, 0, size));
}

inline namespace SEMINAR_PRECISION {

void normalise_image(const Image& image, const ChannelScale& scale, real* out) {
  const int64_t pixels = image.height * image.width;
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < pixels; ++i)
      out[c * pixels + i] = static_cast<real>((image.rgb[3 * i + c] / 255.0 - scale.mean[c]) / scale.std[c]);
}

}  // namespace SEMINAR_PRECISION

}  // namespace seminar
