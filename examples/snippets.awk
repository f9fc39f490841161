# Makes a C++ program of the examples in headers and pages:  awk -f snippets.awk FILES > snippets.cpp
# In a header: the lines after "// Example:", one example, at most 15 lines. In a page: the blocks ```cpp.
# The program runs those of headers. Those of pages train for long; they only have to compile.
function begin() {
  inside = any = 1
  lines = 0
  printf "[[maybe_unused]] static void example_%d() {\n#line %d \"%s\"\n", ++count, FNR + 1, FILENAME
}
function fail(what) {
  print file ": " what > "/dev/stderr"
  failed = 1
  exit 1
}
BEGIN {
  print "#undef NDEBUG\n#include <algorithm>\n#include <cassert>\n#include <cmath>\n#include <cstdint>\n#include <vector>\n"
  for (i = 1; i < ARGC; ++i)
    if (ARGV[i] ~ /\.h$/) print "#include \"" ARGV[i] "\""
}
FNR == 1 {
  if (file != "" && !any) fail("no example")
  file = FILENAME
  page = file ~ /\.md$/
  inside = any = 0
}
inside && (page ? /^```$/ : !/^\/\/ /) {
  print "}"
  inside = 0
  if (!page) run = run "  example_" count "();\n"
}
inside {
  if (!page && ++lines > 15) fail("an example of more than 15 lines")
  print page ? $0 : substr($0, 8)
}
page ? /^```cpp$/ : /^\/\/ Example:$/ { begin() }
END {
  if (!failed && !any) fail("no example")
  if (failed) exit 1
  print "int main() {\n" run "}"
}
