#include "tensor/gemm.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>

#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Multiply-adds that make a block worth a thread's while: about 50 µs of one core.
constexpr int64_t block_work = int64_t{1} << 21;
constexpr int64_t max_blocks = 16;

// OpenBLAS takes its thread count from OpenMP: 1 in this thread during a call. The host's own setting is put back.
struct OneOpenMpThread {
  const int before = omp_get_max_threads();
  OneOpenMpThread() {
    if (before != 1) omp_set_num_threads(1);
  }
  ~OneOpenMpThread() {
    if (before != 1) omp_set_num_threads(before);
  }
};

void gemm_serial(bool ta, bool tb, int64_t m, int64_t n, int64_t k, real alpha, const real* a, int64_t lda,
                 const real* b, int64_t ldb, real beta, real* c, int64_t ldc) {
  const OneOpenMpThread guard;
  const auto op_a = ta ? CblasTrans : CblasNoTrans, op_b = tb ? CblasTrans : CblasNoTrans;
  const auto i = [](int64_t v) { return static_cast<blasint>(v); };
#ifdef SEMINAR_DOUBLE
  cblas_dgemm(CblasRowMajor, op_a, op_b, i(m), i(n), i(k), alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
#else
  cblas_sgemm(CblasRowMajor, op_a, op_b, i(m), i(n), i(k), alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
#endif
}

// One operand of a batched product: where entry `i` starts, and how BLAS sees the last two axes.
struct Matrices {
  Tensor t;  // keeps a copy alive where one was needed
  const real* data;
  int64_t batch_stride, ld;
  bool transposed;

  explicit Matrices(const Tensor& x) : t(x) {
    const int64_t rows = x.size(-2), cols = x.size(-1);
    const auto blas_ready = [&](const Tensor& y, int64_t step, int64_t lead, int64_t width) {
      return (y.strides()[step] == 1 || y.size(static_cast<int>(step)) == 1) && y.strides()[lead] >= width;
    };
    bool batch_dense = true;
    for (int axis = 0; axis + 3 < x.rank(); ++axis)
      batch_dense &= x.strides()[axis] == x.strides()[axis + 1] * x.size(axis + 1);
    transposed = false;
    if (!batch_dense || !(blas_ready(x, -1, -2, cols) || blas_ready(x, -2, -1, rows))) {
      t = x.clone();
    } else if (!blas_ready(x, -1, -2, cols)) {
      transposed = true;
    }
    data = t.data();
    batch_stride = t.rank() > 2 ? t.strides()[-3] : 0;
    ld = std::max<int64_t>(1, transposed ? t.strides()[-1] : t.strides()[-2]);
    ld = std::max(ld, transposed ? rows : cols);
  }
};

}  // namespace

void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, real alpha, const real* a, int64_t lda, const real* b,
          int64_t ldb, real beta, real* c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  const int64_t blocks = std::min(max_blocks, m * n * std::max<int64_t>(k, 1) / block_work);
  if (blocks <= 1 || k == 0) {
    gemm_serial(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  } else if (k >= 8 * std::max(m, n)) {  // a weight's gradient: cut the inner axis, add the parts in order
    const int64_t depth = round_up((k + blocks - 1) / blocks, 64), parts = (k + depth - 1) / depth;
    Tensor partial = Tensor::empty({parts, m, n});
    real* sums = partial.write();
    parallel_for(parts, 1, [&](int64_t p, int64_t) {
      const int64_t k0 = p * depth, kn = std::min(depth, k - k0);
      gemm_serial(ta, tb, m, n, kn, alpha, ta ? a + k0 * lda : a + k0, lda, tb ? b + k0 : b + k0 * ldb, ldb, 0,
                  sums + p * m * n, n);
    });
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        real s = 0;
        for (int64_t p = 0; p < parts; ++p) s += sums[(p * m + i) * n + j];
        c[i * ldc + j] = beta == 0 ? s : beta * c[i * ldc + j] + s;
      }
    }
  } else if (m >= n) {
    parallel_for(m, round_up((m + blocks - 1) / blocks, 16), [&](int64_t i0, int64_t i1) {
      gemm_serial(ta, tb, i1 - i0, n, k, alpha, ta ? a + i0 : a + i0 * lda, lda, b, ldb, beta, c + i0 * ldc, ldc);
    });
  } else {
    parallel_for(n, round_up((n + blocks - 1) / blocks, 16), [&](int64_t j0, int64_t j1) {
      gemm_serial(ta, tb, m, j1 - j0, k, alpha, a, lda, tb ? b + j0 * ldb : b + j0, ldb, beta, c + j0, ldc);
    });
  }
}

Shape matmul_shape(const Shape& a, const Shape& b) {
  check(a.rank() >= 2 && b.rank() >= 2, "matmul: needs matrices: {} x {}", a, b);
  check(a[-1] == b[-2], "matmul: inner sizes differ: {} x {}", a, b);
  const Shape batch_a = a.leading().leading(), batch_b = b.leading().leading();
  check(batch_a == batch_b || a.rank() == 2 || b.rank() == 2, "matmul: batch axes differ: {} x {}", a, b);
  return (a.rank() >= b.rank() ? batch_a : batch_b).with(a[-2]).with(b[-1]);
}

void matmul_into(Tensor& c, const Tensor& a, const Tensor& b, bool accumulate) {
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  const int64_t batch_a = a.shape().leading().rows(), batch_b = b.shape().leading().rows();
  const int64_t batch = std::max(batch_a, batch_b), batch_c = c.shape().leading().rows();
  const real beta = accumulate ? 1 : 0;
  if (c.numel() == 0) return;
  if (k == 0 || batch == 0) {
    if (!accumulate) c.fill(0);
    return;
  }
  real* out = c.write();
  if (b.rank() == 2 && a.is_contiguous() && batch_c == batch) {  // all rows of a in one product
    const Matrices mb(b);
    gemm(false, mb.transposed, batch * m, n, k, 1, a.data(), k, mb.data, mb.ld, beta, out, n);
    return;
  }
  if (batch_c == 1 && batch > 1) {  // summed over the batch
    if (a.rank() > 2 && b.rank() > 2 && b.is_contiguous() && a.strides()[-2] == 1 && a.transpose().is_contiguous()) {
      gemm(true, false, m, n, batch * k, 1, a.data(), m, b.data(), n, beta, out, n);
      return;
    }
    const Matrices ma(a), mb(b);
    for (int64_t i = 0; i < batch; ++i)
      gemm(ma.transposed, mb.transposed, m, n, k, 1, ma.data + (batch_a > 1 ? i * ma.batch_stride : 0), ma.ld,
           mb.data + (batch_b > 1 ? i * mb.batch_stride : 0), mb.ld, i == 0 ? beta : 1, out, n);
    return;
  }
  const Matrices ma(a), mb(b);
  const auto entry = [&](int64_t i) {
    gemm(ma.transposed, mb.transposed, m, n, k, 1, ma.data + (batch_a > 1 ? i * ma.batch_stride : 0), ma.ld,
         mb.data + (batch_b > 1 ? i * mb.batch_stride : 0), mb.ld, beta, out + i * m * n, n);
  };
  const int64_t grain = std::max<int64_t>(1, block_work / 8 / (m * n * k));
  parallel_for(batch, grain, [&](int64_t i0, int64_t i1) {
    for (int64_t i = i0; i < i1; ++i) entry(i);
  });
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  Tensor c = Tensor::empty(matmul_shape(a.shape(), b.shape()));
  matmul_into(c, a, b, false);
  return c;
}

std::string blas_description() {
  static const char* const kinds[] = {"one thread", "pthreads", "OpenMP"};
  const int kind = openblas_get_parallel();
  return fmt::format("{} ({})", openblas_get_config(), kind >= 0 && kind <= 2 ? kinds[kind] : "unknown");
}

}  // namespace seminar::inline SEMINAR_PRECISION
