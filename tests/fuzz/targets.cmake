# The fuzz targets: tests/fuzz/NAME.cc becomes bin/fuzz-NAME, by Clang with libFuzzer and its sanitizers, in a build
# folder of its own (tests/fuzz/run.sh). Included by CMakeLists.txt with ALLOT_FUZZ=ON instead of all behind it.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "ALLOT_FUZZ needs clang++-14 as CMAKE_CXX_COMPILER, not ${CMAKE_CXX_COMPILER}")
endif()

set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -gline-tables-only")
set(fuzz_flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

# Messages only, and as they are: the generated code is protobuf's to test.
list(FILTER proto_sources EXCLUDE REGEX "\\.grpc\\.pb\\.cc$")
list(FILTER google_proto_sources EXCLUDE REGEX "\\.grpc\\.pb\\.cc$")
add_library(fuzz_proto STATIC ${google_proto_sources} ${proto_sources})
target_compile_options(fuzz_proto PRIVATE -w)
target_include_directories(fuzz_proto SYSTEM PUBLIC ${generated_dir})
target_link_libraries(fuzz_proto PUBLIC allot_grpc Threads::Threads)

# What reads something from outside, and what that stands on: no server, no sockets, no PostgreSQL.
set(fuzzed_patterns
  base/*.cc model/*.cc scheduler/*.cc replay/*.cc control/*.cc
  store/*.cc store/memory/*.cc oidc/*.cc
  transport/certificate.cc transport/pem.cc transport/server_address.cc yaml/*.cc
  rpc/bytes.cc rpc/call_for_two.cc rpc/cluster_names.cc rpc/enums.cc rpc/fields.cc rpc/known_callers.cc rpc/page.cc rpc/resource_name.cc rpc/status.cc
  rpc/parse_*.cc rpc/render_*.cc rpc/*_handlers.cc
  agent/site_file.cc agent/durable_file.cc agent/enactment_file.cc agent/inventory_file.cc agent/order_message.cc
  cli/failure.cc cli/manifest.cc cli/manifest_fields.cc cli/policy_file.cc cli/resource.cc cli/resource_name.cc cli/text.cc
  cli/values.cc cli/yaml_documents.cc
  sim/trace.cc sim/workload.cc sim/national_call*.cc sim/invented_names.cc sim/seed.cc
  apps/allotd/config.cc apps/allotd/identity_config.cc apps/allotd/yaml_fields.cc)
list(TRANSFORM fuzzed_patterns PREPEND ${CMAKE_SOURCE_DIR}/src/)
file(GLOB fuzzed_sources CONFIGURE_DEPENDS ${fuzzed_patterns})
file(GLOB fuzz_support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/support/*.cc)
add_library(fuzzed STATIC ${fuzzed_sources} ${fuzz_support_sources} ${CMAKE_SOURCE_DIR}/tests/rpc/method_rows.cc)
target_include_directories(fuzzed PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
target_compile_definitions(fuzzed PUBLIC _GLIBCXX_ASSERTIONS)
target_compile_options(fuzzed PUBLIC ${fuzz_flags} PRIVATE -fsanitize=fuzzer-no-link)
target_link_libraries(fuzzed PUBLIC fuzz_proto PkgConfig::yaml PkgConfig::prometheus PkgConfig::cjose PkgConfig::curl spdlog::spdlog
                      nlohmann_json::nlohmann_json OpenSSL::Crypto)

file(GLOB fuzz_targets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*.cc)
foreach(source ${fuzz_targets})
  cmake_path(GET source STEM name)
  add_executable(fuzz-${name} ${source})
  target_compile_options(fuzz-${name} PRIVATE -Wall -Wextra -Wconversion -Wshadow -Wno-missing-field-initializers -fsanitize=fuzzer-no-link)
  target_link_libraries(fuzz-${name} PRIVATE fuzzed)
  target_link_options(fuzz-${name} PRIVATE ${fuzz_flags} -fsanitize=fuzzer)
endforeach()
