#include "store/postgres/postgres_tx.h"

namespace allot::store {

ListQuery::ListQuery(std::string select, std::string id, const PageRequest& page)
    : sql_(std::move(select)), id_(std::move(id)), size_(page.size) {
  arguments_.Add(page.after);
  sql_ += " WHERE " + id_ + " > " + arguments_.last();
}

void ListQuery::Add(std::string_view condition, const SqlValue& value) {
  arguments_.Add(value);
  sql_ += " AND " + std::string(condition) + arguments_.last();
}

ListQuery& ListQuery::WhereAny(std::string_view column, const std::string& array) {
  arguments_.Add(array);
  sql_ += " AND " + std::string(column) + " = ANY(" + arguments_.last() + "::text[])";
  return *this;
}

ListQuery& ListQuery::Within(std::string_view condition_of_index) {
  sql_ += " AND " + std::string(condition_of_index);
  return *this;
}

// One more than the page, to know whether there is more.
std::string ListQuery::sql() const {
  return sql_ + " ORDER BY " + id_ + " LIMIT " + std::to_string(size_ + 1);
}

Error PostgresTx::Fail(Failure failure) {
  failure_ = std::move(failure);
  return failure_->error;
}

Status PostgresTx::Insert(const Statement& statement, const Arguments& arguments,
                          std::size_t count) {
  return Verb([&]() -> Status {
    if (Execute(statement, arguments).affected_rows() == count) return Ok{};
    return Fail(AlreadyThere(run_));
  });
}

Status PostgresTx::Update(const Statement& statement, const Arguments& arguments,
                          std::size_t count) {
  return Verb([&]() -> Status {
    if (Execute(statement, arguments).affected_rows() == count) return Ok{};
    return Fail({StoreConflict(), Failure::Remedy::kRerun});
  });
}

}  // namespace allot::store
