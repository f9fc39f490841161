# The engine for programs elsewhere: find_package(isodrop) gives isodrop::models, isodrop::optim and what they stand
# on, isodrop::ops, isodrop::engine and isodrop::base. `cmake --install` puts them where CMake looks;
# --component isodrop_library installs them alone.
include(CMakePackageConfigHelpers)
set(libraries base engine ops models train_optim)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/isodrop)
foreach(library IN LISTS libraries)
  string(REPLACE train_ "" name ${library})
  add_library(isodrop::${name} ALIAS isodrop_${library})
  set_target_properties(isodrop_${library} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(isodrop_${library} INTERFACE cxx_std_20)
endforeach()
target_link_libraries(isodrop_base PUBLIC OpenMP::OpenMP_CXX)  # base/parallel.h
list(TRANSFORM libraries PREPEND isodrop_)
install(TARGETS ${libraries} EXPORT isodrop
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT isodrop_library
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/isodrop)
install(EXPORT isodrop FILE isodropTargets.cmake NAMESPACE isodrop:: DESTINATION ${package} COMPONENT isodrop_library)

# What only the .cpp files beside them read is not installed.
foreach(room base engine ops models train/optim)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${room}/*.h)
  if(room STREQUAL "base")
    list(FILTER headers INCLUDE REGEX "/(error|memory_limits|parallel|quantile|table|text)\\.h$")
  endif()
  list(FILTER headers EXCLUDE REGEX "(-inl|_internal|/event_order)\\.h$")
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/isodrop/${room} COMPONENT isodrop_library)
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/isodropConfig.cmake.in
  ${PROJECT_BINARY_DIR}/generated/isodropConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/isodropConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/isodropConfig.cmake
  ${PROJECT_BINARY_DIR}/generated/isodropConfigVersion.cmake
  DESTINATION ${package} COMPONENT isodrop_library)
