// The baselines as the SEMINAR authors coded them (--form authors), on our inputs. All choose without regard to padding
// and read through AuthorsAttention.
#pragma once

#include "seminar/baselines/authors_attention.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Their "base": the last K places of the padded history.
struct AuthorsMeanPool {
  static constexpr const char* kind = "mean_pool";
  AuthorsAttention attention;
  AuthorsMeanPool(const ModelSettings& s, const Dataset&, const Rng& rng) : attention(s, rng.split("attention")) {}
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const { f("attention", attention); }
};

/// r_l = (W_q x_t + b_q) · (W_k x_l + b_k) without scale, learned through a head on Σ_l r_l x_l over all L places.
struct AuthorsSim {
  static constexpr const char* kind = "sim";
  Linear wq, wk;
  AuthorsHead own_head;
  AuthorsAttention attention;
  AuthorsSim(const ModelSettings& s, const Dataset&, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const {
    f("wq", wq);
    f("wk", wk);
    f("own_head", own_head);
    f("attention", attention);
  }
};

/// 16 bits (or --hash-bits), hashed with a bias.
struct AuthorsEta {
  static constexpr const char* kind = "eta";
  Buffer planes, bias;  ///< [bits, d], [bits]
  AuthorsAttention attention;
  AuthorsEta(const ModelSettings& s, const Dataset&, const Rng& rng);
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const {
    f("planes", planes);
    f("bias", bias);
    f("attention", attention);
  }
};

/// Every head keeps its own K by its own frozen scores.
struct AuthorsTwin {
  static constexpr const char* kind = "twin";
  AuthorsAttention attention;
  AuthorsTwin(const ModelSettings& s, const Dataset&, const Rng& rng) : attention(s, rng.split("attention")) {}
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const { f("attention", attention); }
};

/// Item ids alone, no other channel and no query in what is read; both stages by the same frozen projections, the first
/// asked by the target's query, which is a constant where queries are hidden.
struct AuthorsQin {
  static constexpr const char* kind = "qin";
  FrozenScores search;  ///< one head
  AuthorsAttention attention;
  AuthorsQin(const ModelSettings& s, const Dataset&, const Rng& rng)
      : search(1, s.dim, rng.split("search")), attention(s, rng.split("attention")) {}
  Interest operator()(const UnitInput& in, const Mode& mode) const;
  void visit(auto&& f) const {
    f("search", search);
    f("attention", attention);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
