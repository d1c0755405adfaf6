#include "scheduler/mask_rows.h"

// Sanitizers run before the loader may resolve an ifunc; they get the plain version, which is
// equal.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define ALLOT_VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define ALLOT_VECTORISED
#endif
#define ALLOT_INLINED inline __attribute__((always_inline))

namespace allot::scheduler {
namespace {

using Words = uint64_t __attribute__((vector_size(32), may_alias));
using Bytes = uint8_t __attribute__((vector_size(32), may_alias));
using SignedBytes = int8_t __attribute__((vector_size(32), may_alias));
constexpr std::size_t kVectorsPerLine = sizeof(MaskLine) / sizeof(Words);
// A byte counts to 255 before it must be emptied.
constexpr std::size_t kVectorsPerCount = 255;

// By reference throughout: vectors as arguments have no stable calling convention.
ALLOT_INLINED void CountBits(const Words& masks, Words& counts) {
  counts = masks - ((masks >> 1) & 0x5555555555555555ULL);
  counts = (counts & 0x3333333333333333ULL) + ((counts >> 2) & 0x3333333333333333ULL);
  counts = (counts + (counts >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
}

// 0xff in every byte whose mask has more than `gpus_below` bits.
ALLOT_INLINED void MarkAbove(const Words& masks, const SignedBytes& gpus_below, Bytes& marks) {
  Words counts;
  CountBits(masks, counts);
  marks = reinterpret_cast<const Bytes&>(
      static_cast<const SignedBytes&>(reinterpret_cast<SignedBytes&>(counts) > gpus_below));
}

// How a node is known to have enough free: by its bits, or for a whole node and for one GPU, which
// most requests ask for, by the mask alone.
struct ByCount {
  SignedBytes gpus_below;
  ALLOT_INLINED void operator()(const Words& masks, Bytes& marks) const {
    MarkAbove(masks, gpus_below, marks);
  }
};
struct ByWhole {
  ALLOT_INLINED void operator()(const Words& masks, Bytes& marks) const {
    marks = reinterpret_cast<const Bytes&>(
        static_cast<const SignedBytes&>(reinterpret_cast<const Bytes&>(masks) == ~Bytes{}));
  }
};
struct ByAny {
  ALLOT_INLINED void operator()(const Words& masks, Bytes& marks) const {
    marks = reinterpret_cast<const Bytes&>(
        static_cast<const SignedBytes&>(reinterpret_cast<const Bytes&>(masks) != Bytes{}));
  }
};

// Bytes to 16 bits each, the four words on each other, and what is left by one multiplication.
ALLOT_INLINED int SumBytes(const Bytes& bytes) {
  const Words& words = reinterpret_cast<const Words&>(bytes);
  const Words pairs = (words & 0x00ff00ff00ff00ffULL) + ((words >> 8) & 0x00ff00ff00ff00ffULL);
  const uint64_t sums = pairs[0] + pairs[1] + pairs[2] + pairs[3];
  return static_cast<int>(sums * 0x0001000100010001ULL >> 48);
}

ALLOT_INLINED const Words* AsWords(const MaskLine* lines) {
  return reinterpret_cast<const Words*>(lines);
}
ALLOT_INLINED Words* AsWords(MaskLine* lines) { return reinterpret_cast<Words*>(lines); }

template <class Enough>
ALLOT_INLINED int AndCountBy(const Enough& enough, const MaskLine* a, const MaskLine* b,
                             MaskLine* out, std::size_t lines) {
  const std::size_t vectors = lines * kVectorsPerLine;
  int count = 0;
  for (std::size_t i = 0; i < vectors;) {
    const std::size_t end = vectors - i < kVectorsPerCount ? vectors : i + kVectorsPerCount;
    Bytes marked{};
    for (; i < end; ++i) {
      const Words both = AsWords(a)[i] & AsWords(b)[i];
      AsWords(out)[i] = both;
      Bytes marks;
      enough(both, marks);
      marked -= marks;
    }
    count += SumBytes(marked);
  }
  return count;
}

}  // namespace

ALLOT_VECTORISED int AndCount(const MaskLine* a, const MaskLine* b, MaskLine* out,
                              std::size_t lines, int gpus) {
  if (gpus == kGpusPerNode) return AndCountBy(ByWhole{}, a, b, out, lines);
  if (gpus == 1) return AndCountBy(ByAny{}, a, b, out, lines);
  return AndCountBy(ByCount{SignedBytes{} + static_cast<int8_t>(gpus - 1)}, a, b, out, lines);
}

ALLOT_VECTORISED void AndAll(const std::vector<const MaskLine*>& rows, MaskLine* out,
                             std::size_t lines) {
  static_assert(kVectorsPerLine == 2);
  const MaskLine* const* const begin = rows.data();
  const MaskLine* const* const end = begin + rows.size();
  for (std::size_t line = 0; line < lines; ++line) {
    Words low = AsWords(*begin + line)[0];
    Words high = AsWords(*begin + line)[1];
    for (const MaskLine* const* row = begin + 1; row != end; ++row) {
      low &= AsWords(*row + line)[0];
      high &= AsWords(*row + line)[1];
    }
    AsWords(out + line)[0] = low;
    AsWords(out + line)[1] = high;
  }
}

ALLOT_VECTORISED int CountAtLeast(const MaskLine* row, std::size_t lines, int gpus) {
  const SignedBytes gpus_below = SignedBytes{} + static_cast<int8_t>(gpus - 1);
  const std::size_t vectors = lines * kVectorsPerLine;
  int count = 0;
  for (std::size_t i = 0; i < vectors;) {
    const std::size_t end = vectors - i < kVectorsPerCount ? vectors : i + kVectorsPerCount;
    Bytes marked{};
    for (; i < end; ++i) {
      Bytes marks;
      MarkAbove(AsWords(row)[i], gpus_below, marks);
      marked -= marks;
    }
    count += SumBytes(marked);
  }
  return count;
}

ALLOT_VECTORISED void ScoreFit(const MaskLine* free, const MaskLine* before, const MaskLine* after,
                               MaskLine* scores, std::size_t lines, int gpus,
                               const std::array<uint8_t, kGpusPerNode + 1>& ranks) {
  const SignedBytes gpus_below = SignedBytes{} + static_cast<int8_t>(gpus - 1);
  const std::size_t vectors = lines * kVectorsPerLine;
  for (std::size_t i = 0; i < vectors; ++i) {
    Words free_counts;
    Words before_counts;
    Words after_counts;
    CountBits(AsWords(free)[i], free_counts);
    CountBits(AsWords(before)[i], before_counts);
    CountBits(AsWords(after)[i], after_counts);
    Bytes fits;
    MarkAbove(AsWords(free)[i], gpus_below, fits);
    // At most 7 × 17 + 16 where it fits; what it comes to elsewhere is masked out.
    Bytes score = reinterpret_cast<Bytes&>(before_counts) + reinterpret_cast<Bytes&>(after_counts);
    for (int count = gpus; count <= kGpusPerNode; ++count) {
      const auto of_rank = static_cast<uint8_t>(ranks[static_cast<std::size_t>(count)] * 17);
      const auto has_so_many = reinterpret_cast<const Bytes&>(static_cast<const SignedBytes&>(
          reinterpret_cast<Bytes&>(free_counts) == Bytes{} + static_cast<uint8_t>(count)));
      score += has_so_many & of_rank;
    }
    const Bytes kept = (score & fits) | ~fits;
    AsWords(scores)[i] = reinterpret_cast<const Words&>(kept);
  }
}

ALLOT_VECTORISED uint8_t LowestScore(const MaskLine* scores, std::size_t lines, uint8_t floor) {
  const Bytes least = Bytes{} + floor;
  Bytes lowest = ~Bytes{};
  const std::size_t vectors = lines * kVectorsPerLine;
  for (std::size_t i = 0; i < vectors; ++i) {
    const Bytes score = reinterpret_cast<const Bytes*>(scores)[i];
    const Bytes eligible = score >= least && score < lowest ? score : lowest;
    lowest = eligible;
  }
  uint8_t result = kScoreNone;
  for (std::size_t i = 0; i < sizeof(Bytes); ++i) {
    if (lowest[i] < result) result = lowest[i];
  }
  return result;
}

}  // namespace allot::scheduler
