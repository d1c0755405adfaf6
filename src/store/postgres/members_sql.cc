#include <pqxx/pqxx>

#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectMember = std::string("SELECT ") + kMemberColumns + " FROM members";
const Statement kFindMembersByPerson{
    "find_members_by_person",
    std::string("SELECT ") + kMemberColumns +
        // OFFSET keeps it a look-up of each, however few there were when this was prepared.
        " FROM unnest($1::text[], $2::text[]) AS n(of_issuer, of_subject)"
        " CROSS JOIN LATERAL (SELECT * FROM members WHERE issuer = of_issuer"
        "                     AND subject = of_subject AND remove_time IS NULL OFFSET 0) AS m"};
const Statement kFindMember{"find_member", kSelectMember + " WHERE id = $1"};
const Statement kInsertMember{
    "insert_member",
    "INSERT INTO members (id, issuer, subject, role, institute_id, display_name, create_time,"
    " remove_time) VALUES ($1, $2, $3, $4, $5, $6, instant($7), instant($8))"
    " ON CONFLICT DO NOTHING"};
// The first removal stands.
const Statement kRemoveMember{
    "remove_member",
    "UPDATE members SET remove_time = COALESCE(remove_time, instant($2)) WHERE id = $1"};

}  // namespace

Result<std::vector<Member>> PostgresTx::FindMembersByPerson(std::span<const Person> persons) {
  return FindAll(
      ReadMember, kFindMembersByPerson,
      Arguments(SqlArray(persons, &Person::issuer), SqlArray(persons, &Person::subject)));
}

Result<std::optional<Member>> PostgresTx::FindMember(const MemberId& id) {
  return FindOne(ReadMember, kFindMember, Arguments(id));
}

Status PostgresTx::InsertMember(const Member& member) {
  return Insert(kInsertMember, Arguments(member.id, member.person.issuer, member.person.subject,
                                         member.role, member.institute, member.display_name,
                                         member.create_time, member.remove_time));
}

Result<Page<Member>> PostgresTx::ListMembers(const PageRequest& page) {
  return FindPage(ReadMember, ListQuery(kSelectMember, "id", page));
}

Status PostgresTx::RemoveMember(const MemberId& id, Instant at) {
  return Verb([&]() -> Status {
    if (Execute(kRemoveMember, Arguments(id, at)).affected_rows() == 1) return Ok{};
    return StateError(Reason::kNotFound, "There is no such member.");
  });
}

}  // namespace allot::store
