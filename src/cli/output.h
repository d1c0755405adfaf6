#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/cli/command_line.h"
#include "cli/failure.h"
#include "cli/table.h"

namespace allot::cli {

enum class Format { kTable, kWide, kJson, kYaml, kName };
std::optional<Format> ParseFormat(std::string_view word);

/// protobuf's own JSON mapping: lowerCamel names, times in RFC 3339, 64-bit numbers as texts. Zero
/// and empty fields are printed too, so that a reader finds the same keys in every answer.
std::string JsonOf(const google::protobuf::Message& message, bool one_line);
/// The same content as YAML.
std::string YamlOfJson(const std::string& json);

/// Shows answers in the format asked for: people's on a table, programs' as the API has them.
/// Answers go to stdout, everything else to stderr.
class Output {
 public:
  Output(const Environment& environment, Format format);

  Format format() const { return format_; }
  bool wide() const { return format_ == Format::kWide; }
  bool for_people() const { return format_ == Format::kTable || format_ == Format::kWide; }
  bool colours() const { return colours_; }

  void Show(const google::protobuf::Message& message, const Table& table,
            const std::vector<std::string>& names) const;
  /// For answers that are not rows: `text` for people.
  void Show(const google::protobuf::Message& message, const std::string& text,
            const std::vector<std::string>& names) const;
  /// One of many that come one after another: JSON on one line, YAML as a document of its own.
  void ShowNext(const google::protobuf::Message& message, const std::string& text,
                const std::string& name) const;
  /// On stderr; as JSON when answers are.
  void Show(const Failure& failure) const;
  /// Progress and remarks: one line on stderr.
  void Note(const std::string& line) const;

 private:
  /// Whether the format is a program's, which is then served.
  bool ShownToPrograms(const google::protobuf::Message& message,
                       const std::vector<std::string>& names) const;

  const Environment& environment_;
  const Format format_;
  const bool colours_;
};

}  // namespace allot::cli
