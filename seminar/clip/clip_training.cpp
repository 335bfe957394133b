#include "seminar/clip/clip_training.h"

#include <algorithm>
#include <cmath>

#include "nn/optim.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double clip_max_gradient_norm = 1;
constexpr double clip_warmup_share = 0.05;
constexpr int64_t encode_batch = 64;

struct SplitPairs {
  std::vector<int64_t> train, held_out;
};

SplitPairs split_pairs(const PicturePairs& pairs, const ClipRunSettings& run) {
  const int64_t n = std::ssize(pairs.files);
  check(n >= 4, "train-clip: {} pairs: two to train on and two to hold out are needed at least", n);
  check(n >= run.held_out + 2,
        "train-clip: {} pairs, --held-out {} leaves fewer than two to train on: try --held-out {}", n, run.held_out,
        std::max<int64_t>(2, n / 10));
  const Permutation order(n, Rng(static_cast<uint64_t>(run.seed)).split("held_out"));
  SplitPairs split;
  for (int64_t i = 0; i < n; ++i) (i < n - run.held_out ? split.train : split.held_out).push_back(order(i));
  return split;
}

Tensor stack(std::span<const Image> images, const ChannelScale& scale) {
  const int64_t size = images[0].height, pixels = size * size * 3;
  Tensor out = Tensor::empty({std::ssize(images), 3, size, size});
  real* x = out.write();
  for (const Image& image : images) {
    check(image.height == size && image.width == size, "encode: a picture of {} x {}, {} x {} expected", image.height,
          image.width, size, size);
    normalise_image(image, scale, x);
    x += pixels;
  }
  return out;
}

std::pair<Ids, Ids> tokens_of(const Tokenizer& tokenizer, std::span<const std::string> texts, int64_t length) {
  std::vector<int32_t> ids, start{0};
  for (const std::string& text : texts) {
    const std::vector<int32_t> tokens = tokenizer.encode_framed(text, length);
    ids.insert(ids.end(), tokens.begin(), tokens.end());
    start.push_back(static_cast<int32_t>(ids.size()));
  }
  return {Ids(std::move(ids)), Ids(std::move(start))};
}

// A part of the picture between 70 and 100 % of its area, with other brightness and contrast.
Image augmented(const Image& image, double strength, Rng rng) {
  const double size = static_cast<double>(image.height), part = size * (1 - 0.3 * strength * rng.uniform());
  const double top = (size - part) * rng.uniform(), left = (size - part) * rng.uniform();
  Image out = resize_box(image, top, left, part, part, image.height);
  const double contrast = 1 + strength * rng.uniform(-0.3, 0.3), brightness = 255 * strength * rng.uniform(-0.1, 0.1);
  for (uint8_t& v : out.rgb) v = static_cast<uint8_t>(std::clamp((v - 128) * contrast + 128 + brightness, 0.0, 255.0));
  return out;
}

template <class T, class F>
Tensor in_batches(std::span<const T> all, int64_t dim, F encode) {
  const NoGrad guard;
  Tensor out = Tensor::empty({std::ssize(all), dim});
  for (int64_t begin = 0; begin < std::ssize(all); begin += encode_batch) {
    const Tensor part =
        normalize(encode(all.subspan(static_cast<std::size_t>(begin),
                                     static_cast<std::size_t>(std::min(encode_batch, std::ssize(all) - begin)))))
            .value();
    std::copy_n(part.data(), part.numel(), out.write() + begin * dim);
  }
  return out;
}

}  // namespace

PairRecall pair_recall(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape() && a.rank() == 2 && a.size(0) >= 1, "pair_recall: {} and {}", a.shape(), b.shape());
  const Tensor scores = matmul_transposed(a, b).value();
  const int64_t n = a.size(0);
  PairRecall recall;
  for (int64_t i = 0; i < n; ++i) {
    const real* row = scores.data() + i * n;
    const int64_t rank = std::count_if(row, row + n, [&](real s) { return !(s < row[i]); });  // counts itself
    recall.at1 += rank <= 1;
    recall.at5 += rank <= 5;
    recall.at10 += rank <= 10;
  }
  for (double* share : {&recall.at1, &recall.at5, &recall.at10}) *share /= static_cast<double>(n);
  return recall;
}

Tensor encode_images(const Clip& clip, std::span<const Image> images) {
  return in_batches(images, clip.settings.dim,
                    [&](std::span<const Image> part) { return clip.image(Var(stack(part, clip.scale)), Mode()); });
}

Tensor encode_texts(const Clip& clip, const Tokenizer& tokenizer, std::span<const std::string> texts) {
  return in_batches(texts, clip.settings.dim, [&](std::span<const std::string> part) {
    const auto [ids, start] = tokens_of(tokenizer, part, clip.settings.text_length);
    return clip.text(ids, start, Mode());
  });
}

Tokenizer train_tokenizer(const PicturePairs& pairs, const ClipRunSettings& run, int64_t vocabulary) {
  std::vector<std::string> captions;
  for (const int64_t i : split_pairs(pairs, run).train) captions.push_back(pairs.captions[i]);
  return Tokenizer::train(captions, vocabulary);
}

std::pair<PairRecall, PairRecall> train_clip(Clip& clip, const Tokenizer& tokenizer, const PicturePairs& pairs,
                                             const ClipRunSettings& run,
                                             const std::function<bool(const ClipProgress&)>& progress) {
  const SplitPairs split = split_pairs(pairs, run);
  std::vector<Image> held_images;
  std::vector<std::string> held_captions;
  for (const int64_t i : split.held_out) {
    held_images.push_back(pairs.pictures[i]);
    held_captions.push_back(pairs.captions[i]);
  }
  const auto recall = [&] {
    const Tensor images = encode_images(clip, held_images), texts = encode_texts(clip, tokenizer, held_captions);
    return std::pair{pair_recall(images, texts), pair_recall(texts, images)};
  };
  const Params params = parameters(clip);
  AdamOptions options;
  options.weight_decay = run.weight_decay;
  options.beta2 = 0.98;  // as CLIP
  Adam adam(params, options);
  const Rng rng = Rng(static_cast<uint64_t>(run.seed)).split("train_clip");
  const int64_t n = std::ssize(split.train), batches = (n + run.batch - 1) / run.batch;
  ClipProgress now;
  now.steps = batches * run.epochs;
  for (now.epoch = 1; now.epoch <= run.epochs; ++now.epoch) {
    const Rng epoch = rng.split(static_cast<uint64_t>(now.epoch));
    const Permutation order(n, epoch.split("order"));
    double total = 0;
    for (int64_t b = 0; b < batches; ++b) {
      const FlushDenormals guard;
      std::vector<Image> images;
      std::vector<std::string> captions;
      // Batches of nearly equal size: the loss needs others to compare with.
      for (int64_t i = n * b / batches; i < n * (b + 1) / batches; ++i) {
        const int64_t pair = split.train[order(i)];
        images.push_back(run.augment > 0 ? augmented(pairs.pictures[pair], run.augment,
                                                     epoch.split("augment").split(static_cast<uint64_t>(pair)))
                                         : pairs.pictures[pair]);
        captions.push_back(pairs.captions[pair]);
      }
      const auto [ids, start] = tokens_of(tokenizer, captions, clip.settings.text_length);
      const Mode mode{true, run.dropout, epoch.split("dropout").split(static_cast<uint64_t>(b))};
      const Var loss = clip.loss(Var(stack(images, clip.scale)), ids, start, mode);
      now.loss = loss.value().item();
      check(std::isfinite(now.loss), "train-clip: the loss is {} in epoch {}, step {}: lower --lr", now.loss, now.epoch,
            now.step + 1);
      backward(loss);
      clip_grad_norm(params, clip_max_gradient_norm);
      adam.set_lr(run.lr * cosine_schedule(now.step,
                                           static_cast<int64_t>(clip_warmup_share * static_cast<double>(now.steps)) + 1,
                                           now.steps));
      adam.step();
      total += now.loss;
      ++now.step;
      now.pairs += std::ssize(images);
      now.to_text.reset();
      now.to_image.reset();
      if (b + 1 == batches) {
        now.loss = total / static_cast<double>(batches);
        std::tie(now.to_text, now.to_image) = recall();
      }
      if (!progress(now)) return recall();
    }
  }
  return recall();
}

}  // namespace seminar::inline SEMINAR_PRECISION
