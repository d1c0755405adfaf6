#include "fuzz/support/message_mutator.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <limits>

#include "allot/base/result.h"
#include "allot/base/text.h"

namespace allot::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::size_t kTextBytesMax = 700;

class FieldMutator {
 public:
  FieldMutator(Message& message, const FieldDescriptor& field, std::span<const std::string> words,
               Random& random)
      : message_(message),
        field_(field),
        reflection_(*message.GetReflection()),
        words_(words),
        random_(random) {}

  void Run() {
    if (field_.is_repeated()) return RunRepeated();
    if (reflection_.HasField(message_, &field_) && OneIn(random_, 5)) {
      return reflection_.ClearField(&message_, &field_);
    }
    SetSingle();
  }

 private:
  void RunRepeated() {
    const int size = reflection_.FieldSize(message_, &field_);
    switch (size == 0 ? 0 : Pick(random_, 5)) {
      case 0:
      case 1:
        return Add();
      case 2:
        return reflection_.RemoveLast(&message_, &field_);
      case 3:
        return AddCopyOfLast(size - 1);
      default:
        reflection_.SwapElements(&message_, &field_, 0, size - 1);
        if (field_.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
          Mutate(*reflection_.MutableRepeatedMessage(&message_, &field_, size - 1), words_,
                 random_);
        }
    }
  }

  void Add() {
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection_.AddString(&message_, &field_, Text(""));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Mutate(*reflection_.AddMessage(&message_, &field_), words_, random_);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection_.AddEnumValue(&message_, &field_, EnumValue());
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection_.AddInt32(&message_, &field_, static_cast<int32_t>(Number()));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection_.AddInt64(&message_, &field_, Number());
      default:
        return;
    }
  }

  void AddCopyOfLast(int last) {
    if (field_.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message& added = *reflection_.AddMessage(&message_, &field_);
      added.CopyFrom(reflection_.GetRepeatedMessage(message_, &field_, last));
    } else if (field_.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      reflection_.AddString(&message_, &field_,
                            reflection_.GetRepeatedString(message_, &field_, last));
    } else {
      Add();
    }
  }

  void SetSingle() {
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection_.SetString(&message_, &field_,
                                     Text(reflection_.GetString(message_, &field_)));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Mutate(*reflection_.MutableMessage(&message_, &field_), words_, random_);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection_.SetEnumValue(&message_, &field_, EnumValue());
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection_.SetInt32(
            &message_, &field_,
            static_cast<int32_t>(Near(reflection_.GetInt32(message_, &field_))));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection_.SetInt64(&message_, &field_,
                                    Near(reflection_.GetInt64(message_, &field_)));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection_.SetBool(&message_, &field_, OneIn(random_, 2));
      default:
        return;
    }
  }

  int64_t Number() {
    static constexpr std::array kNumbers = {int64_t{0},
                                            int64_t{1},
                                            int64_t{-1},
                                            int64_t{7},
                                            int64_t{8},
                                            int64_t{9},
                                            int64_t{60},
                                            int64_t{1'000},
                                            int64_t{3'600},
                                            int64_t{16'384},
                                            int64_t{999'999'999},
                                            int64_t{1'772'330'000},
                                            int64_t{253'402'300'799},
                                            int64_t{std::numeric_limits<int32_t>::max()},
                                            std::numeric_limits<int64_t>::max(),
                                            std::numeric_limits<int64_t>::min()};
    return kNumbers.at(Pick(random_, kNumbers.size()));
  }
  /// Unsigned, so that it wraps round at the ends.
  int64_t Near(int64_t number) {
    if (OneIn(random_, 2)) return Number();
    return static_cast<int64_t>(static_cast<uint64_t>(number) + Pick(random_, 5) - 2);
  }

  /// Mostly one that is known.
  int EnumValue() {
    const auto* type = field_.enum_type();
    const auto count = static_cast<std::size_t>(type->value_count());
    if (OneIn(random_, 10)) return static_cast<int>(Number());
    return type->value(static_cast<int>(Pick(random_, count)))->number();
  }

  /// UTF-8: what is none never comes to a field, and is tried on the bytes of the whole message.
  std::string Text(std::string text) {
    if (!OneIn(random_, 3) || text.empty()) return words_[Pick(random_, words_.size())];
    const std::size_t size = text.size();
    text.resize(kTextBytesMax);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()),
                                 std::min(size, text.size()), text.size()));
    return IsUtf8(text) ? text : Printable(text);
  }

  Message& message_;
  const FieldDescriptor& field_;
  const Reflection& reflection_;
  std::span<const std::string> words_;
  Random& random_;
};

}  // namespace

void Mutate(Message& message, std::span<const std::string> words, Random& random) {
  const auto* type = message.GetDescriptor();
  if (type->field_count() == 0) return;
  // Rather what is there already, or changes would seldom go deep.
  std::vector<const FieldDescriptor*> given;
  message.GetReflection()->ListFields(message, &given);
  const FieldDescriptor* field = given.empty() || OneIn(random, 3)
                                     ? type->field(static_cast<int>(Pick(
                                           random, static_cast<std::size_t>(type->field_count()))))
                                     : given[Pick(random, given.size())];
  FieldMutator(message, *field, words, random).Run();
}

}  // namespace allot::fuzz
