#include "scheduler/mask_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "allot/base/random.h"

namespace allot::scheduler {
namespace {

// 255 vectors of 32 nodes are what a byte can count: more lines than that need a second count.
constexpr std::size_t kLineCounts[] = {1, 2, 8, 127, 128, 130};

MaskRow RandomRow(SeededRandom& random, std::size_t lines) {
  MaskRow row(lines);
  for (MaskLine& line : row) {
    for (GpuMask& mask : line.masks) {
      mask = random.Below(3) == 0 ? GpuMask{0xff} : static_cast<GpuMask>(random.Below(256));
    }
  }
  return row;
}

int PlainCount(const MaskRow& row, int gpus) {
  int count = 0;
  for (const MaskLine& line : row) {
    for (const GpuMask mask : line.masks) count += CountGpus(mask) >= gpus ? 1 : 0;
  }
  return count;
}

TEST(MaskRows, CountsAsOneWouldByHand) {
  SeededRandom random(1);
  for (const std::size_t lines : kLineCounts) {
    const MaskRow a = RandomRow(random, lines);
    const MaskRow b = RandomRow(random, lines);
    for (int gpus = 1; gpus <= kGpusPerNode; ++gpus) {
      EXPECT_EQ(CountAtLeast(a.data(), lines, gpus), PlainCount(a, gpus));
      MaskRow both(lines);
      const int count = AndCount(a.data(), b.data(), both.data(), lines, gpus);
      EXPECT_EQ(count, PlainCount(both, gpus));
      for (std::size_t line = 0; line < lines; ++line) {
        for (std::size_t i = 0; i < 64; ++i) {
          ASSERT_EQ(both[line].masks[i], a[line].masks[i] & b[line].masks[i]);
        }
      }
    }
  }
}

TEST(MaskRows, KeepsWhatIsFreeInAllOfManyRows) {
  SeededRandom random(3);
  for (const std::size_t lines : kLineCounts) {
    std::vector<MaskRow> rows;
    std::vector<const MaskLine*> begins;
    for (int count = 1; count <= 5; ++count) {
      rows.push_back(RandomRow(random, lines));
      begins.clear();
      for (const MaskRow& row : rows) begins.push_back(row.data());
      MaskRow all(lines);
      AndAll(begins, all.data(), lines);
      for (std::size_t line = 0; line < lines; ++line) {
        for (std::size_t i = 0; i < 64; ++i) {
          GpuMask expected = 0xff;
          for (const MaskRow& row : rows) expected &= row[line].masks[i];
          ASSERT_EQ(all[line].masks[i], expected);
        }
      }
    }
  }
}

TEST(MaskRows, CountsManyNodesThatAllFit) {
  MaskRow full(130);
  for (MaskLine& line : full) line.masks.fill(0xff);
  EXPECT_EQ(CountAtLeast(full.data(), full.size(), 8), 130 * 64);
}

TEST(MaskRows, ScoresTheBetterFitLowerAndWhatDoesNotFitNot) {
  SeededRandom random(2);
  const std::size_t lines = 3;
  const MaskRow free = RandomRow(random, lines);
  const MaskRow before = RandomRow(random, lines);
  const MaskRow after = RandomRow(random, lines);
  for (int gpus = 1; gpus <= kGpusPerNode; ++gpus) {
    ScoreRow scores(lines);
    // Some order or other of the numbers of free GPUs.
    std::array<uint8_t, kGpusPerNode + 1> ranks{};
    for (std::size_t count = 0; count < ranks.size(); ++count) {
      ranks[count] = static_cast<uint8_t>(count * 5 % 8);
    }
    ScoreFit(free.data(), before.data(), after.data(), scores.data(), lines, gpus, ranks);
    std::vector<uint8_t> plain;
    for (std::size_t line = 0; line < lines; ++line) {
      for (std::size_t i = 0; i < 64; ++i) {
        const int count = CountGpus(free[line].masks[i]);
        const int score = ranks[static_cast<std::size_t>(count)] * 17 +
                          CountGpus(before[line].masks[i]) + CountGpus(after[line].masks[i]);
        plain.push_back(count < gpus ? kScoreNone : static_cast<uint8_t>(score));
        ASSERT_EQ(scores[line].masks[i], plain.back());
      }
    }
    std::sort(plain.begin(), plain.end());
    for (const int floor : {0, 1, 17, 60, 254}) {
      const auto lowest = std::lower_bound(plain.begin(), plain.end(), static_cast<uint8_t>(floor));
      EXPECT_EQ(LowestScore(scores.data(), lines, static_cast<uint8_t>(floor)),
                lowest == plain.end() ? kScoreNone : *lowest);
    }
  }
}

}  // namespace
}  // namespace allot::scheduler
