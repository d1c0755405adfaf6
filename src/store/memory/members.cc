#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool IsStorable(const Member& member) {
  return member.id.str().starts_with(kMemberIdPrefix) && member.role != Role::kProvider &&
         member.institute.empty() != IsOfInstitute(member.role) && !member.person.issuer.empty() &&
         !member.person.subject.empty();
}

}  // namespace

Result<std::vector<Member>> MemoryTx::FindMembersByPerson(std::span<const Person> persons) {
  return Verb([&] {
    std::vector<Member> found;
    for (const Person& person : std::set(persons.begin(), persons.end())) {
      const MemberId* const id = state_.members_by_person.Find(person);
      if (id != nullptr) found.push_back(*state_.members.Find(*id));
    }
    return found;
  });
}

Result<std::optional<Member>> MemoryTx::FindMember(const MemberId& id) {
  return FindOne(state_.members, id);
}

Status MemoryTx::InsertMember(const Member& member) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const std::string& text :
       {member.person.issuer, member.person.subject, member.display_name}) {
    ALLOT_RETURN_IF_ERROR(CheckText(text));
  }
  if (!IsStorable(member)) return Refuse();
  const bool present = !member.remove_time;
  if (present && state_.members_by_person.Find(member.person) != nullptr) {
    return Fail(AlreadyThere(run_));
  }
  ALLOT_RETURN_IF_ERROR(Insert(state_.members, member.id, member));
  if (present) state_.members_by_person.Put(undo_, member.person, member.id);
  return Ok{};
}

Result<Page<Member>> MemoryTx::ListMembers(const PageRequest& page) {
  return FindPage(state_.members, page, [](const Member&) { return true; });
}

Status MemoryTx::RemoveMember(const MemberId& id, Instant at) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const Member* const found = state_.members.Find(id);
  if (found == nullptr) return StateError(Reason::kNotFound, "There is no such member.");
  // The first removal stands.
  if (found->remove_time) return Ok{};
  Member member = *found;
  member.remove_time = at;
  state_.members_by_person.Erase(undo_, member.person);
  state_.members.Put(undo_, id, member);
  return Ok{};
}

}  // namespace allot::store
