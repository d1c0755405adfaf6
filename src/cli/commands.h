#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/session.h"

namespace allot::cli {

/// What the command line asks for; run once the whole line was understood.
using Action = std::function<ExitCode(Session&)>;

/// A command with its help: what it does in one line, and examples to copy.
CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& examples);

/// For options that count something: 1 or more.
CLI::Validator AtLeastOne();

// One function a group of commands; each sets `chosen` when its command was given.
void AddAllocationCommands(CLI::App& root, Action& chosen);  // list, get, watch, explain
void AddSubmitCommand(CLI::App& root, Action& chosen);
void AddEndCommands(CLI::App& root, Action& chosen);       // cancel, release, reject
void AddDecisionCommands(CLI::App& root, Action& chosen);  // urgent, consolidate
void AddPoolCommands(CLI::App& root, Action& chosen);  // pool, providers, clusters, nodes, orders
void AddDrainCommands(CLI::App& root, Action& chosen);
void AddReservationCommands(CLI::App& root, Action& chosen);  // reservations, cluster
void AddTenantCommands(CLI::App& root, Action& chosen);       // institutes, projects, quota, merit
void AddAccessCommands(CLI::App& root, Action& chosen);       // keys, record
void AddAuditCommands(CLI::App& root, Action& chosen);
void AddMemberCommands(CLI::App& root, Action& chosen);
void AddLoginCommands(CLI::App& root, Action& chosen);  // login, logout, whoami
void AddPolicyCommands(CLI::App& root, Action& chosen);
void AddProposalCommands(CLI::App& root, Action& chosen);
void AddWhatIfCommand(CLI::App& root, Action& chosen);
void AddApplyCommand(CLI::App& root, Action& chosen);
void AddSummaryCommand(CLI::App& root, Action& chosen);

}  // namespace allot::cli
