# Installs the libraries of BUILD to a new prefix below WORK, then configures, builds and runs this project with them.
#   cmake -DBUILD=DIR -DWORK=DIR -DCONFIG=Release -P check.cmake
file(REMOVE_RECURSE ${WORK})
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix --component isodrop_library)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/prefix
  -DCMAKE_BUILD_TYPE=${CONFIG})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/outside)
# What an installed header includes is installed too.
file(GLOB_RECURSE headers RELATIVE ${WORK}/prefix/include/isodrop ${WORK}/prefix/include/isodrop/*.h)
list(TRANSFORM headers REPLACE "(.+)" "#include \"\\1\"\n")
string(CONCAT includes ${headers})
file(WRITE ${WORK}/headers/main.cpp "${includes}int main() {}\n")
file(COPY ${CMAKE_CURRENT_LIST_DIR}/CMakeLists.txt DESTINATION ${WORK}/headers)
run(${CMAKE_COMMAND} -S ${WORK}/headers -B ${WORK}/headers/build -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/headers/build)
