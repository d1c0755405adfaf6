# Reads C++ files named on the command line, relative to the top folder, and prints one line for every
# construct that is banned where it stands. Comments and the contents of string literals do not count,
# except for SQL, which lives in strings.

function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }

FNR == 1 {
  in_comment = 0;
  postgres = FILENAME ~ /^(src|include\/allot)\/store\/postgres\//;
  app = FILENAME ~ /^src\/apps\//;
  clock = FILENAME ~ /^src\/base\/[a-z_]*clock[a-z_]*\.(cc|h)$/;
}

{
  code = without_comments($0);

  if (!postgres && code ~ /(^|[^A-Za-z_])(SELECT|INSERT INTO|DELETE FROM|UPDATE [a-z_]+ SET|ON CONFLICT|CREATE TABLE|ALTER TABLE)([^A-Za-z_]|$)/)
    complain("SQL outside src/store/postgres");

  gsub(/\\./, "", code);
  gsub(/"[^"]*"/, "\"\"", code);

  if (!postgres && !app && code ~ /(^|[^A-Za-z0-9_])throw([^A-Za-z0-9_]|$)/)
    complain("throw: exceptions stop at src/store/postgres and src/apps; return a Result");

  if (!app && !clock && code ~ /(system_clock|high_resolution_clock|utc_clock)::now|(^|[^A-Za-z0-9_])(clock_gettime|gettimeofday|timespec_get)[ ]*\(|(^|[^A-Za-z0-9_.>])time[ ]*\([ ]*(nullptr|NULL|0|&[a-z_]+)[ ]*\)/)
    complain("reads the system's clock: take an allot::Clock");

  if (code ~ /(^|[^A-Za-z0-9_])using[ ]+namespace[ ]/ && FILENAME ~ /\.h$/)
    complain("using namespace in a header");
}

function without_comments(line,   out, start) {
  out = "";
  while (line != "") {
    if (in_comment) {
      start = index(line, "*/");
      if (!start) return out;
      line = substr(line, start + 2);
      in_comment = 0;
      continue;
    }
    # Whichever opens first: a string keeps its slashes (as in "http://").
    if (!match(line, /\/\/|\/\*|"/)) return out line;
    start = RSTART;
    if (substr(line, start, 1) == "\"") {
      out = out substr(line, 1, start);
      line = substr(line, start + 1);
      if (!match(line, /^([^"\\]|\\.)*"/)) return out line;
      out = out substr(line, 1, RLENGTH);
      line = substr(line, RLENGTH + 1);
      continue;
    }
    out = out substr(line, 1, start - 1);
    if (substr(line, start, 2) == "//") return out;
    line = substr(line, start + 2);
    in_comment = 1;
  }
  return out;
}
