// Checks chapter 3's part to write yourself.
#include EXERCISE
#include <random>

#include "grader.h"

using namespace tour;

static long multiplications = 0;

// A number that counts its multiplications.
struct Counted {
  double value = 0;
  Counted(double v = 0) : value(v) {}
  friend Counted operator+(Counted a, Counted b) { return a.value + b.value; }
  friend Counted operator-(Counted a, Counted b) { return a.value - b.value; }
  friend Counted operator*(Counted a, Counted b) { return ++multiplications, a.value * b.value; }
  friend Counted operator/(Counted a, Counted b) { return a.value / b.value; }
  friend Counted& operator+=(Counted& a, Counted b) { return a = a + b; }
  friend Counted& operator-=(Counted& a, Counted b) { return a = a - b; }
  friend Counted& operator*=(Counted& a, Counted b) { return a = a * b; }
  friend Counted& operator/=(Counted& a, Counted b) { return a = a / b; }
  friend bool operator<(Counted a, Counted b) { return a.value < b.value; }
  friend bool operator>(Counted a, Counted b) { return b < a; }
  friend Counted exp(Counted a) { return std::exp(a.value); }
  friend Counted sqrt(Counted a) { return std::sqrt(a.value); }
};

namespace {

std::mt19937_64 generator(3);

template <class T>
Row<T> random_row(std::size_t n) {
  std::normal_distribution<double> normal;
  Row<T> row(n);
  for (T& v : row) v = normal(generator);
  return row;
}

template <class T>
Matrix<T> random_matrix(std::size_t rows, std::size_t cols) {
  Matrix<T> m(rows);
  for (Row<T>& row : m) row = random_row<T>(cols);
  return m;
}

// The formula as it is written: every behaviour is projected twice.
Numbers textbook(const Numbers& q, const Matrix<double>& keys, const std::vector<bool>& real, const Matrix<double>& wq,
                 const Matrix<double>& wk, const Matrix<double>& wv) {
  const std::size_t d = q.size();
  Numbers result(d, 0.0), scores;
  double total = 0;
  for (const Numbers& key : keys) {
    double score = 0;
    for (std::size_t j = 0; j < d; ++j) {
      double asked = 0, answer = 0;
      for (std::size_t i = 0; i < d; ++i) asked += q[i] * wq[i][j], answer += key[i] * wk[i][j];
      score += asked * answer;
    }
    scores.push_back(score / std::sqrt(static_cast<double>(d)));
  }
  for (std::size_t l = 0; l < keys.size(); ++l) total += real[l] ? std::exp(scores[l]) : 0;
  for (std::size_t l = 0; l < keys.size(); ++l)
    for (std::size_t j = 0; j < d && real[l]; ++j)
      for (std::size_t i = 0; i < d; ++i) result[j] += std::exp(scores[l]) / total * keys[l][i] * wv[i][j];
  return result;
}

}  // namespace

int main() {
  Grader grader;
  grader.expect("softmax of (0, ln 3)", {0.25, 0.75}, [] { return softmax<double>({0, std::log(3)}, {true, true}); });
  grader.expect("padding gets 0, the others sum to 1", {0.5, 0, 0.5}, [] {
    return softmax<double>({1, 9, 1}, {true, false, true});
  });
  grader.expect("nothing real: all 0", {0, 0}, [] { return softmax<double>({1, 2}, {false, false}); });
  grader.expect("scores of 1000 and -1000", {1, 0, 0.5, 0.5}, [] {
    Numbers p = softmax<double>({1000, -1000}, {true, true}), low = softmax<double>({-1000, -1000}, {true, true});
    p.insert(p.end(), low.begin(), low.end());
    return p;
  });
  const double e = std::exp(std::sqrt(2));
  const Matrix<double> one{{1, 0}, {0, 1}};
  grader.expect("by hand: q = (2, 0), behaviours (1, 0), (0, 1), (-1, 0)",
                {(e - 1 / e) / (e + 1 + 1 / e), 1 / (e + 1 + 1 / e)}, [&] {
                  return target_attention<double>({2, 0}, {{1, 0}, {0, 1}, {-1, 0}}, {true, true, true}, one, one, one);
                });
  const std::size_t length = 200, d = 8;
  std::vector<bool> real(length, true);
  for (std::size_t l = 0; l < length; l += 3) real[l] = false;
  const Numbers q = random_row<double>(d);
  const Matrix<double> keys = random_matrix<double>(length, d), wq = random_matrix<double>(d, d),
                       wk = random_matrix<double>(d, d), wv = random_matrix<double>(d, d);
  grader.expect("200 behaviours, a third of them padding: equal to the textbook form",
                textbook(q, keys, real, wq, wk, wv), [&] { return target_attention(q, keys, real, wq, wk, wv); });
  grader.expect("the same with fewer than 4,500 multiplications (1 = yes), 33,000 in the textbook form", {1}, [&] {
    const Row<Counted> asked = random_row<Counted>(d);
    const Matrix<Counted> history = random_matrix<Counted>(length, d), w = random_matrix<Counted>(d, d);
    multiplications = 0;
    const bool answered = target_attention(asked, history, real, w, w, w).size() == d;
    return Numbers{answered && multiplications < 4500 ? 1.0 : 0.0};
  });
  return grader.finish();
}
