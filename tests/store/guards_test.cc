// What the schema refuses by, written down once more: `allotd verify` must notice what was taken
// out.
#include <gtest/gtest.h>

#include <algorithm>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "store/postgres/guards.h"
#include "support/postgres_server.h"

namespace allot::store {
namespace {

std::vector<std::string> Column(const std::string& query) {
  pqxx::connection connection(testing::FreshDatabase());
  pqxx::nontransaction work(connection);
  std::vector<std::string> column;
  for (const auto& row : work.exec(query)) column.emplace_back(row[0].c_str());
  std::ranges::sort(column);
  return column;
}

TEST(Guards, AreThoseThatTheMigrationsMake) {
  const std::vector<std::string> there = Column(GuardsThere());
  EXPECT_TRUE(std::ranges::is_sorted(Guards()));
  std::string lines;
  for (const std::string& guard : there) lines += "    \"" + guard + "\",\n";
  EXPECT_TRUE(std::ranges::equal(Guards(), there))
      << "kGuards of src/store/postgres/guards.cc has to be these " << there.size() << ":\n"
      << lines;
}

TEST(Guards, OfAWholeDatabaseNoneIsGone) { EXPECT_TRUE(Column(GuardsGone()).empty()); }

}  // namespace
}  // namespace allot::store
