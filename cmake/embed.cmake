# Writes OUTPUT, a C++ file in which each of FILES (in ROOT or with a full path, NAME=PATH with | between) is a
# constant: `extern const std::string_view kNAME` of namespace NAMESPACE. Bytes as numbers: whatever is in a file,
# nothing in it can end a literal.
string(REPLACE "|" ";" FILES "${FILES}")
set(text "#include <string_view>\nnamespace ${NAMESPACE} {\n")
foreach(file IN LISTS FILES)
  string(REGEX MATCH "^([A-Za-z]+)=(.*)$" matched "${file}")
  set(name ${CMAKE_MATCH_1})
  file(READ ${CMAKE_MATCH_2} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND text "static constexpr unsigned char b${name}[] = {${bytes}0};\n"
    "extern const std::string_view k${name};\n"
    "const std::string_view k${name}(reinterpret_cast<const char*>(b${name}), sizeof b${name} - 1);\n")
endforeach()
file(WRITE ${OUTPUT} "${text}}\n")
